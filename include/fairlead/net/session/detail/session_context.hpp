#ifndef FAIRLEAD_NET_SESSION_DETAIL_SESSION_CONTEXT_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_SESSION_CONTEXT_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/http_field.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <typeinfo>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// What the application knows of a session, made when it first says something.
struct session_context {
  std::mutex mutex;  // guards `user`
  std::string user;
  std::shared_ptr<void> data;  // the slot; on the session's thread
  const std::type_info* data_type = nullptr;
  std::vector<header_field> headers;  // set before the application sees the session
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif

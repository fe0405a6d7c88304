#ifndef FAIRLEAD_NET_SESSION_DETAIL_SESSION_CONTEXT_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_SESSION_CONTEXT_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/http_field.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>

#include <asio/cancellation_signal.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <typeinfo>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

class request;

namespace detail {

/// What a session that asks its peer who it is keeps until it knows.
struct authentication {
  std::shared_ptr<request> head;     // for the route's coroutine; null when there is none
  asio::cancellation_signal cancel;  // of the authenticator
};

/// What the application knows of a session, made when it first says something.
struct session_context {
  std::mutex mutex;  // guards `user`
  std::string user;
  std::shared_ptr<void> data;  // the slot; on the session's thread
  const std::type_info* data_type = nullptr;
  std::vector<header_field> headers;       // set before the application sees the session
  std::shared_ptr<authentication> asking;  // on the session's thread
};

}  // namespace detail
}  // namespace fairlead

#endif

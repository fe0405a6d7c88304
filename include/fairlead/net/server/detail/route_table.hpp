#ifndef FAIRLEAD_NET_SERVER_DETAIL_ROUTE_TABLE_HPP
#define FAIRLEAD_NET_SERVER_DETAIL_ROUTE_TABLE_HPP

#include <fairlead/config.hpp>
#include <fairlead/guard/cors_policy.hpp>
#include <fairlead/guard/trusted_proxies.hpp>
#include <fairlead/handshake/request.hpp>
#include <fairlead/handshake/request_parser.hpp>
#include <fairlead/handshake/response.hpp>
#include <fairlead/net/server/admission.hpp>
#include <fairlead/net/session/detail/session_core.hpp>
#include <fairlead/time.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// A path with places for parameters, such as `/rooms/{room}/log`.
class path_pattern {
 public:
  /// Throws std::invalid_argument for what is no such path.
  explicit path_pattern(std::string pattern);

  /// The parameters when `path` matches as a whole. A parameter is one segment and not empty.
  std::optional<std::vector<path_param>> match(std::string_view path) const;

  const std::string& text() const noexcept { return pattern_; }

 private:
  std::string pattern_;
};

/// What a server answers to which request: complete before the first connection, then shared and unchanged.
class route_table {
 public:
  using get_handler = std::function<response(const request&)>;

  struct session_entry {
    path_pattern pattern;
    std::shared_ptr<session_route> route;
    std::shared_ptr<rule_set> rules = std::make_shared<rule_set>();
  };
  struct get_entry {
    path_pattern pattern;
    get_handler handler;
  };
  struct file_mount {
    std::string prefix;  // ends in '/'
    std::filesystem::path folder;
  };

  std::vector<session_entry> sessions;
  std::vector<get_entry> gets;
  std::vector<file_mount> mounts;
  std::shared_ptr<rule_set> rules = std::make_shared<rule_set>();  // for all sessions
  trusted_proxies proxies;
  std::optional<cors_policy> cors;  // of what is no session
  head_limits head{};
  duration handshake_timeout{};
  duration close_timeout{};

  /// The route for an upgrade, with its parameters set in `head`; null when there is none.
  const session_entry* find_session(request& head) const;

  /// The route at a path; null when there is none.
  const session_entry* find_session(std::string_view path) const;

  /// The answer to a request that does not ask for an upgrade.
  response answer(request& head) const;

 private:
  response find_answer(request& head) const;
};

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/server/impl/route_table.ipp>
#endif

#endif

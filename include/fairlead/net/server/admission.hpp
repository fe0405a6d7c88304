#ifndef FAIRLEAD_NET_SERVER_ADMISSION_HPP
#define FAIRLEAD_NET_SERVER_ADMISSION_HPP

#include <fairlead/config.hpp>
#include <fairlead/guard/origin_policy.hpp>
#include <fairlead/handshake/http_field.hpp>
#include <fairlead/handshake/http_status.hpp>
#include <fairlead/handshake/request.hpp>
#include <fairlead/handshake/response.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>
#include <fairlead/net/link/tls_details.hpp>
#include <fairlead/net/session/session_options.hpp>
#include <fairlead/peer_address.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// What an admission shows and collects.
struct admission_data {
  request head;
  peer_address client;
  tls_details tls;
  std::vector<std::string_view> subprotocols;  // views of the head
  asio::any_io_executor executor;
  bool is_secure = false;

  std::string user;
  std::shared_ptr<void> data;
  const std::type_info* data_type = nullptr;
  std::vector<header_field> fields;
  std::optional<std::string> subprotocol;  // that was chosen; empty for none
  std::optional<session_options> options;  // where they differ from those of the route
  const session_options* route_options = nullptr;
};

}  // namespace detail

/// One who asks for an upgrade, on the way through the checks of a route: what is known of it, and what its session
/// shall have when it is let in. Owns what it shows, which stays until the checks are over, whether or not the client
/// is still there. On the connection's thread.
class admission {
 public:
  explicit admission(detail::admission_data& data) noexcept : data_(data) {}
  admission(const admission&) = delete;
  admission& operator=(const admission&) = delete;

  /// The head of a valid upgrade request (RFC 6455 section 4.2.1), with the parameters of the route.
  const request& head() const noexcept { return data_.head; }

  /// Where the client is: behind trusted proxies what they say, else the other end of the connection.
  const peer_address& client() const noexcept { return data_.client; }

  /// Whether the client speaks TLS, with this server or with a trusted proxy.
  bool is_secure() const noexcept { return data_.is_secure; }

  /// What TLS agreed on with this server, and not with a proxy; empty without.
  const tls_details& tls() const noexcept { return data_.tls; }

  /// The sub-protocols that the client offers, its preferred one first. A page may put a token here, behind a name,
  /// for want of other fields: choose_subprotocol() the name, and the token is not sent back.
  std::span<const std::string_view> subprotocols() const noexcept { return data_.subprotocols; }

  /// For the timers and sockets of a check: what completes on it completes on the connection's thread.
  const asio::any_io_executor& executor() const noexcept { return data_.executor; }

  /// Who the client is; for session::user(). Such a session is never in session_state::authenticating.
  void set_user(std::string name) { data_.user = std::move(name); }
  const std::string& user() const noexcept { return data_.user; }

  /// The session's data, as by session::emplace_data().
  template <class T, class... Args>
  T& emplace_data(Args&&... args) {
    auto made = std::make_shared<T>(std::forward<Args>(args)...);
    T& data = *made;
    data_.data = std::move(made);
    data_.data_type = &typeid(T);
    return data;
  }

  /// Agrees on this sub-protocol, or with an empty name on none, in place of what session_options::subprotocols
  /// would choose. Throws std::invalid_argument when the client does not offer it.
  FAIRLEAD_DECL void choose_subprotocol(std::string_view name);

  /// Adds a field to the 101, such as a Set-Cookie. One that encode() refuses makes the answer a 500.
  void add_field(std::string name, std::string value) {
    data_.fields.push_back({std::move(name), std::move(value)});
  }

  /// The options of this session, at first those of the route, to be changed for this one alone. What they share,
  /// such as a budget, is shared still.
  FAIRLEAD_DECL session_options& options();

 private:
  detail::admission_data& data_;
};

/// What a check says: nothing lets the client go on to the next check, and behind the last one in; a response is sent
/// in place of the 101.
using verdict = std::optional<response>;

/// Refuses with that status and a line of text.
FAIRLEAD_DECL verdict refuse(http_status status, std::string_view why);

/// A check, which answers at once: `verdict(admission&)`; or after a while: `asio::awaitable<verdict>(admission&)`,
/// a coroutine on the connection's thread. One object for all connections, called on all threads.
///
/// What it throws becomes a 500, and reaches server::on_error() with an empty session. When the client goes, or the
/// handshake timeout passes, a coroutine is cancelled (asio::cancellation_type::terminal), and what it says then
/// is lost; the admission lives until it ends.
class admission_check {
 public:
  template <class Check>
  requires std::is_invocable_r_v<verdict, Check&, admission&> admission_check(Check check)
      : now_(std::move(check)) {}

  template <class Check>
  requires std::is_invocable_r_v<asio::awaitable<verdict>, Check&, admission&> admission_check(Check check)
      : later_(std::move(check)) {}

  bool is_immediate() const noexcept { return now_ != nullptr; }
  verdict now(admission& a) const { return now_(a); }
  asio::awaitable<verdict> later(admission& a) const { return later_(a); }

 private:
  std::function<verdict(admission&)> now_;
  std::function<asio::awaitable<verdict>(admission&)> later_;
};

namespace detail {

/// Who may come in, at one route or at all.
struct rule_set {
  std::optional<origin_policy> origins;
  std::vector<admission_check> checks;
  bool requires_user = false;
  bool is_sealed = false;
};

}  // namespace detail

/// Says who may come in: a handle to the rules of a route, or of a server. The origins come first, then the server's
/// checks, then the route's, each in the order in which they were added. Once the server listens every function
/// throws std::logic_error.
class admission_rules {
 public:
  explicit admission_rules(std::shared_ptr<detail::rule_set> rules) noexcept : rules_(std::move(rules)) {}

  /// From pages of which origins a browser may connect, so that no other page speaks in its user's name (RFC 6455
  /// section 10.2). The route's word replaces the server's, which is at first: the server's own origin alone.
  FAIRLEAD_DECL admission_rules& origins(origin_policy allowed);

  /// Adds a check.
  FAIRLEAD_DECL admission_rules& check(admission_check next);

  /// No session without a user: who comes through the checks and has none is refused with 401, unless the session
  /// is to say it itself (session_options::authentication_timeout). Where nothing could ever name the user, for want
  /// of a check, the server throws std::logic_error in place of listening.
  FAIRLEAD_DECL admission_rules& require_user();

 private:
  detail::rule_set& change();

  std::shared_ptr<detail::rule_set> rules_;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/server/impl/admission.ipp>
#endif

#endif

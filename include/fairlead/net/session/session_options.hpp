#ifndef FAIRLEAD_NET_SESSION_SESSION_OPTIONS_HPP
#define FAIRLEAD_NET_SESSION_SESSION_OPTIONS_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/permessage_deflate.hpp>
#include <fairlead/net/session/authenticator.hpp>
#include <fairlead/net/session/incoming_limits.hpp>
#include <fairlead/net/session/memory_budget.hpp>
#include <fairlead/net/session/session_statistics.hpp>
#include <fairlead/protocol/connection_options.hpp>
#include <fairlead/protocol/message.hpp>
#include <fairlead/time.hpp>
#include <fairlead/wire/close_code.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

/// How a session finds out that its peer is gone. Anything that arrives from the peer says that it lives; who is
/// silent is sent a ping (RFC 6455 section 5.5.2), and is gone when nothing comes in answer. Proxies on the way
/// forget connections on which nothing passes, many after 60 s.
struct heartbeat_options {
  /// Silence after which the peer is asked; duration::max() for never. Sessions ask at different moments: the
  /// first question comes earlier by a part of this time.
  duration interval = std::chrono::seconds(30);

  /// Silence after the question at which the link is given up: on_close says errc::peer_timeout. Does not pass
  /// while reading is paused.
  duration timeout = std::chrono::seconds(10);

  /// Sent in the lane for control in place of a ping, for peers that cannot see pings, as pages in a browser. Such
  /// a peer has to answer with a message of any kind. Nothing: pings.
  std::optional<message> question{};
};

/// Closes a session whose peer did not say in time who it is, or said it wrongly.
inline constexpr close_code authentication_failed{4001};

/// How the sessions of a route behave. The defaults suit a server on the open internet.
struct session_options {
  /// What is accepted from the peer.
  connection_options connection{};

  /// How many messages and bytes a second are accepted from the peer; off by default.
  incoming_limits incoming{};

  /// Whether and how messages are compressed; off unless `deflate.enabled`. What a session's compression costs
  /// in memory stands with its options. `connection.max_message_size` holds for what a message inflates to.
  deflate_options deflate{};

  /// Bytes waiting for the peer at which session::send() completes, on_drain is called and paused sources are read
  /// again. Lower it to hold less for each slow peer, raise it for throughput over long distances.
  std::size_t queue_low = 256 * 1024;

  /// Bytes of messages in the queue, some bookkeeping for each included, from which the policy of a message decides
  /// what becomes of it (message_class). At most `queue_hard`, whatever it says.
  std::size_t queue_high = 1024 * 1024;

  /// Most bytes of messages in the queue. One more message that has to be kept is dropped and the session closed
  /// with 1013, since a peer that does not read would cost memory without end. A single message is let into an
  /// empty queue whatever its size. Raise it where bursts to one session are larger.
  std::size_t queue_hard = 2 * 1024 * 1024;

  /// What the session's queue and unfinished input are charged to. Null: memory_budget::of_process().
  std::shared_ptr<memory_budget> budget{};

  /// The longest that a peer may take nothing of what waits for it; then the session is closed with 1013.
  duration write_timeout = std::chrono::seconds(30);

  /// The longest that a source may be held up by slow_policy::pause_source; then the slow receiver is closed with
  /// 1013, not the source.
  duration max_pause = std::chrono::seconds(30);

  /// Tells the peer how many messages it missed, and which: called when the queue has drained, if any were dropped
  /// since the last call; the message leaves in the lane for control. Empty: the peer is not told.
  std::function<message(const drop_counts&)> drop_notice{};

  /// Bytes of messages that wait for session::receive(), some bookkeeping for each included: at that many
  /// reading stops, at half it goes on. A single larger message is let in. Without effect with on_message.
  std::size_t inbox_size = 64 * 1024;

  heartbeat_options heartbeat{};

  /// No message either way, but those of the lane for control, for so long makes a session idle (session_state), which costs it nothing.
  duration idle_after = std::chrono::seconds(60);

  /// No message either way for so long closes a session with 1001. Only where the heartbeat is off: with it a
  /// silent peer is known to live.
  duration idle_timeout = std::chrono::minutes(5);

  /// Decides by a peer's first message who it is, such as first_message_token(). While it decides nothing is read. Then
  /// session::user() is the name, the peer is sent `authenticated_reply`, and what it sent behind the first message
  /// goes to the route; or it is sent `refused_reply`, and the session is closed with `authentication_failed`. The
  /// route's on_message, on_part, receive() and coroutine see no message of anybody else: a coroutine begins when its
  /// peer is known; on_open is called before. Who is known already when on_open calls session::set_user() is not asked.
  authenticator authenticate{};

  /// Text, or empty for no reply. Not copied: has to outlive the route's sessions, as a literal does.
  std::string_view authenticated_reply = R"({"type":"auth:ok"})";
  std::string_view refused_reply = R"({"type":"auth:fail"})";

  /// When it is not zero a session begins in session_state::authenticating and is closed with
  /// `authentication_failed` unless it is authenticated in time: by `authenticate`, or by session::set_user().
  /// Heartbeats do not extend it, nor does `authenticate` while it decides. Zero with `authenticate`: 15 s.
  duration authentication_timeout = duration::zero();

  /// Largest message of a peer that has not said who it is, in place of `connection.max_message_size` where that is
  /// more: a token needs little.
  std::size_t unauthenticated_message_size = 4 * 1024;

  /// The longest from the first byte of a message to its last; then the session is closed with 1008. Without
  /// effect with on_part, where no memory is held.
  duration message_timeout = std::chrono::seconds(30);

  /// Names of request fields that session::header() keeps, such as `User-Agent`.
  std::vector<std::string> kept_headers{};

  /// Sub-protocols that the route speaks, the preferred one first; the first that the client offers is agreed
  /// (RFC 6455 section 4.2.2). Empty: none.
  std::vector<std::string> subprotocols{};
};

}  // namespace fairlead

#endif

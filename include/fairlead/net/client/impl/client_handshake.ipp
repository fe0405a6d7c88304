#ifndef FAIRLEAD_NET_CLIENT_IMPL_CLIENT_HANDSHAKE_IPP
#define FAIRLEAD_NET_CLIENT_IMPL_CLIENT_HANDSHAKE_IPP

#include <fairlead/handshake/client_response.hpp>
#include <fairlead/handshake/detail/base64.hpp>
#include <fairlead/net/client/detail/client_handshake.hpp>
#include <fairlead/net/detail/random.hpp>
#include <fairlead/net/link/asio_link.hpp>
#include <fairlead/net/link/detail/asio_error.hpp>
#include <fairlead/net/link/detail/socket.hpp>
#include <fairlead/net/link/epoll_set.hpp>
#include <fairlead/net/link/tls_link.hpp>

#include <asio/local/stream_protocol.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// A fresh Sec-WebSocket-Key: 16 random bytes in base64 (RFC 6455 section 4.1).
inline std::string make_websocket_key() {
  std::array<unsigned char, 16> random;
  draw_random(std::as_writable_bytes(std::span(random)));
  return base64_encode(random);
}

FAIRLEAD_DECL void client_handshake::begin(event_loop& loop, std::shared_ptr<connect_attempt> attempt,
                                           const std::string& url, client_options options, connected done) {
  parsed_url parsed = parse_url(url);
  if (parsed.error != errc::ok) return done.post(parsed.error, core_ptr());
  if (!is_valid(options.session.deflate)) return done.post(errc::bad_argument, core_ptr());
  auto* const handshake = new client_handshake(loop, std::move(attempt), std::move(parsed.value),
                                               std::move(options), std::move(done));
  try {
    handshake->start();
  } catch (const std::system_error& e) {  // out of descriptors, no randomness, or no system authorities
    handshake->fail(plain_error(e.code()));
  }
}

FAIRLEAD_DECL client_handshake::client_handshake(event_loop& loop, std::shared_ptr<connect_attempt> attempt,
                                                 url where, client_options options, connected done)
    : loop_(loop),
      attempt_(std::move(attempt)),
      url_(std::move(where)),
      options_(std::move(options)),
      done_(std::move(done)),
      resolver_(loop.executor()),
      parser_(options_.head) {
  attempt_->handshake = this;
  loop_.add(*this);
}

FAIRLEAD_DECL client_handshake::~client_handshake() { attempt_->handshake = nullptr; }

FAIRLEAD_DECL void client_handshake::enter(connect_stage stage, duration limit) {
  stage_ = stage;
  loop_.schedule_in(*this, limit);
}

FAIRLEAD_DECL void client_handshake::start() {
  route_ = std::make_shared<session_route>(session_route{
      std::move(options_.callbacks), nullptr, options_.session, std::move(options_.on_error), options_.sink});
  key_ = make_websocket_key();
  extensions_ = offer_deflate(options_.session.deflate);
  host_field_ = url_.host_field();
  offer_ = {url_.target, host_field_, key_, route_->options.subprotocols, extensions_, options_.fields};
  // Before anybody is asked for anything.
  try {
    check_limits(route_->options.incoming);
  } catch (const std::invalid_argument&) {
    return fail(errc::bad_argument);
  }
  if (const errc refused = encode_upgrade_request(offer_).error; refused != errc::ok) return fail(refused);
  if (uses_proxy()) {
    if (const errc refused = connect_request().error; refused != errc::ok) return fail(refused);
  }

  if (!url_.local_path.empty()) {
    return connect_to({asio::local::stream_protocol::endpoint(url_.local_path)});
  }
  if (uses_proxy()) return resolve(options_.proxy->host, options_.proxy->port);
  resolve(url_.host, url_.port);
}

// --- Resolving and connecting.

FAIRLEAD_DECL void client_handshake::resolve(const std::string& host, std::uint16_t port) {
  std::error_code not_numeric;
  const auto address = asio::ip::make_address(host, not_numeric);
  if (!not_numeric) return connect_to({asio::ip::tcp::endpoint(address, port)});
  enter(connect_stage::resolve, options_.deadlines.resolve);
  resolver_.async_resolve(
      host, std::to_string(port), asio::ip::resolver_base::numeric_service,
      [attempt = attempt_](std::error_code ec, const asio::ip::tcp::resolver::results_type& found) {
        client_handshake* const self = attempt->handshake;
        if (self == nullptr || self->stage_ != connect_stage::resolve) return;
        if (ec) return self->fail(plain_error(ec));
        self->on_resolved(found);
      });
}

FAIRLEAD_DECL void client_handshake::on_resolved(const asio::ip::tcp::resolver::results_type& found) {
  std::vector<asio::ip::tcp::endpoint> all;
  for (const auto& entry : found) all.push_back(entry.endpoint());
  const std::vector<asio::ip::tcp::endpoint> ordered = in_turns(all);
  connect_to(std::vector<stream::endpoint>(ordered.begin(), ordered.end()));
}

FAIRLEAD_DECL void client_handshake::connect_to(std::vector<stream::endpoint> addresses) {
  enter(connect_stage::connect, options_.deadlines.connect);
  race_ = std::make_shared<address_race>(loop_, std::move(addresses),
                                         [this](std::error_code ec, stream::socket socket) {
                                           if (ec) return fail(ec);
                                           try {
                                             on_connected(std::move(socket));
                                           } catch (const std::system_error& e) {
                                             fail(plain_error(e.code()));
                                           }
                                         });
  race_->start();
}

FAIRLEAD_DECL void client_handshake::on_connected(stream::socket socket) {
  if (url_.local_path.empty()) set_no_delay(socket.native_handle());
  if (options_.link == link_kind::epoll && !loop_.is_shared()) {
    socket.native_non_blocking(true);
    link_ = asio::use_service<epoll_set>(loop_.context()).make_link(socket.release());
  } else {
    link_ = make_asio_link(std::move(socket));
  }
  if (uses_proxy()) return ask_proxy();
  if (url_.secure) return begin_tls();
  link_->start(*this);
  ask_server();
}

// --- Over the link.

FAIRLEAD_DECL encoded_request client_handshake::connect_request() const {
  return encode_connect_request(url_.authority(), options_.proxy->fields);
}

FAIRLEAD_DECL void client_handshake::ask_proxy() {
  enter(connect_stage::proxy, options_.deadlines.proxy);
  link_->start(*this);
  send(connect_request().bytes);
}

FAIRLEAD_DECL void client_handshake::on_proxy_head(const response_head& head, bool is_last) {
  const auto status = static_cast<unsigned>(head.status());
  if (head.status() == http_status::proxy_authentication_required)
    return fail(errc::proxy_authentication_required);
  if (status < 200 || status > 299) return fail(errc::proxy_refused);
  // Neither TLS nor WebSocket lets the server speak first, so what follows would be the proxy's own.
  if (!is_last) return fail(errc::bad_proxy_response);
  parser_ = response_parser(options_.head);
  if (url_.secure) return begin_tls();
  ask_server();
}

FAIRLEAD_DECL void client_handshake::begin_tls() {
  enter(connect_stage::tls, options_.deadlines.tls);
  const std::string host = url_.local_path.empty() ? url_.host : "localhost";
  link_ = make_tls_link(loop_.executor(), std::move(link_), options_.tls, host, url_.port);
  link_->start(*this);
  send(encode_upgrade_request(offer_).bytes);  // taken once the handshake is done
}

FAIRLEAD_DECL void client_handshake::ask_server() {
  enter(connect_stage::handshake, options_.deadlines.handshake);
  send(encode_upgrade_request(offer_).bytes);
}

FAIRLEAD_DECL void client_handshake::send(std::string bytes) {
  output_ = std::move(bytes);
  written_ = 0;
  write();
}

FAIRLEAD_DECL void client_handshake::write() {
  const std::array<std::span<const std::byte>, 1> gather{std::as_bytes(std::span(output_)).subspan(written_)};
  if (gather[0].empty()) return;
  const write_result result = link_->write(gather);
  if (result.error) return on_lost(result.error);
  written_ += result.size;
  if (stage_ == connect_stage::tls && result.size != 0)
    enter(connect_stage::handshake, options_.deadlines.handshake);
}

FAIRLEAD_DECL void client_handshake::on_bytes(std::span<std::byte> bytes) {
  const parse_result parsed = parser_.feed(bytes);
  if (parsed.state == parse_state::need_more) return;
  const std::span<std::byte> behind = bytes.subspan(parsed.consumed);
  if (stage_ != connect_stage::proxy) {
    if (parsed.state == parse_state::failed) return fail(parsed.error);
    return on_server_head(parser_.take(), behind);
  }
  if (parsed.state == parse_state::failed) return fail(errc::bad_proxy_response);
  try {
    on_proxy_head(parser_.take(), behind.empty());
  } catch (const std::system_error& e) {  // TLS that cannot begin
    fail(plain_error(e.code()));
  }
}

FAIRLEAD_DECL void client_handshake::on_server_head(response_head head, std::span<std::byte> behind) {
  if (options_.on_response) options_.on_response(head);
  const upgrade_agreement agreed = check_upgrade_response(head, offer_, route_->options.deflate);
  if (agreed.error) return fail(agreed.error);
  // The server's word is one of ours, which live as long as the session.
  const auto chosen = std::ranges::find(route_->options.subprotocols, agreed.subprotocol);
  const std::string_view subprotocol =
      chosen != route_->options.subprotocols.end() ? std::string_view(*chosen) : std::string_view();
  connected done = std::move(done_);
  auto* const core = new session_core(loop_, role::client, std::move(link_), std::move(route_), subprotocol);
  const core_ptr opened(core);
  end();  // the link has another sink from here on
  core->open_as_client(agreed.deflate ? &*agreed.deflate : nullptr, behind);
  done.post({}, opened);
}

// --- The end.

FAIRLEAD_DECL void client_handshake::on_timer(time_point) {
  switch (stage_) {
    case connect_stage::resolve: return fail(errc::resolve_timeout);
    case connect_stage::proxy: return fail(errc::proxy_timeout);
    case connect_stage::tls: return fail(errc::tls_timeout);
    case connect_stage::handshake: return fail(errc::handshake_timeout);
    default: return fail(errc::connect_timeout);
  }
}

// The link is gone; what it says itself is not more than that, but for TLS.
FAIRLEAD_DECL void client_handshake::on_lost(std::error_code ec) {
  if (ec == errc_condition::tls_failed) return fail(ec);
  switch (stage_) {
    case connect_stage::proxy: return fail(errc::proxy_lost);
    case connect_stage::tls: return fail(errc::tls_lost);
    default: return fail(errc::handshake_lost);
  }
}

FAIRLEAD_DECL void client_handshake::fail(std::error_code ec) {
  connected done = std::move(done_);
  end();
  done.post(ec, core_ptr());
}

FAIRLEAD_DECL void client_handshake::end() {
  loop_.cancel(*this);
  loop_.remove(*this);
  delete this;
}

FAIRLEAD_DECL void client_handshake::drop() noexcept { delete this; }

}  // namespace fairlead

#endif

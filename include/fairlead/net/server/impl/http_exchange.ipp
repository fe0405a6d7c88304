#ifndef FAIRLEAD_NET_SERVER_IMPL_HTTP_EXCHANGE_IPP
#define FAIRLEAD_NET_SERVER_IMPL_HTTP_EXCHANGE_IPP

#include <fairlead/handshake/permessage_deflate.hpp>
#include <fairlead/handshake/subprotocol.hpp>
#include <fairlead/handshake/upgrade.hpp>
#include <fairlead/net/server/detail/http_exchange.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

// To a client that a server which drains cannot take.
inline response elsewhere_response(std::chrono::milliseconds retry_after) {
  response answer = text_response(http_status::service_unavailable, "this server is restarting\n");
  const auto seconds =
      std::max(std::chrono::ceil<std::chrono::seconds>(retry_after).count(), std::int64_t{1});
  answer.add("Retry-After", std::to_string(seconds));
  return answer;
}

FAIRLEAD_DECL void http_exchange::begin(event_loop& loop, endpoint_group& server, link_ptr l,
                                        std::shared_ptr<const route_table> routes) {
  auto* const exchange = new http_exchange(loop, server, std::move(l), std::move(routes));
  try {
    exchange->link_->start(*exchange);
  } catch (const std::system_error&) {  // the system watches no more descriptors
    exchange->end();
  } catch (...) {
    exchange->end();
    throw;
  }
}

FAIRLEAD_DECL http_exchange::http_exchange(event_loop& loop, endpoint_group& server, link_ptr l,
                                           std::shared_ptr<const route_table> routes)
    : loop_(loop), link_(std::move(l)), routes_(std::move(routes)), parser_(routes_->head) {
  // From the accept, not from the last byte: who sends one byte now and then is not waited for.
  loop_.schedule_in(*this, routes_->handshake_timeout);
  loop_.add(*this, server);
}

FAIRLEAD_DECL void http_exchange::on_bytes(std::span<std::byte> bytes) {
  heard_ = true;
  if (responding_) {
    constexpr std::size_t max_discarded_size = 1024 * 1024;
    discarded_size_ += bytes.size();
    if (discarded_size_ > max_discarded_size) end();
    return;
  }
  parse_result parsed;
  response refusal;
  try {
    parsed = parser_.feed(bytes);
    if (parsed.state == parse_state::failed) refusal = error_response(parsed.error);
  } catch (const std::bad_alloc&) {  // so it is everywhere here: this connection ends, and no other
    return end();
  }
  switch (parsed.state) {
    case parse_state::need_more: return;
    case parse_state::failed: return respond(refusal, false);
    case parse_state::done: return on_head(bytes.subspan(parsed.consumed));
  }
}

FAIRLEAD_DECL void http_exchange::on_head(std::span<std::byte> behind) {
  request head = parser_.take();
  const bool head_only = head.method() == "HEAD";
  std::shared_ptr<const session_route> route;
  upgrade_request wanted;
  response answer;
  try {
    if (wants_upgrade(head) && group().leaving() != nullptr) {
      answer = elsewhere_response(group().leaving()->retry_after());
    } else if (wants_upgrade(head)) {
      route = routes_->find_session(head);
      wanted = check_upgrade(head);
      if (route == nullptr) {
        answer = text_response(http_status::not_found, "there is nothing here\n");
      } else if (wanted.error != errc::ok) {
        answer = error_response(wanted.error);
        route = nullptr;
      }
    } else {
      answer = routes_->answer(head);
    }
  } catch (const std::bad_alloc&) {
    return end();
  } catch (...) {
    answer = text_response(http_status::internal_server_error, "this went wrong on our side\n");
  }
  if (route != nullptr) return upgrade(std::move(route), wanted, std::move(head), behind);
  respond(answer, head_only);
}

FAIRLEAD_DECL void http_exchange::upgrade(std::shared_ptr<const session_route> route,
                                          const upgrade_request& wanted, request head,
                                          std::span<std::byte> behind) {
  std::string answer;
  std::optional<accepted_deflate> deflate;
  session_core* core = nullptr;
  try {
    const std::string_view subprotocol =
        choose_subprotocol(wanted.subprotocols, route->options.subprotocols).value_or(std::string_view());
    response accepted = upgrade_response(wanted.key, subprotocol);
    deflate = accept_deflate(wanted.extensions, route->options.deflate);
    if (deflate) accepted.add("Sec-WebSocket-Extensions", deflate->response);
    answer = encode(accepted).bytes;
    core = new session_core(loop_, role::server, std::move(link_), std::move(route), subprotocol);
  } catch (const std::bad_alloc&) {
    return end();
  }
  endpoint_group& server = group();
  end();  // the link has another sink from here on
  try {
    core->open(server, answer, deflate ? &deflate->params : nullptr, std::move(head), behind);
  } catch (const std::exception&) {
    // Out of memory, or the link cannot be watched: its turn has ended it.
  }
}

FAIRLEAD_DECL void http_exchange::respond(const response& answer, bool head_only) {
  try {
    encoded_response encoded = encode(answer, head_only);
    if (encoded.error != errc::ok) {  // a handler's answer that must not go on the wire
      encoded = encode(text_response(http_status::internal_server_error, "this went wrong on our side\n"),
                       head_only);
    }
    output_ = std::move(encoded.bytes);
  } catch (const std::bad_alloc&) {
    return end();
  }
  responding_ = true;
  loop_.schedule_in(*this, routes_->handshake_timeout);
  write();
}

FAIRLEAD_DECL void http_exchange::write() {
  const auto rest = std::as_bytes(std::span(output_)).subspan(written_);
  const std::array<std::span<const std::byte>, 1> gather{rest};
  const write_result written = link_->write(gather);
  if (written.error) return end();
  written_ += written.size;
  if (written_ < output_.size()) {
    if (written.size != 0) loop_.schedule_in(*this, routes_->handshake_timeout);
    return;
  }
  // Read what still comes until the peer closes: a reset for unread bytes could overtake the answer.
  link_->shutdown_sending();
  if (at_eof_) return end();
  loop_.schedule_in(*this, routes_->close_timeout);
}

FAIRLEAD_DECL void http_exchange::on_writable() { write(); }

FAIRLEAD_DECL void http_exchange::on_eof() {
  at_eof_ = true;
  if (!responding_ || written_ == output_.size()) end();
}

FAIRLEAD_DECL void http_exchange::stop() {
  if (!responding_ || written_ == output_.size()) end();
}

// A browser opens connections before it has anything to ask, and leaves them open.
FAIRLEAD_DECL void http_exchange::last_call() {
  if (!heard_)
    loop_.schedule_in(*this, std::min<duration>(routes_->handshake_timeout, std::chrono::seconds(1)));
}

FAIRLEAD_DECL void http_exchange::end() {
  loop_.cancel(*this);
  loop_.remove(*this);
  delete this;
}

FAIRLEAD_DECL void http_exchange::drop() noexcept { delete this; }

}  // namespace fairlead

#endif

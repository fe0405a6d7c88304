#ifndef FAIRLEAD_NET_SERVER_IMPL_HTTP_EXCHANGE_IPP
#define FAIRLEAD_NET_SERVER_IMPL_HTTP_EXCHANGE_IPP

#include <fairlead/handshake/permessage_deflate.hpp>
#include <fairlead/handshake/subprotocol.hpp>
#include <fairlead/handshake/upgrade.hpp>
#include <fairlead/net/server/detail/http_exchange.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <new>
#include <optional>
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

inline response our_fault() {
  return text_response(http_status::internal_server_error, "this went wrong on our side\n");
}

// --- Its begin.

FAIRLEAD_DECL void http_exchange::begin(event_loop& loop, endpoint_group& server, link_ptr l,
                                        std::shared_ptr<const route_table> routes, counted_ptr place) {
  auto* const exchange = new http_exchange(loop, server, std::move(l), std::move(routes), std::move(place));
  try {
    exchange->link_->start(*exchange);
  } catch (const std::system_error&) {  // the system watches no more descriptors
    exchange->end();
  } catch (...) {
    exchange->end();
    throw;
  }
}

FAIRLEAD_DECL void http_exchange::begin_refused(event_loop& loop, endpoint_group& server, link_ptr l,
                                                std::shared_ptr<const route_table> routes, counted_ptr place,
                                                refusal why) {
  auto* const exchange = new http_exchange(loop, server, std::move(l), std::move(routes), std::move(place));
  exchange->or_end([&] {
    exchange->link_->start(*exchange);
    exchange->refuse(why, limit_response(why));
  });
}

FAIRLEAD_DECL http_exchange::http_exchange(event_loop& loop, endpoint_group& server, link_ptr l,
                                           std::shared_ptr<const route_table> routes, counted_ptr place)
    : loop_(loop),
      link_(std::move(l)),
      routes_(std::move(routes)),
      place_(std::move(place)),
      parser_(routes_->head) {
  // From the accept, not from the last byte: who sends one byte now and then is not waited for.
  loop_.schedule_in(*this, routes_->handshake_timeout);
  loop_.add(*this, server);
}

// Without memory this connection ends, and no other. Whatever `f` ends it has not begun to end when it throws.
template <class Function>
void http_exchange::or_end(Function f) {
  try {
    f();
  } catch (const std::bad_alloc&) {
    end();
  } catch (const std::system_error&) {  // the system watches no more descriptors
    end();
  }
}

// --- From the link.

FAIRLEAD_DECL void http_exchange::on_bytes(std::span<std::byte> bytes) {
  or_end([&] {
    switch (stage_) {
      case stage::reading: return read(bytes);
      case stage::deciding: return keep(bytes);
      case stage::responding: return discard(bytes);
    }
  });
}

FAIRLEAD_DECL void http_exchange::on_writable() {
  if (stage_ == stage::responding) write();
}

FAIRLEAD_DECL void http_exchange::on_eof() {
  at_eof_ = true;
  if (stage_ != stage::responding || has_answered()) end();
}

FAIRLEAD_DECL void http_exchange::on_link_error(std::error_code ec) {
  if (ec == errc::bad_proxy_header) {
    loop_.counters().count(refusal::proxy_header);
  } else if (ec == errc_condition::tls_failed) {
    loop_.counters().count(refusal::tls);
  }
  end();
}

FAIRLEAD_DECL void http_exchange::on_timer(time_point) {
  if (stage_ == stage::responding) return end();
  if (stage_ == stage::reading) {
    loop_.counters().count(refusal::slow_handshake);
    return end();
  }
  or_end([&] {
    refuse(refusal::slow_handshake,
           text_response(http_status::service_unavailable, "it took too long to let you in\n"));
  });
}

// --- The request.

FAIRLEAD_DECL void http_exchange::read(std::span<std::byte> bytes) {
  const parse_result parsed = parser_.feed(bytes);
  if (parsed.state == parse_state::need_more) return;
  if (parsed.state == parse_state::failed) {
    const bool is_too_large = parsed.error == errc::head_too_large;
    return refuse(is_too_large ? refusal::head_too_large : refusal::bad_request,
                  error_response(parsed.error));
  }
  request head = parser_.take();
  departure* const leaving = group().leaving();
  if (leaving != nullptr && wants_upgrade(head)) {
    return refuse(refusal::leaving, elsewhere_response(leaving->retry_after()));
  }
  if (wants_upgrade(head)) return begin_upgrade(std::move(head), bytes.subspan(parsed.consumed));
  answer(std::move(head));
}

FAIRLEAD_DECL void http_exchange::discard(std::span<std::byte> bytes) {
  constexpr std::size_t max_discarded_size = 1024 * 1024;
  discarded_size_ += bytes.size();
  if (discarded_size_ > max_discarded_size) end();
}

FAIRLEAD_DECL void http_exchange::answer(request head) {
  const bool head_only = head.method() == "HEAD";
  response made;
  try {
    made = routes_->answer(head);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    made = our_fault();
  }
  respond(made, head_only);
}

// --- The upgrade.

FAIRLEAD_DECL void http_exchange::begin_upgrade(request head, std::span<std::byte> behind) {
  const route_table::session_entry* const entry = routes_->find_session(head);
  if (entry == nullptr) {
    return refuse(refusal::not_found, text_response(http_status::not_found, "there is nothing here\n"));
  }
  upgrade_request wanted = check_upgrade(head);
  if (wanted.error != errc::ok) return refuse(refusal::bad_request, error_response(wanted.error));
  const client_side client = routes_->proxies.client_of(link_->peer(), link_->is_secure(), head.fields());
  attempt_ = std::make_shared<attempt>();
  attempt_->exchange = this;
  attempt_->routes = routes_;
  attempt_->entry = entry;
  attempt_->wanted = std::move(wanted);
  attempt_->data.head = std::move(head);
  attempt_->data.client = client.address;
  attempt_->data.is_secure = client.secure;
  if (!may_come(*attempt_)) return;
  if (!behind.empty()) unread_.append(behind);
  decide();
}

// What needs no check of the application's. False when it is refused.
FAIRLEAD_DECL bool http_exchange::may_come(attempt& a) {
  if (place_ != nullptr) {
    if (const auto why = place_->identify(a.data.client, loop_.now())) {
      refuse(*why, limit_response(*why));
      return false;
    }
  }
  const auto& of_route = a.entry->rules->origins;
  const auto& of_server = routes_->rules->origins;
  const origin_policy own_origin;
  const origin_policy& policy = of_route ? *of_route : of_server ? *of_server : own_origin;
  const origin_verdict origin = policy.check(a.data.head, a.data.is_secure);
  if (origin == origin_verdict::allowed) return true;
  refuse(refusal::origin,
         text_response(http_status::forbidden,
                       origin_policy::explain(origin, a.data.head, a.data.is_secure).append("\n")));
  return false;
}

FAIRLEAD_DECL const admission_check* http_exchange::attempt::check(std::size_t number) const noexcept {
  const auto& of_server = routes->rules->checks;
  if (number < of_server.size()) return &of_server[number];
  const auto& of_route = entry->rules->checks;
  number -= of_server.size();
  return number < of_route.size() ? &of_route[number] : nullptr;
}

FAIRLEAD_DECL void http_exchange::attempt::report(std::exception_ptr error) const noexcept {
  if (!entry->route->on_error) return;
  try {
    entry->route->on_error(session(), error);
  } catch (...) {  // there is nobody left to tell
  }
}

FAIRLEAD_DECL void http_exchange::decide() {
  admission_data& data = attempt_->data;
  if (attempt_->check(0) != nullptr) {
    data.tls = link_->tls();
    data.subprotocols = attempt_->wanted.subprotocols;
    data.executor = loop_.executor();
    data.route_options = &attempt_->entry->route->options;
  }
  for (std::size_t i = 0; const admission_check* const check = attempt_->check(i); ++i) {
    if (!check->is_immediate()) return decide_later(i);
    verdict v;
    try {
      admission a(data);
      v = check->now(a);
    } catch (const std::bad_alloc&) {
      throw;
    } catch (...) {
      attempt_->report(std::current_exception());
      v = our_fault();
    }
    if (v) return refuse(refusal::check, *v);
  }
  upgrade();
}

FAIRLEAD_DECL asio::awaitable<void> http_exchange::run_checks(std::shared_ptr<attempt> a, std::size_t first) {
  admission asked(a->data);
  for (std::size_t i = first; const admission_check* const check = a->check(i); ++i) {
    if (check->is_immediate()) {
      a->answer = check->now(asked);
    } else {
      a->answer = co_await check->later(asked);
    }
    if (a->answer) co_return;
  }
}

FAIRLEAD_DECL void http_exchange::decide_later(std::size_t first) {
  stage_ = stage::deciding;
  const auto a = attempt_;
  asio::co_spawn(loop_.executor(), run_checks(a, first),
                 asio::bind_cancellation_slot(a->cancelled.slot(), [a](std::exception_ptr error) {
                   if (a->exchange != nullptr) a->exchange->on_verdict(error);
                 }));
  // Maybe it is decided already, and this is gone.
}

FAIRLEAD_DECL void http_exchange::on_verdict(std::exception_ptr error) {
  or_end([&] {
    if (error) {
      attempt_->report(error);
      return refuse(refusal::check, our_fault());
    }
    if (const verdict v = std::move(attempt_->answer)) return refuse(refusal::check, *v);
    upgrade();
  });
}

// Frames that come before the answer: the client need not send any, so few are kept, and then it waits.
FAIRLEAD_DECL void http_exchange::keep(std::span<std::byte> bytes) {
  constexpr std::size_t max_unread_size = 16 * 1024;
  unread_.append(bytes);
  if (unread_.size() < max_unread_size || std::exchange(reading_paused_, true)) return;
  link_->pause_reading();
}

FAIRLEAD_DECL void http_exchange::upgrade() {
  admission_data& data = attempt_->data;
  std::shared_ptr<const session_route> route = attempt_->entry->route;
  const bool requires_user = attempt_->entry->rules->requires_user || routes_->rules->requires_user;
  session_options varied;
  if (data.options || data.subprotocol) {
    varied = data.options ? std::move(*data.options) : route->options;
    if (data.subprotocol) varied.subprotocols.assign(data.subprotocol->empty() ? 0 : 1, *data.subprotocol);
    if (!is_valid(varied.deflate)) return refuse(refusal::check, our_fault());
    route = with_options(std::move(route), std::move(varied));
  }
  if (requires_user && data.user.empty() && !may_authenticate(route->options)) {
    return refuse(refusal::check,
                  text_response(http_status::unauthorized, "say who you are to come in here\n"));
  }
  const std::string_view subprotocol =
      choose_subprotocol(attempt_->wanted.subprotocols, route->options.subprotocols)
          .value_or(std::string_view());
  response accepted = upgrade_response(attempt_->wanted.key, subprotocol);
  const auto deflate = accept_deflate(attempt_->wanted.extensions, route->options.deflate);
  if (deflate) accepted.add("Sec-WebSocket-Extensions", deflate->response);
  for (header_field& field : data.fields) accepted.add(std::move(field.name), std::move(field.value));
  const encoded_response answer = encode(accepted);
  if (answer.error != errc::ok) return refuse(refusal::check, our_fault());

  if (std::exchange(reading_paused_, false)) link_->resume_reading();
  auto* const core = new session_core(loop_, role::server, std::move(link_), std::move(route), subprotocol);
  const auto a = std::move(attempt_);
  growing_bytes unread = std::move(unread_);
  core->take_place(std::move(place_));
  endpoint_group& server = group();
  end();  // the link has another sink from here on
  try {
    known_peer peer{a->data.client, std::move(a->data.user), std::move(a->data.data), a->data.data_type};
    core->open(server, answer.bytes, deflate ? &deflate->params : nullptr, std::move(a->data.head),
               std::move(peer), unread.bytes());
  } catch (const std::exception&) {
    // Out of memory, or the link cannot be watched: its turn has ended it.
  }
}

// --- The answer.

FAIRLEAD_DECL void http_exchange::refuse(refusal why, const response& answer) {
  loop_.counters().count(why);
  respond(answer, false);
}

FAIRLEAD_DECL void http_exchange::respond(const response& answer, bool head_only) {
  encoded_response encoded = encode(answer, head_only);
  if (encoded.error != errc::ok) encoded = encode(our_fault(), head_only);  // it must not go on the wire
  output_ = std::move(encoded.bytes);
  stage_ = stage::responding;
  forget_attempt();
  unread_.clear();
  if (std::exchange(reading_paused_, false)) link_->resume_reading();
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

// --- Its end.

FAIRLEAD_DECL void http_exchange::stop() {
  if (stage_ != stage::responding) {
    loop_.counters().count(refusal::leaving);
    return end();
  }
  if (has_answered()) end();
}

// A check that still runs is told that nobody waits for it.
FAIRLEAD_DECL void http_exchange::forget_attempt() noexcept {
  const auto a = std::move(attempt_);
  if (a == nullptr) return;
  a->exchange = nullptr;
  a->cancelled.emit(asio::cancellation_type::terminal);
}

// A browser opens connections before it has anything to ask, and leaves them open; others never end what they begin.
FAIRLEAD_DECL void http_exchange::last_call() {
  if (stage_ != stage::responding)
    loop_.schedule_in(*this, std::min<duration>(routes_->handshake_timeout, std::chrono::seconds(1)));
}

FAIRLEAD_DECL void http_exchange::end() {
  forget_attempt();
  loop_.cancel(*this);
  loop_.remove(*this);
  delete this;
}

FAIRLEAD_DECL void http_exchange::drop() noexcept {
  if (attempt_ != nullptr) attempt_->exchange = nullptr;
  delete this;
}

}  // namespace fairlead

#endif

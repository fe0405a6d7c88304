#include "link_peer.hpp"

#include <array>
#include <utility>

namespace conformance {

fairlead::handlers echo() {
  fairlead::handlers callbacks;
  callbacks.on_message = [](fairlead::session& ws, fairlead::message_view m) { ws.try_send(m); };
  return callbacks;
}

fairlead::session_options raised_limits() {
  fairlead::session_options options;
  options.deflate.enabled = true;
  options.deflate.send_takeover = true;
  options.deflate.receive_takeover = true;
  options.deflate.min_size = 1;
  options.connection.max_message_size = 16 * 1024 * 1024;
  options.connection.max_fragments = 100'000;
  options.connection.max_fragments_per_second = 10'000'000;
  return options;
}

void link_peer::give(std::string_view bytes) {
  auto left = std::as_bytes(std::span(bytes));
  bool was_full = false;
  while (!left.empty() && !is_broken_) {
    const std::array gather{std::span<const std::byte>(left)};
    const fairlead::write_result written = link_->write(gather);
    const bool is_full = written.size == 0;
    // Full after the peer could run is full for good: it has stopped reading.
    is_broken_ = is_broken_ || written.error || (was_full && is_full);
    was_full = is_full;
    left = left.subspan(written.size);
    run();
  }
}

void link_peer::give_end() {
  link_->shutdown_sending();
  run();
}

std::string link_peer::take() {
  run();
  return std::exchange(sent_, {});
}

void link_peer::start(fairlead::link_ptr testers_end) {
  link_ = std::move(testers_end);
  link_->start(*this);
}

void link_peer::run() {
  context_.restart();
  while (context_.poll() != 0) context_.restart();
}

void link_peer::on_bytes(std::span<std::byte> bytes) {
  sent_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace conformance

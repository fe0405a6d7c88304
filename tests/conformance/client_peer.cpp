#include "peer.hpp"

#include <fairlead/protocol/connection.hpp>

#include <algorithm>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace conformance {
namespace {

fairlead::deflate_options every_message() {
  fairlead::deflate_options options;
  options.enabled = true;
  options.send_takeover = true;
  options.receive_takeover = true;
  options.min_size = 1;
  return options;
}

std::string request(const fairlead::deflate_options& deflate) {
  return "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Extensions: " +
         fairlead::offer_deflate(deflate) + "\r\n\r\n";
}

fairlead::connection_options raised_limits() {
  fairlead::connection_options options;
  options.max_message_size = 16 * 1024 * 1024;
  options.max_fragments = 100'000;
  options.max_fragments_per_second = 10'000'000;
  return options;
}

class client_peer final : public peer, private fairlead::event_sink, private fairlead::mask_key_source {
 public:
  explicit client_peer(delivery d)
      : delivery_(d),
        options_(raised_limits()),
        connection_(fairlead::role::client, options_, workspace_, this),
        sent_(request(deflate_)) {}

  void give(std::string_view bytes) override {
    bytes = read_head(bytes);
    while (!bytes.empty()) {
      std::string_view piece = bytes.substr(0, delivery_ == delivery::bytewise ? 1 : bytes.size());
      const std::span<std::byte> room = connection_.payload_room();
      if (!room.empty()) piece = piece.substr(0, room.size());
      bytes.remove_prefix(piece.size());
      receive(piece, room);
    }
  }

  void give_end() override {
    connection_.receive_eof(*this);
    write();
    is_gone_ = true;
  }

  std::string take() override { return std::exchange(sent_, {}); }
  bool has_ended() const override { return is_gone_ || connection_.wants_shutdown(); }
  bool is_gone() const override { return is_gone_; }

 private:
  // What is left behind the head of the response.
  std::string_view read_head(std::string_view bytes) {
    while (!bytes.empty() && !head_.ends_with("\r\n\r\n")) {
      head_ += bytes.front();
      bytes.remove_prefix(1);
      if (head_.ends_with("\r\n\r\n")) agree();
    }
    return bytes;
  }

  // The head is that of the tester, which is known to be well-formed.
  void agree() {
    constexpr std::string_view name = "Sec-WebSocket-Extensions: ";
    const std::size_t begin = head_.find(name);
    if (begin == std::string::npos) return;
    const std::string value =
        head_.substr(begin + name.size(), head_.find("\r\n", begin) - begin - name.size());
    const fairlead::http_field field{name.substr(0, name.find(':')), value};
    const auto response = fairlead::parse_extensions({&field, 1});
    const auto agreed = fairlead::check_deflate_response(response.extensions, deflate_);
    if (response.error != fairlead::errc::ok || !agreed.params) {
      throw std::runtime_error("fairlead's client does not take the extension in " + head_);
    }
    connection_.enable_deflate(*agreed.params, deflate_, compression_);
  }

  void receive(std::string_view piece, std::span<std::byte> room) {
    buffer_.resize(std::max(buffer_.size(), piece.size()));
    const std::span<std::byte> place = room.empty() ? std::span(buffer_) : room;
    std::memcpy(place.data(), piece.data(), piece.size());
    connection_.receive(place.first(piece.size()), {}, *this);
    write();
    connection_.settle();
  }

  void write() {
    for (const auto bytes : connection_.output()) {
      sent_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    connection_.consume(connection_.output_size());
  }

  fairlead::flow on_message(fairlead::message_view m) override {
    write();  // makes room for the reply
    connection_.send(m);
    return fairlead::flow::proceed;
  }
  void on_ping(std::span<const std::byte>) override {}
  void on_pong(std::span<const std::byte>) override {}
  void on_close(fairlead::close_code, std::string_view) override {}
  void on_failure(fairlead::errc, fairlead::close_code) override {}

  fairlead::mask_key next() override {
    key_ = key_ * 1'664'525 + 1'013'904'223;
    fairlead::mask_key key;
    std::memcpy(key.data(), &key_, key.size());
    return key;
  }

  const delivery delivery_;
  const fairlead::connection_options options_;
  const fairlead::deflate_options deflate_ = every_message();
  fairlead::output_workspace workspace_;
  fairlead::compression_workspace compression_;
  fairlead::connection connection_;
  std::string head_;
  std::string sent_;
  std::vector<std::byte> buffer_;
  std::uint32_t key_ = 0x12345678;
  bool is_gone_ = false;
};

}  // namespace

peer_kind fairlead_client() {
  return {side::client, "", [](delivery d) { return std::make_unique<client_peer>(d); }};
}

}  // namespace conformance

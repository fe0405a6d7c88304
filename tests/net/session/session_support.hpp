#ifndef FAIRLEAD_TESTS_NET_SESSION_SESSION_SUPPORT_HPP
#define FAIRLEAD_TESTS_NET_SESSION_SESSION_SUPPORT_HPP

#include <fairlead/handshake/permessage_deflate.hpp>
#include <fairlead/net/link/asio_link.hpp>
#include <fairlead/net/link/memory_link.hpp>
#include <fairlead/net/link/tls_link.hpp>
#include <fairlead/net/server/server.hpp>
#include <fairlead/protocol/connection.hpp>

#include <support/certificates.hpp>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
// GCC 12 takes the allocator in there, which has no members, for one that is used before it is set.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <asio/use_future.hpp>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>

// A server, its clients and the context that both run on, for tests that drive it by hand.
namespace net_test {

using namespace fairlead;
using namespace std::chrono_literals;

/// Longer than anything here takes, even under a sanitizer on a busy machine.
inline constexpr auto patience = 20s;

/// What is below a session.
enum class link_form { memory, epoll, asio, tls };  // TLS is in memory

inline std::ostream& operator<<(std::ostream& out, link_form f) {
  return out << std::array{"memory", "epoll", "asio", "TLS"}[static_cast<std::size_t>(f)];
}

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// One frame as a client sends it, or, unmasked, as a client must not. `first_byte` is FIN, RSV and opcode.
inline std::string frame(unsigned first_byte, std::string_view payload, bool masked = true) {
  std::string out(1, static_cast<char>(first_byte));
  const unsigned mask_bit = masked ? 0x80u : 0u;
  const auto append_size = [&](int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
      out += static_cast<char>((std::uint64_t{payload.size()} >> shift) & 0xff);
    }
  };
  if (payload.size() < 126) {
    out += static_cast<char>(mask_bit | payload.size());
  } else if (payload.size() < 65'536) {
    out += static_cast<char>(mask_bit | 126u);
    append_size(2);
  } else {
    out += static_cast<char>(mask_bit | 127u);
    append_size(8);
  }
  if (!masked) return out.append(payload);
  constexpr std::string_view key = "\x11\x22\x33\x44";
  out += key;
  for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}

inline std::string text_frame(std::string_view payload) { return frame(0x81, payload); }

inline std::string close_frame(unsigned code) {
  const std::array payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  return frame(0x88, {payload.data(), payload.size()});
}

/// A client's handshake; `fields` are whole lines.
inline std::string upgrade_request_for(std::string_view target, std::string_view fields = {}) {
  return "GET " + std::string(target) +
         " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
         std::string(fields) + "\r\n";
}

/// The value of a field in the head of an answer; empty when it is not there.
inline std::string field_in(std::string_view head, std::string_view name) {
  const std::string start = "\r\n" + std::string(name) + ": ";
  const auto at = head.find(start);
  if (at == std::string_view::npos) return {};
  const auto begin = at + start.size();
  return std::string(head.substr(begin, head.find("\r\n", begin) - begin));
}

/// The other end of a connection: the protocol in the client's role over a link, and what became of it.
class client final : private link_sink, private event_sink, private mask_key_source {
 public:
  struct close_seen {
    close_code code;
    std::string reason;
  };

  explicit client(link_ptr l, int descriptor = -1)
      : connection_(role::client, options_, workspace_, this), descriptor_(descriptor), link_(std::move(l)) {
    options_.max_message_size = 1024 * 1024 * 1024;
    options_.max_control_frames_per_second = 1'000'000;
    link_->start(*this);
  }

  // What was seen so far.
  std::string head;  ///< Of the answer, with its empty line.
  std::string body;  ///< What came behind it when the answer was no upgrade.
  std::vector<message> messages;
  std::size_t pings = 0;
  std::vector<std::string> pongs;
  std::optional<close_seen> closed;
  std::optional<errc> failure;
  bool eof = false;
  bool broken = false;
  bool upgraded = false;

  /// Bytes of frames that were sent.
  std::size_t framed_size = 0;

  /// Never answers a close frame and keeps the link open.
  bool is_stubborn = false;

  /// Answers nothing, be it a ping or a close; what write() is given is sent.
  bool is_mute = false;

  /// To be set before upgrade().
  deflate_options deflate;

  int status() const { return head.size() < 12 ? 0 : std::stoi(head.substr(9, 3)); }
  bool is_over() const { return eof || broken; }
  bool is_gone() const { return link_ == nullptr; }
  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const message& m : messages) all.emplace_back(m.text());
    return all;
  }

  /// Sends these bytes as they are, in one piece.
  void write(std::string_view bytes) {
    unsent_ += bytes;
    flush();
  }

  void upgrade(std::string_view target = "/", std::string_view fields = {}) {
    std::string offer = deflate.enabled ? "Sec-WebSocket-Extensions: " + offer_deflate(deflate) + "\r\n" : "";
    write(upgrade_request_for(target, offer.append(fields)));
  }

  /// Nothing once the connection is closed.
  void send(message_view m) {
    if (!connection_.writable()) return;
    connection_.send(m);
    drain();
  }

  void close(close_code code = close_code::normal, std::string_view reason = {}) {
    static_cast<void>(connection_.close(code, reason, clock::now()));
    drain();
  }

  void pause() { link_->pause_reading(); }
  void resume() { link_->resume_reading(); }
  void half_close() { link_->shutdown_sending(); }

  /// Goes without a close frame.
  void hang_up() { link_.reset(); }

  /// Goes with a reset. TCP only.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    link_.reset();
  }

 private:
  std::span<std::byte> read_room() override { return {}; }

  void on_bytes(std::span<std::byte> bytes) override {
    if (!upgraded) {
      bytes = take_head(bytes);
      if (!upgraded) {
        body += text_of(bytes);
        return;
      }
    }
    connection_.receive(bytes, clock::now(), *this);
    drain();
  }

  // What is left behind the head.
  std::span<std::byte> take_head(std::span<std::byte> bytes) {
    while (!bytes.empty() && !head.ends_with("\r\n\r\n")) {
      head += static_cast<char>(bytes.front());
      bytes = bytes.subspan(1);
    }
    upgraded = head.ends_with("\r\n\r\n") && status() == 101;
    if (upgraded) agree();
    return bytes;
  }

  void agree() {
    const std::string answered = field_in(head, "Sec-WebSocket-Extensions");
    if (answered.empty()) return;
    const http_field named{"Sec-WebSocket-Extensions", answered};
    const auto agreement = check_deflate_response(parse_extensions({&named, 1}).extensions, deflate);
    if (agreement.params) connection_.enable_deflate(*agreement.params, deflate, compression_);
  }

  void on_writable() override { flush(); }

  void on_eof() override {
    eof = true;
    if (!is_stubborn) link_.reset();
  }

  void on_link_error(std::error_code) override {
    broken = true;
    link_.reset();
  }

  flow on_message(message_view m) override {
    messages.push_back(m.keep());
    return flow::proceed;
  }
  void on_ping(std::span<const std::byte>) override { ++pings; }
  void on_pong(std::span<const std::byte> payload) override { pongs.push_back(text_of(payload)); }
  void on_close(close_code code, std::string_view reason) override {
    closed = close_seen{code, std::string(reason)};
  }
  void on_failure(errc why, close_code) override { failure = why; }
  mask_key next() override { return {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}}; }

  void drain() {
    if (!is_mute && !(is_stubborn && closed)) {
      for (const auto piece : connection_.output()) unsent_ += text_of(piece);
    }
    framed_size += connection_.output_size();
    connection_.consume(connection_.output_size());
    connection_.settle();
    flush();
  }

  void flush() {
    if (link_ == nullptr || unsent_.empty()) return;
    const std::array gather{std::as_bytes(std::span(unsent_))};
    const write_result written = link_->write(gather);
    if (written.error) {
      broken = true;
      return link_.reset();
    }
    unsent_.erase(0, written.size);
  }

  connection_options options_;
  output_workspace workspace_;
  compression_workspace compression_;
  connection connection_;
  int descriptor_;
  std::string unsent_;
  link_ptr link_;
};

/// What passed through a counting link.
struct link_counts {
  std::size_t writes = 0;
  std::size_t written_size = 0;
  std::size_t pauses = 0;
  std::size_t resumes = 0;
};

/// Passes everything on to another link and counts it.
class counting_link final : public link {
 public:
  static link_ptr make(link_ptr inner, link_counts& counts) {
    return link_ptr(new counting_link(std::move(inner), counts));
  }

  void start(link_sink& sink) override { inner_->start(sink); }
  write_result write(std::span<const std::span<const std::byte>> gather) override {
    const write_result result = inner_->write(gather);
    ++counts_.writes;
    counts_.written_size += result.size;
    return result;
  }
  void notify_writable() override { inner_->notify_writable(); }
  void pause_reading() override {
    ++counts_.pauses;
    inner_->pause_reading();
  }
  void resume_reading() override {
    ++counts_.resumes;
    inner_->resume_reading();
  }
  void shutdown_sending() override { inner_->shutdown_sending(); }
  void close() noexcept override { delete this; }

 private:
  counting_link(link_ptr inner, link_counts& counts) : inner_(std::move(inner)), counts_(counts) {}

  link_ptr inner_;
  link_counts& counts_;
};

/// A server on a context of its own, run by the test.
class stage {
 public:
  explicit stage(link_form f = link_form::memory, server_options options = {})
      : form(f), owned_context_(std::make_unique<asio::io_context>(1)), context(*owned_context_) {
    options.address = "127.0.0.1";
    options.link = f == link_form::asio ? link_kind::asio : link_kind::epoll;
    if (f == link_form::tls) options.tls = certificates::usual::instance().server();
    owned_server_ = std::make_unique<fairlead::server>(context, std::move(options));
    work_.emplace(context.get_executor());
  }

  const link_form form;

 private:
  std::unique_ptr<asio::io_context> owned_context_;
  std::unique_ptr<fairlead::server> owned_server_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;

 public:
  asio::io_context& context;
  fairlead::server& server() { return *owned_server_; }

  /// Runs handlers until `done` says so; false when that takes too long.
  template <class Condition>
  bool run_until(Condition done) {
    const time_point give_up = clock::now() + patience;
    while (!done()) {
      if (clock::now() > give_up) return false;
      context.restart();
      context.run_one_for(10ms);
    }
    return true;
  }

  /// Runs everything that is ready, and what becomes ready by it. Over TCP that is what the kernel has by
  /// now.
  void run_ready() {
    context.restart();
    while (context.poll() != 0) context.restart();
  }

  /// A client that has said nothing yet. The server's end passes through `counts` when it is given (memory
  /// only).
  std::unique_ptr<client> connect(link_counts* counts = nullptr, std::size_t capacity = 256 * 1024) {
    if (form == link_form::memory || form == link_form::tls) {
      auto [ours, theirs] = make_memory_pair(context.get_executor(), capacity);
      if (counts != nullptr) ours = counting_link::make(std::move(ours), *counts);
      server().serve(std::move(ours));
      if (form == link_form::tls) {
        theirs = make_tls_link(context.get_executor(), std::move(theirs),
                               certificates::usual::instance().client(), "localhost", 443);
      }
      return std::make_unique<client>(std::move(theirs));
    }
    server().listen();
    asio::ip::tcp::socket socket(context);
    socket.connect({asio::ip::address_v4::loopback(), server().port()});
    socket.set_option(asio::ip::tcp::no_delay(true));
    const int descriptor = socket.native_handle();
    return std::make_unique<client>(make_asio_link(std::move(socket)), descriptor);
  }

  /// A client whose handshake is done; null when it was refused.
  std::unique_ptr<client> join(std::string_view target = "/", link_counts* counts = nullptr,
                               std::size_t capacity = 256 * 1024) {
    auto c = connect(counts, capacity);
    c->upgrade(target);
    const bool done = run_until([&] { return c->upgraded || c->is_over(); });
    return done && c->upgraded ? std::move(c) : nullptr;
  }

  void destroy_server() { owned_server_.reset(); }

  /// Destroys the context with all that runs on it, the server before it or not.
  void destroy_context() {
    work_.reset();
    owned_server_.reset();
    owned_context_.reset();
  }
};

/// Handlers that write down what happens, and keep a handle.
struct record {
  std::vector<std::string> events;
  std::optional<session> ws;
  std::optional<close_code> code;
  std::string reason;
  std::error_code error;
  std::size_t closes = 0;

  handlers callbacks() {
    handlers h = without_messages();
    h.on_message = [this](session&, message_view m) { events.emplace_back(m.text()); };
    return h;
  }

  /// For a route whose messages are taken with receive().
  handlers without_messages() {
    return {.on_open =
                [this](session& s, const request&) {
                  events.emplace_back("open");
                  ws = s;
                },
            .on_close =
                [this](session&, const close_info& info) {
                  events.emplace_back("close");
                  ++closes;
                  code = info.code;
                  reason = info.reason;
                  error = info.error;
                }};
  }
};

}  // namespace net_test

#endif

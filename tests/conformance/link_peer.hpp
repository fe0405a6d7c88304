#ifndef FAIRLEAD_TESTS_CONFORMANCE_LINK_PEER_HPP
#define FAIRLEAD_TESTS_CONFORMANCE_LINK_PEER_HPP

#include "peer.hpp"

#include <fairlead/net/link/link.hpp>
#include <fairlead/net/session/session.hpp>
#include <fairlead/net/session/session_options.hpp>

#include <asio/io_context.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace conformance {

/// What a session under test does: it sends back every message.
fairlead::handlers echo();

/// One case sends 16 MiB, and two send a message in 65,537 frames. Every message is compressed where that was
/// agreed.
fairlead::session_options raised_limits();

/// A peer behind a link, and the tester's end of that link, in one context.
class link_peer : public peer, private fairlead::link_sink {
 public:
  void give(std::string_view bytes) final;
  void give_end() final;
  std::string take() final;
  bool has_ended() const final { return has_ended_ || is_broken_; }

 protected:
  link_peer() : context_(1) {}

  /// Takes the tester's end.
  void start(fairlead::link_ptr testers_end);

  /// Does all that can be done without more input and without waiting.
  virtual void run();

  mutable asio::io_context context_;

 private:
  std::span<std::byte> read_room() override { return {}; }
  void on_bytes(std::span<std::byte> bytes) override;
  void on_writable() override {}
  void on_eof() override { has_ended_ = true; }
  void on_link_error(std::error_code) override { is_broken_ = true; }

  fairlead::link_ptr link_;
  std::string sent_;
  bool has_ended_ = false;
  bool is_broken_ = false;
};

}  // namespace conformance

#endif

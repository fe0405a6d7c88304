#ifndef FAIRLEAD_NET_LINK_LINK_HPP
#define FAIRLEAD_NET_LINK_LINK_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/link/tls_details.hpp>
#include <fairlead/peer_address.hpp>
#include <fairlead/time.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <system_error>

namespace fairlead::inline FAIRLEAD_ABI {

/// Receives what a link pushes. Any function may close the link that calls it.
class link_sink {
 public:
  /// Where the next bytes want to be read; empty when the link's own buffer serves. Valid until the next
  /// call.
  virtual std::span<std::byte> read_room() = 0;

  /// Bytes from the peer, at least one. They may be changed in place, and live until the call returns. When
  /// they were read into read_room(), they are its front.
  virtual void on_bytes(std::span<std::byte> bytes) = 0;

  /// After a write that took less than it was given, or notify_writable(): the link takes bytes again.
  virtual void on_writable() = 0;

  /// The peer will send no more. Nothing follows but on_writable() and on_link_error().
  virtual void on_eof() = 0;

  /// The link is broken: nothing follows, and nothing can be written. It still has to be closed.
  virtual void on_link_error(std::error_code ec) = 0;

 protected:
  ~link_sink() = default;
};

/// What a link took of a gathered write.
struct write_result {
  std::size_t size = 0;     ///< Bytes taken; fewer than given means that on_writable() will follow.
  std::error_code error{};  ///< The link is broken; it still has to be closed.
};

/// Moves bytes between a peer and a sink: pushes what arrives, takes gathered writes. Whether readiness or
/// completion is below, and which transport, is its own affair.
///
/// All functions have to be called on the link's executor. A link is closed once, through link_ptr.
class link {
 public:
  /// Begins to push to `sink`, or pushes to another sink from now on. The sink has to outlive the link. May
  /// throw std::system_error when the system watches no more descriptors.
  virtual void start(link_sink& sink) = 0;

  /// Takes bytes from the front of `gather`, in order; never blocks, calls no sink. The bytes need to live
  /// only during the call.
  virtual write_result write(std::span<const std::span<const std::byte>> gather) = 0;

  /// How much the link takes at once without holding back more than limit_unsent() allows; the highest number where it
  /// cannot tell.
  virtual std::size_t writable_size() { return static_cast<std::size_t>(-1); }

  /// on_writable() follows once the link takes bytes; not inside the call.
  virtual void notify_writable() = 0;

  /// From now on about `size` bytes at most are held that were taken and not yet sent: what waits longer stays
  /// with the sink, which may still change its mind. Without effect where the transport cannot tell.
  virtual void limit_unsent(std::size_t) {}

  /// The link breaks when the peer's system has not confirmed for so long what was sent. Without effect where the
  /// transport cannot tell.
  virtual void give_up_after(duration) {}

  /// Where the peer is.
  virtual peer_address peer() { return {}; }

  /// Whether the peer's bytes came over TLS, here or before a proxy.
  virtual bool is_secure() { return false; }

  /// What TLS agreed on, where it is part of the link.
  virtual tls_details tls() { return {}; }

  /// Stops reading, and so the peer, once the transport's buffers are full. No on_bytes() or on_eof() follows
  /// until resume_reading(); a reset by the peer is reported all the same.
  virtual void pause_reading() = 0;

  /// Reads again; nothing is pushed inside the call.
  virtual void resume_reading() = 0;

  /// Tells the peer that no more will be sent, behind what was written. Calls no sink.
  virtual void shutdown_sending() = 0;

  /// Whether there is a socket whose bytes are the sink's, as they are.
  virtual bool has_socket() { return false; }

  /// Lets go of the connected socket, which the caller closes from now on; nothing follows but close(), before the
  /// handler that runs returns. Only when has_socket().
  virtual int release() { return -1; }

  /// Closes and frees the link. No call to the sink follows. Legal inside any of the sink's functions.
  virtual void close() noexcept = 0;

 protected:
  ~link() = default;
};

/// Closes what link_ptr owns.
struct link_closer {
  void operator()(link* l) const noexcept { l->close(); }
};

/// Owns a link; closes it when it goes.
using link_ptr = std::unique_ptr<link, link_closer>;

}  // namespace fairlead

#endif

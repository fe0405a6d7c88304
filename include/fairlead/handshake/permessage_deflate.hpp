#ifndef FAIRLEAD_HANDSHAKE_PERMESSAGE_DEFLATE_HPP
#define FAIRLEAD_HANDSHAKE_PERMESSAGE_DEFLATE_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>
#include <fairlead/handshake/extension.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace fairlead::inline FAIRLEAD_ABI {

/// The sizes of an LZ77 window that can be agreed on, as the base-2 logarithm of bytes: 256 bytes to 32 KiB
/// (RFC 7692 section 7.1.2). Without an agreement it is the largest.
inline constexpr std::uint8_t min_window_bits = 8;
inline constexpr std::uint8_t max_window_bits = 15;

/// The smallest window that our compressor can keep to: zlib has none of 256 bytes for raw deflate data.
inline constexpr std::uint8_t min_send_window_bits = 9;

/// How one side, server or client, wants to compress (RFC 7692). Off by default: on small messages it costs
/// more processor time than it saves, and secrets beside text of an attacker must not be compressed.
///
/// The memory that zlib 1.2.13 takes on a 64 bit machine, in bytes; small messages leave a part untouched:
///
/// | one compressor   | 2^(send_window_bits + 2) + 2^(memory_level + 9) + 5,952 |         |
/// |                  | 15 bits, memory level 8                                 | 268,096 |
/// |                  | 12 bits, memory level 5                                 |  38,720 |
/// |                  | 10 bits, memory level 4                                 |  18,240 |
/// | one decompressor | 2^window + 7,160, and 15 bits                           |  39,928 |
/// |                  | 10 bits                                                 |   8,184 |
///
/// With both takeovers off, the default, a session has neither: those of its thread serve all its sessions. But a
/// message that is sent in parts has a compressor of its own from its first part to its last.
struct deflate_options {
  bool enabled = false;

  /// The window of our compressor, 9 to 15. Smaller finds fewer repetitions and costs the peer less memory.
  std::uint8_t send_window_bits = max_window_bits;

  /// False: each message is compressed by itself, and the compressor is the thread's. True: a message may
  /// refer to those before it, which makes small ones much smaller; each session has a compressor of its own
  /// then, 268,096 bytes unless send_window_bits or memory_level is lowered.
  bool send_takeover = false;

  /// The largest window that the peer may use, 8 to 15: the memory of one decompressor.
  std::uint8_t receive_window_bits = max_window_bits;

  /// May the peer's messages refer to those before them? Each session has a decompressor of its own then,
  /// 39,928 bytes unless receive_window_bits is lowered.
  bool receive_takeover = false;

  /// Where the peer may keep no context of ours: compresses with libdeflate, if fairlead was built with it, and
  /// so in less time. Such a message ends in a block that says it is the last, which an RFC 7692 receiver has
  /// to take (section 7.2.3.4) and not all do: Chromium, npm `ws` and Python's `websockets` take it, with
  /// Boost.Beast the connection fails. So only for clients that are known. No other messages are concerned:
  /// neither those of a session that takes over, nor those in parts, nor with a window below 15 bits those larger
  /// than it.
  ///
  /// Its compressor is the thread's: 202,759 bytes at level 1, otherwise 668,295.
  bool use_libdeflate = false;

  /// Smaller messages are sent as they are, in bytes; so are messages in parts whose first part is smaller.
  std::size_t min_size = 256;

  int level = 6;         ///< 1 (fast) to 9 (small), as zlib and libdeflate count.
  int memory_level = 8;  ///< zlib's alone, 1 to 9: memory beside the window. Lower it with the window.

  friend bool operator==(const deflate_options&, const deflate_options&) = default;
};

/// Says whether every number is within its range. The functions below demand it.
constexpr bool is_valid(const deflate_options& options) noexcept {
  const auto within = [](int value, int least, int most) { return value >= least && value <= most; };
  return within(options.send_window_bits, min_send_window_bits, max_window_bits) &&
         within(options.receive_window_bits, min_window_bits, max_window_bits) &&
         within(options.level, 1, 9) && within(options.memory_level, 1, 9);
}

/// What both sides agreed on (RFC 7692 section 7.1), the same on both. A side may do with less than it is
/// allowed: its compressor uses the smaller of this window and its own send_window_bits, and takes over only
/// what its own send_takeover wants too.
struct deflate_params {
  bool server_no_context_takeover = false;  ///< Each message of the server can be read by itself.
  bool client_no_context_takeover = false;  ///< Each message of the client can be read by itself.

  /// The largest window of the server's compressor; 9 to 15 where that is ours.
  std::uint8_t server_max_window_bits = max_window_bits;

  /// The largest window of the client's compressor; 9 to 15 where that is ours.
  std::uint8_t client_max_window_bits = max_window_bits;

  friend bool operator==(const deflate_params&, const deflate_params&) = default;
};

/// A client's offer that a server can accept.
struct accepted_deflate {
  deflate_params params;
  std::string response;  ///< The value of Sec-WebSocket-Extensions in the 101.
};

/// Accepts the first of the client's offers, in its order of preference, that is valid and that `options`
/// allow (RFC 7692 sections 5, 7 and 7.1); nothing if there is none, and then the answer names no extension.
/// Other extensions are passed over. `options` must be valid.
///
/// The windows: ours is the smaller of the offered and send_window_bits; an offer that wants one of 256 bytes
/// is declined, our compressor has none. The client's is the smaller of the one it named and
/// receive_window_bits, but only an offer with client_max_window_bits can be answered with a smaller one, and
/// no client that did not name 256 bytes itself is asked for them: most use zlib as well, and fail or send
/// what cannot be read. When that leaves the client a larger window than receive_window_bits, the offer is
/// declined if the client would take over its context, for the limit is there to bound the memory of a
/// session; and accepted if not, for then the window is in the thread's decompressor and costs a session
/// nothing.
///
/// The contexts: either side gives up its takeover if the offer says so, or our options do. The server may
/// say so unasked (sections 7.1.1.1 and 7.1.1.2).
FAIRLEAD_DECL std::optional<accepted_deflate> accept_deflate(std::span<const extension> offers,
                                                             const deflate_options& options);

/// The value of Sec-WebSocket-Extensions for a client's request; empty unless enabled. `options` must be
/// valid.
///
/// client_max_window_bits is always offered, so that a server may ask for a smaller window. A limit on the
/// server's window is a demand that many servers do not know, and those must decline; so a second offer makes
/// no such demand, but that each message can be read by itself: the larger window is then in the thread's
/// decompressor and costs a session nothing. That is the only offer when the limit is 256 bytes, for a server
/// that uses zlib as well cannot keep to it, and may fail rather than decline.
FAIRLEAD_DECL std::string offer_deflate(const deflate_options& options);

/// What a server's answer to offer_deflate() means.
struct deflate_agreement {
  errc error = errc::ok;                 ///< `ok` or errc::bad_extension_response: the handshake failed.
  std::optional<deflate_params> params;  ///< Nothing: the server declined, messages are not compressed.
};

/// Checks the extensions in a server's response against what offer_deflate() offered with the same `options`
/// (RFC 6455 section 4.1, RFC 7692 sections 5, 7 and 7.1). Any other extension was not offered. A window of
/// 256 bytes for our compressor fails the handshake: what was agreed can no longer be declined, and we have
/// no such compressor. `options` must be valid.
FAIRLEAD_DECL deflate_agreement check_deflate_response(std::span<const extension> response,
                                                       const deflate_options& options);

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/permessage_deflate.ipp>
#endif

#endif

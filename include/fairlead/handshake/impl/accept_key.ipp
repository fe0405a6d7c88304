#ifndef FAIRLEAD_HANDSHAKE_IMPL_ACCEPT_KEY_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_ACCEPT_KEY_IPP

#include <fairlead/handshake/accept_key.hpp>
#include <fairlead/handshake/detail/base64.hpp>

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <new>
#include <span>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// RFC 6455 section 1.3.
inline constexpr std::string_view websocket_guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// 16 bytes are 21 characters, one more with two bits of the last byte, and padding.
inline constexpr std::size_t websocket_key_size = 24;
inline constexpr std::size_t websocket_key_digits = 22;

inline constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace detail

FAIRLEAD_DECL std::string accept_key(std::string_view key) {
  constexpr std::size_t digest_size = 20;
  std::string text;
  text.reserve(key.size() + detail::websocket_guid.size());
  text.append(key).append(detail::websocket_guid);

  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  // With the algorithm built in and the buffers ours, only memory can be missing.
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha1(), nullptr) != 1)
    throw std::bad_alloc();
  return detail::base64_encode(std::span(digest).first(digest_size));
}

FAIRLEAD_DECL bool is_websocket_key(std::string_view key) noexcept {
  if (key.size() != detail::websocket_key_size || !key.ends_with("==")) return false;
  const std::string_view digits = key.substr(0, detail::websocket_key_digits);
  if (digits.find_first_not_of(detail::base64_digits) != std::string_view::npos) return false;
  // The last digit carries two bits of the last byte above four bits of nothing.
  return detail::base64_digits.find(digits.back()) % 16 == 0;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

#ifndef FAIRLEAD_GUARD_IMPL_PROXY_PROTOCOL_IPP
#define FAIRLEAD_GUARD_IMPL_PROXY_PROTOCOL_IPP

#include <fairlead/guard/proxy_protocol.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

inline constexpr std::string_view proxy_line_start = "PROXY ";
inline constexpr std::string_view proxy_block_start("\r\n\r\n\0\r\nQUIT\n", 12);
inline constexpr std::size_t proxy_block_head_size = 16;

// Version 2, section 2.2 of the specification.
inline constexpr unsigned proxy_command_local = 0x20;
inline constexpr unsigned proxy_command_proxy = 0x21;
inline constexpr unsigned proxy_family_unspecified = 0x00;
inline constexpr unsigned proxy_family_tcp4 = 0x11;
inline constexpr unsigned proxy_family_tcp6 = 0x21;
inline constexpr unsigned proxy_family_local_stream = 0x31;
inline constexpr std::size_t local_path_size = 108;
inline constexpr unsigned proxy_type_ssl = 0x20;
inline constexpr std::size_t proxy_ssl_head_size = 5;
inline constexpr unsigned proxy_client_ssl = 0x01;

inline unsigned byte_at(std::string_view bytes, std::size_t i) noexcept {
  return static_cast<unsigned char>(bytes[i]);
}
inline unsigned number_at(std::string_view bytes, std::size_t i) noexcept {
  return byte_at(bytes, i) << 8 | byte_at(bytes, i + 1);
}

/// The text up to the next space, which is removed too; all of it where there is none.
inline std::string_view take_word(std::string_view& line) noexcept {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

/// What stands between `PROXY ` and CRLF.
inline std::optional<proxied_connection> read_proxy_line(std::string_view line) noexcept {
  const bool ends_in_space = line.ends_with(' ');
  const std::string_view protocol = take_word(line);
  // Whatever follows has to be ignored.
  if (protocol == "UNKNOWN") return proxied_connection();
  if (protocol != "TCP4" && protocol != "TCP6") return std::nullopt;
  const std::string_view texts[] = {take_word(line), take_word(line)};
  const auto source_port = parse_number(take_word(line), 65535);
  const auto destination_port = parse_number(take_word(line), 65535);
  if (!source_port || !destination_port || !line.empty() || ends_in_space) return std::nullopt;
  for (const std::string_view text : texts) {
    if ((text.find(':') != std::string_view::npos) != (protocol == "TCP6")) return std::nullopt;
  }
  const auto source = parse_bare_address(texts[0]);
  const auto destination = parse_bare_address(texts[1]);
  if (!source || !destination) return std::nullopt;
  proxied_connection c{*source, *destination, false};
  c.source.port = static_cast<std::uint16_t>(*source_port);
  c.destination.port = static_cast<std::uint16_t>(*destination_port);
  return c;
}

/// The type-length-value parts that follow the addresses; false if they do not end with the block.
inline bool read_proxy_parts(std::string_view parts, proxied_connection& c) noexcept {
  constexpr std::size_t head_size = 3;
  while (!parts.empty()) {
    if (parts.size() < head_size) return false;
    const unsigned type = byte_at(parts, 0);
    const std::size_t size = number_at(parts, 1);
    parts.remove_prefix(head_size);
    if (size > parts.size()) return false;
    if (type == proxy_type_ssl) {
      if (size < proxy_ssl_head_size) return false;
      c.secure = (byte_at(parts, 0) & proxy_client_ssl) != 0;
    }
    parts.remove_prefix(size);
  }
  return true;
}

inline peer_address read_proxy_address(std::string_view bytes, peer_address::kind family,
                                       unsigned port) noexcept {
  peer_address a;
  std::transform(bytes.begin(), bytes.end(), a.bytes.begin(),
                 [](char c) { return static_cast<std::byte>(c); });
  a.port = static_cast<std::uint16_t>(port);
  a.family = family;
  return unmapped(a);
}

inline std::optional<proxied_connection> read_proxy_block(unsigned family, std::string_view block) noexcept {
  proxied_connection c;
  std::size_t addresses_size = 0;
  switch (family) {
    case proxy_family_unspecified: return c;
    case proxy_family_tcp4:
    case proxy_family_tcp6: {
      const bool is_ipv6 = family == proxy_family_tcp6;
      const auto kind = is_ipv6 ? peer_address::kind::ipv6 : peer_address::kind::ipv4;
      const std::size_t size = is_ipv6 ? 16 : 4;
      addresses_size = 2 * size + 4;
      if (block.size() < addresses_size) return std::nullopt;
      c.source = read_proxy_address(block.substr(0, size), kind, number_at(block, 2 * size));
      c.destination = read_proxy_address(block.substr(size, size), kind, number_at(block, 2 * size + 2));
      break;
    }
    case proxy_family_local_stream:
      addresses_size = 2 * local_path_size;
      if (block.size() < addresses_size) return std::nullopt;
      c.source.family = c.destination.family = peer_address::kind::local;
      break;
    default: return std::nullopt;
  }
  if (!read_proxy_parts(block.substr(addresses_size), c)) return std::nullopt;
  return c;
}

}  // namespace detail

FAIRLEAD_DECL proxy_protocol_result proxy_protocol_parser::feed(std::span<const std::byte> in) {
  proxy_protocol_result result{state_, 0};
  while (state_ == parse_state::need_more && result.consumed < in.size()) {
    header_.push_back(static_cast<char>(in[result.consumed++]));
    state_ = header_.front() == 'P' ? take_of_line() : take_of_block();
  }
  if (state_ != parse_state::need_more) header_ = std::string();
  result.state = state_;
  return result;
}

/// Looks at the byte that came last.
FAIRLEAD_DECL parse_state proxy_protocol_parser::take_of_line() noexcept {
  const std::size_t size = header_.size();
  const char c = header_.back();
  if (size <= detail::proxy_line_start.size()) {
    return c == detail::proxy_line_start[size - 1] ? parse_state::need_more : parse_state::failed;
  }
  const bool is_behind_cr = header_[size - 2] == '\r';
  if (is_behind_cr != (c == '\n')) return parse_state::failed;
  if (!is_behind_cr) return size < max_line_size ? parse_state::need_more : parse_state::failed;
  const std::string_view line(header_.data(), size - 2);
  const auto read = detail::read_proxy_line(line.substr(detail::proxy_line_start.size()));
  if (!read) return parse_state::failed;
  connection_ = *read;
  return parse_state::done;
}

/// The same of version 2.
FAIRLEAD_DECL parse_state proxy_protocol_parser::take_of_block() noexcept {
  const std::string_view header = header_;
  if (header.size() <= detail::proxy_block_start.size()) {
    return header.back() == detail::proxy_block_start[header.size() - 1] ? parse_state::need_more
                                                                         : parse_state::failed;
  }
  const unsigned command = detail::byte_at(header, 12);
  if (command != detail::proxy_command_local && command != detail::proxy_command_proxy) {
    return parse_state::failed;
  }
  if (header.size() < detail::proxy_block_head_size) return parse_state::need_more;
  const std::size_t block_size = detail::number_at(header, 14);
  if (block_size > max_block_size) return parse_state::failed;
  if (header.size() < detail::proxy_block_head_size + block_size) return parse_state::need_more;
  // "The receiver must accept this connection as valid and must use the real connection endpoints."
  if (command == detail::proxy_command_local) return parse_state::done;
  const auto read =
      detail::read_proxy_block(detail::byte_at(header, 13), header.substr(detail::proxy_block_head_size));
  if (!read) return parse_state::failed;
  connection_ = *read;
  return parse_state::done;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

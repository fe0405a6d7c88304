#ifndef FAIRLEAD_GUARD_DETAIL_ORIGIN_HPP
#define FAIRLEAD_GUARD_DETAIL_ORIGIN_HPP

#include <fairlead/config.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// Longer ones are none: a name has at most 253 bytes (RFC 1035 section 2.3.4).
inline constexpr std::size_t max_origin_size = 320;

/// Where a page is from (RFC 6454 section 4), in the one form in which equal ones are equal: lower case, no dot
/// at the end of a name, IPv6 in brackets as RFC 5952 writes it.
struct web_origin {
  std::string scheme;
  std::string host;
  std::uint16_t port = 0;  ///< 0 for the scheme's own, of a scheme that is neither http nor https.

  friend bool operator==(const web_origin&, const web_origin&) = default;
};

/// Reads `scheme://host[:port]` and nothing else: no path, no user, no bytes beyond ASCII; `null` is none. The
/// host is one that is_host() takes, and has no empty label. Throws std::bad_alloc.
FAIRLEAD_DECL std::optional<web_origin> parse_origin(std::string_view text);

/// The origin of pages that the server sends which that Host field names.
FAIRLEAD_DECL std::optional<web_origin> server_origin(std::string_view host, bool secure);

/// As browsers write it: the port only where it is not the scheme's own. At most 32 bytes longer than what was read,
/// all of them printable ASCII without quotes.
FAIRLEAD_DECL std::string to_string(const web_origin& origin);

/// Origins that a user named.
class origin_list {
 public:
  /// Adds `https://app.example.com`, `https://*.example.com` with exactly one label for the `*`, or `null`.
  /// Throws std::invalid_argument, which names the text, for anything else.
  FAIRLEAD_DECL void add(std::string_view text);

  bool has_null() const noexcept { return has_null_; }
  FAIRLEAD_DECL bool contains(const web_origin& origin) const noexcept;

 private:
  std::vector<web_origin> exact_;
  std::vector<web_origin> parents_;  // of any one label
  bool has_null_ = false;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/guard/impl/origin.ipp>
#endif

#endif

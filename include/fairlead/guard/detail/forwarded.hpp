#ifndef FAIRLEAD_GUARD_DETAIL_FORWARDED_HPP
#define FAIRLEAD_GUARD_DETAIL_FORWARDED_HPP

#include <fairlead/config.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// What one proxy wrote into a Forwarded field (RFC 7239 section 4). Views of the field; a quoted string is
/// without its quotes, and its backslashes stay, for no address has one.
struct forwarded_element {
  std::string_view node;   ///< `for`; empty if there is none.
  std::string_view proto;  ///< The same.

  friend bool operator==(const forwarded_element&, const forwarded_element&) = default;
};

/// Reads the value of one Forwarded field, from the left, since a comma may be in a quoted string.
///
/// \param last  Gets the last elements, as many as fit: the one with number i is at `last[i % last.size()]`.
/// \return      How many elements there are; 0 if any of it breaks the grammar. White space around `;` is
///              allowed, as many write it so; `for` or `proto` twice in an element is not.
FAIRLEAD_DECL std::size_t read_forwarded(std::string_view value, std::span<forwarded_element> last) noexcept;

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/guard/impl/forwarded.ipp>
#endif

#endif

#ifndef FAIRLEAD_NET_LINK_DETAIL_ASIO_ERROR_HPP
#define FAIRLEAD_NET_LINK_DETAIL_ASIO_ERROR_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/detail/asio_configuration.hpp>

#include <asio/error.hpp>

#include <system_error>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// The same error in the standard's category: Asio has a system category of its own, whose values do not compare
/// with std::errc.
inline std::error_code plain_error(std::error_code ec) {
  return ec.category() == asio::error::get_system_category()
             ? std::error_code(ec.value(), std::system_category())
             : ec;
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif

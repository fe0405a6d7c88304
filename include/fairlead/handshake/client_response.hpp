#ifndef FAIRLEAD_HANDSHAKE_CLIENT_RESPONSE_HPP
#define FAIRLEAD_HANDSHAKE_CLIENT_RESPONSE_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/client_request.hpp>
#include <fairlead/handshake/permessage_deflate.hpp>
#include <fairlead/handshake/response_head.hpp>

#include <optional>
#include <string_view>
#include <system_error>

namespace fairlead::inline FAIRLEAD_ABI {

/// What a server's answer to a client's handshake means. A view of the response's head.
struct upgrade_agreement {
  std::error_code error;                  ///< None: the connection is open. The rest is empty otherwise.
  std::string_view subprotocol;           ///< The one that the server chose; empty for none.
  std::optional<deflate_params> deflate;  ///< Nothing: messages are not compressed.
};

/// Checks the answer to encode_upgrade_request() (RFC 6455 section 4.1, the list of what a client MUST
/// validate) and reports the first fault in this order: the http_status, if it is not 101;
/// errc::upgrade_missing for Upgrade or Connection, or an empty head; bad_accept_key; bad_extensions;
/// bad_extension_response; bad_subprotocol. Throws std::bad_alloc.
///
/// \param offer    The same that was sent; its key and its sub-protocols count.
/// \param options  Those that offer_deflate() was given, valid; not enabled if it was not offered.
FAIRLEAD_DECL upgrade_agreement check_upgrade_response(const response_head& head, const upgrade_offer& offer,
                                                       const deflate_options& options);

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/client_response.ipp>
#endif

#endif

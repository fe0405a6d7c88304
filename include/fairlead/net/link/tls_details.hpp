#ifndef FAIRLEAD_NET_LINK_TLS_DETAILS_HPP
#define FAIRLEAD_NET_LINK_TLS_DETAILS_HPP

#include <fairlead/config.hpp>

#include <string>

namespace fairlead::inline FAIRLEAD_ABI {

/// What the two ends of a TLS connection agreed on, and who the client is.
struct tls_details {
  std::string version;      ///< Such as `TLSv1.3`; empty without TLS, or before its handshake is done.
  std::string cipher;       ///< By its name in OpenSSL, such as `TLS_AES_256_GCM_SHA384`.
  std::string server_name;  ///< Whom the client asked for (SNI, RFC 6066 section 3); empty for nobody.
  std::string
      client_subject;  ///< Of the client's certificate, which was checked (RFC 4514); empty without one.
  std::string client_fingerprint;  ///< The SHA-256 of that certificate, in lower-case hexadecimal digits.
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

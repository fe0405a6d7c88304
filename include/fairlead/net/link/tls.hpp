#ifndef FAIRLEAD_NET_LINK_TLS_HPP
#define FAIRLEAD_NET_LINK_TLS_HPP

#include <fairlead/config.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

namespace detail {
class tls_server_state;
class tls_client_state;
}  // namespace detail

/// What OpenSSL says of a failure that errc has no name for, such as an alert of the peer or a file that is no
/// certificate. Each of its codes is errc_condition::tls_failed.
FAIRLEAD_DECL const std::error_category& tls_category() noexcept;

/// A certificate and its private key, in files in PEM.
struct tls_certificate {
  std::filesystem::path chain;  ///< The certificate first, then those that lead to its root.
  std::filesystem::path key;    ///< Without a passphrase.
};

/// Whether a server asks its clients for certificates.
enum class client_certificates : unsigned char {
  none,      ///< Does not ask.
  accepted,  ///< Asks, and checks what it gets; a client may have none.
  required,  ///< Refuses a client without one.
};

/// What a server shows its clients, and what it wants of them.
struct tls_server_options {
  /// Each serves the DNS names that it is for, of which a wildcard covers one label; the first also serves
  /// clients that name no server (SNI, RFC 6066 section 3), or one that none of them is for.
  std::vector<tls_certificate> certificates;

  client_certificates clients = client_certificates::none;

  /// The authorities that may have issued clients' certificates, in PEM; needed when clients are asked.
  std::filesystem::path client_authorities{};
};

/// TLS for servers: versions 1.2 and 1.3, with forward secrecy and authenticated encryption only, neither
/// renegotiation nor compression, and ALPN `http/1.1`. Clients may resume their sessions with tickets, of which
/// the server holds nothing.
///
/// A handle: copies are one, and may be used from any thread. An empty one stands for no TLS.
class tls_server_context {
 public:
  tls_server_context() noexcept = default;

  /// Reads the files. Throws std::system_error, which names the file, and std::invalid_argument when there is no
  /// certificate, or no authorities where clients are asked for certificates.
  FAIRLEAD_DECL explicit tls_server_context(tls_server_options options);

  /// Reads the files again, for connections that begin from now on; those that there are go on as they are.
  /// Tickets from before are not taken any more, so that every client sees the new certificate. Throws as the
  /// constructor does, and then all stays as it was.
  FAIRLEAD_DECL void reload();

  explicit operator bool() const noexcept { return state_ != nullptr; }

  /// For make_tls_link().
  const std::shared_ptr<detail::tls_server_state>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<detail::tls_server_state> state_;
};

/// Whom a client trusts.
struct tls_client_options {
  /// Refuses a server whose certificate is not issued, through others maybe, by a trusted authority, or is not
  /// valid now, or not for the host of the URL. Without it anybody can pose as the server.
  bool verify = true;

  bool trust_system = true;             ///< Trusts the authorities that the system trusts.
  std::filesystem::path authorities{};  ///< Trusts these too: a file in PEM.

  /// When not empty, the server's public key has to be one of these: the SHA-256 of its SubjectPublicKeyInfo
  /// in base64 (RFC 7469 section 2.4). With `verify` both have to hold.
  std::vector<std::string> pins{};

  /// For a server that asks for a certificate.
  tls_certificate certificate{};

  /// Whom the server has to be, in place of the URL's host.
  std::string server_name{};
};

/// TLS for clients: versions 1.2 and 1.3, ALPN `http/1.1`. Resumes earlier sessions with the same host and port.
///
/// A handle: copies are one, with one set of sessions to resume, and may be used from any thread.
class tls_client_context {
 public:
  /// With the default options. One for all of the process, made when it is first needed.
  tls_client_context() noexcept = default;

  /// Reads the files. Throws std::system_error, which names the file, and std::invalid_argument for a pin that is
  /// no SHA-256 in base64.
  FAIRLEAD_DECL explicit tls_client_context(tls_client_options options);

  /// For make_tls_link(). Throws as the constructor above does.
  FAIRLEAD_DECL std::shared_ptr<detail::tls_client_state> state() const;

 private:
  std::shared_ptr<detail::tls_client_state> state_;
};

}  // namespace fairlead

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/link/impl/tls.ipp>
#endif

#endif

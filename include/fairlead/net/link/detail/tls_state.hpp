#ifndef FAIRLEAD_NET_LINK_DETAIL_TLS_STATE_HPP
#define FAIRLEAD_NET_LINK_DETAIL_TLS_STATE_HPP

// Only for the sources of TLS: OpenSSL's headers are not for users' files.

#include <fairlead/config.hpp>

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <fairlead/net/link/tls.hpp>

namespace fairlead::inline FAIRLEAD_ABI::detail {

struct openssl_free {
  void operator()(SSL_CTX* p) const noexcept { SSL_CTX_free(p); }
  void operator()(SSL* p) const noexcept { SSL_free(p); }
  void operator()(SSL_SESSION* p) const noexcept { SSL_SESSION_free(p); }
  void operator()(BIO* p) const noexcept { BIO_free(p); }
  void operator()(X509* p) const noexcept { X509_free(p); }
  void operator()(BIO_METHOD* p) const noexcept { BIO_meth_free(p); }
  void operator()(GENERAL_NAMES* p) const noexcept { GENERAL_NAMES_free(p); }
};

template <class T>
using openssl_ptr = std::unique_ptr<T, openssl_free>;

/// The oldest error in OpenSSL's queue of this thread, which is empty afterwards; errc::tls_failed when there was
/// none.
FAIRLEAD_DECL std::error_code take_openssl_error() noexcept;

/// Why a certificate was refused, by its X509_V_ERR_ number.
FAIRLEAD_DECL std::error_code certificate_error(long verify_result) noexcept;

/// The certificates that were read at one time, and what clients are told with them.
class loaded_certificates {
 public:
  FAIRLEAD_DECL explicit loaded_certificates(const tls_server_options& options);

  /// For a connection, which needs the certificates until its handshake is done. Throws std::bad_alloc.
  FAIRLEAD_DECL openssl_ptr<SSL> make_ssl() const;

 private:
  using ticket_keys = std::array<unsigned char, 80>;  // as OpenSSL wants them: name, HMAC key, AES key

  void add(const tls_certificate& certificate, const tls_server_options& options, ticket_keys& keys);
  void add_names(SSL_CTX* context);
  SSL_CTX* find(std::string name) const;
  static int on_server_name(SSL* ssl, int* alert, void* self) noexcept;

  std::vector<openssl_ptr<SSL_CTX>> contexts_;
  std::map<std::string, SSL_CTX*, std::less<>> by_name_;  // in lower case
};

/// What copies of a tls_server_context share.
class tls_server_state {
 public:
  explicit tls_server_state(tls_server_options options)
      : options_(std::move(options)), loaded_(std::make_shared<const loaded_certificates>(options_)) {}

  FAIRLEAD_DECL void reload();
  FAIRLEAD_DECL std::shared_ptr<const loaded_certificates> loaded() const;

 private:
  const tls_server_options options_;
  mutable std::mutex mutex_;
  std::shared_ptr<const loaded_certificates> loaded_;
};

/// What copies of a tls_client_context share.
class tls_client_state {
 public:
  FAIRLEAD_DECL explicit tls_client_state(tls_client_options options);

  const tls_client_options& options() const noexcept { return options_; }

  /// A connection without a host. Throws std::bad_alloc.
  FAIRLEAD_DECL openssl_ptr<SSL> make_ssl() const;

  /// Keeps a session for the next connection to `peer`, in place of an earlier one.
  FAIRLEAD_DECL void keep(const std::string& peer, openssl_ptr<SSL_SESSION> session);

  /// The session to resume with `peer`; null when there is none. One of TLS 1.3 is handed out once, so that
  /// nobody who watches can tell that two connections are of one client (RFC 8446 appendix C.4).
  FAIRLEAD_DECL openssl_ptr<SSL_SESSION> session_with(const std::string& peer);

 private:
  static constexpr std::size_t max_sessions = 1024;

  bool is_pinned(X509* certificate) const;
  static int verify(X509_STORE_CTX* chain, void* self) noexcept;
  static int on_new_session(SSL* ssl, SSL_SESSION* session) noexcept;

  const tls_client_options options_;
  openssl_ptr<SSL_CTX> context_;
  std::mutex mutex_;
  std::map<std::string, openssl_ptr<SSL_SESSION>> sessions_;
};

/// One connection's use of a tls_client_state: whom it expects, and where its sessions are kept.
class tls_client_peer {
 public:
  tls_client_peer(std::shared_ptr<tls_client_state> state, std::string_view host, std::uint16_t port)
      : state_(std::move(state)),
        host_(state_->options().server_name.empty() ? std::string(host) : state_->options().server_name),
        name_(host_ + ":" + std::to_string(port)) {}

  /// For the connection, which needs this object as long as it lives. Throws std::bad_alloc.
  FAIRLEAD_DECL openssl_ptr<SSL> make_ssl();

  void keep(openssl_ptr<SSL_SESSION> session) const { state_->keep(name_, std::move(session)); }

 private:
  const std::shared_ptr<tls_client_state> state_;
  const std::string host_;
  const std::string name_;
};

}  // namespace fairlead

#endif

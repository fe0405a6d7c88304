#ifndef FAIRLEAD_NET_LINK_IMPL_TLS_IPP
#define FAIRLEAD_NET_LINK_IMPL_TLS_IPP

#include <fairlead/errc.hpp>
#include <fairlead/handshake/detail/ascii.hpp>
#include <fairlead/handshake/detail/base64.hpp>
#include <fairlead/net/detail/random.hpp>
#include <fairlead/net/link/detail/tls_state.hpp>
#include <fairlead/net/link/tls.hpp>

#include <openssl/err.h>

#include <algorithm>
#include <span>
#include <stdexcept>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

class openssl_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "fairlead.tls"; }

  std::string message(int value) const override {
    const char* const reason =
        ERR_reason_error_string(static_cast<unsigned long>(static_cast<unsigned>(value)));
    return "OpenSSL: " + (reason != nullptr ? std::string(reason) : "error " + std::to_string(value));
  }

  bool equivalent(int, const std::error_condition& condition) const noexcept override {
    return condition == errc_condition::tls_failed || condition == errc_condition::handshake_failed;
  }
};

FAIRLEAD_DECL std::error_code take_openssl_error() noexcept {
  const unsigned long first = ERR_get_error();
  ERR_clear_error();
  if (first == 0) return errc::tls_failed;
  if (ERR_SYSTEM_ERROR(first)) return {ERR_GET_REASON(first), std::system_category()};
  // Library and reason, of at most 8 and 23 bits.
  return {static_cast<int>(first), tls_category()};
}

FAIRLEAD_DECL std::error_code certificate_error(long verify_result) noexcept {
  switch (verify_result) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return errc::certificate_expired;
    case X509_V_ERR_CERT_NOT_YET_VALID: return errc::certificate_not_yet_valid;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED: return errc::certificate_untrusted;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return errc::certificate_wrong_host;
    case X509_V_ERR_CERT_REVOKED: return errc::certificate_revoked;
    case X509_V_ERR_APPLICATION_VERIFICATION: return errc::certificate_not_pinned;
    default: return errc::certificate_invalid;
  }
}

inline void check_openssl(bool success, const std::string& what) {
  if (!success) throw std::system_error(take_openssl_error(), what);
}

/// What both roles have: the versions, the ciphers, and as little memory as OpenSSL can do with.
inline openssl_ptr<SSL_CTX> make_ssl_context(const SSL_METHOD* method) {
  ERR_clear_error();
  openssl_ptr<SSL_CTX> context(SSL_CTX_new(method));
  if (context == nullptr) throw std::bad_alloc();
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_security_level(context.get(), 2);
  // The suites of TLS 1.3 are all good; of those before, the ones with forward secrecy and AEAD (RFC 9325).
  check_openssl(SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20") == 1, "TLS ciphers");
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  return context;
}

inline void use_certificate(SSL_CTX* context, const tls_certificate& certificate) {
  ERR_clear_error();
  check_openssl(SSL_CTX_use_certificate_chain_file(context, certificate.chain.c_str()) == 1,
                "certificate " + certificate.chain.string());
  check_openssl(SSL_CTX_use_PrivateKey_file(context, certificate.key.c_str(), SSL_FILETYPE_PEM) == 1,
                "private key " + certificate.key.string());
}

inline constexpr std::array<unsigned char, 9> http_1_1{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

inline int choose_http_1_1(SSL*, const unsigned char** chosen, unsigned char* size,
                           const unsigned char* offered, unsigned offered_size, void*) noexcept {
  unsigned char* found = nullptr;
  const int result =
      SSL_select_next_proto(&found, size, http_1_1.data(), http_1_1.size(), offered, offered_size);
  *chosen = found;
  // RFC 7301 section 3.2: whoever speaks nothing that we do learns it.
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

inline openssl_ptr<SSL> make_connection(SSL_CTX* context) {
  openssl_ptr<SSL> ssl(SSL_new(context));
  if (ssl == nullptr) throw std::bad_alloc();
  return ssl;
}

// --- Server.

FAIRLEAD_DECL loaded_certificates::loaded_certificates(const tls_server_options& options) {
  if (options.certificates.empty()) throw std::invalid_argument("a server's TLS needs a certificate");
  if (options.clients != client_certificates::none && options.client_authorities.empty()) {
    throw std::invalid_argument("to ask clients for certificates, client_authorities has to say whose");
  }
  // One for all certificates: a client that resumes is asked for no name.
  ticket_keys keys;
  draw_random(std::as_writable_bytes(std::span(keys)));
  for (const tls_certificate& certificate : options.certificates) add(certificate, options, keys);
}

FAIRLEAD_DECL void loaded_certificates::add(const tls_certificate& certificate,
                                            const tls_server_options& options, ticket_keys& keys) {
  openssl_ptr<SSL_CTX> made = make_ssl_context(TLS_server_method());
  SSL_CTX* const context = made.get();
  use_certificate(context, certificate);
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_alpn_select_cb(context, choose_http_1_1, nullptr);
  SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
  SSL_CTX_set_tlsext_servername_arg(context, this);

  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);  // a client comes back once at a time
  SSL_CTX_set_tlsext_ticket_keys(context, keys.data(), static_cast<long>(keys.size()));
  constexpr std::string_view all_ours = "fairlead";  // where clients have certificates, sessions need a name
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(all_ours.data()),
                                 static_cast<unsigned>(all_ours.size()));

  if (options.clients != client_certificates::none) {
    const char* const file = options.client_authorities.c_str();
    check_openssl(SSL_CTX_load_verify_locations(context, file, nullptr) == 1,
                  "client authorities " + std::string(file));
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(file));
    const bool required = options.clients == client_certificates::required;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  }
  contexts_.push_back(std::move(made));
  add_names(context);
}

FAIRLEAD_DECL openssl_ptr<SSL> loaded_certificates::make_ssl() const {
  openssl_ptr<SSL> ssl = make_connection(contexts_.front().get());
  SSL_set_accept_state(ssl.get());
  return ssl;
}

FAIRLEAD_DECL void loaded_certificates::add_names(SSL_CTX* context) {
  const openssl_ptr<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(SSL_CTX_get0_certificate(context), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    const auto* const text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    by_name_.emplace(to_lower({text, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))}),
                     context);
  }
}

FAIRLEAD_DECL SSL_CTX* loaded_certificates::find(std::string name) const {
  name = to_lower(std::move(name));
  auto found = by_name_.find(name);
  if (found == by_name_.end()) {
    const std::size_t dot = name.find('.');
    if (dot != std::string::npos) found = by_name_.find("*" + name.substr(dot));
  }
  return found != by_name_.end() ? found->second : contexts_.front().get();
}

FAIRLEAD_DECL int loaded_certificates::on_server_name(SSL* ssl, int*, void* self) noexcept {
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  try {
    SSL_CTX* const chosen = static_cast<const loaded_certificates*>(self)->find(name);
    return SSL_set_SSL_CTX(ssl, chosen) != nullptr ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
  } catch (...) {  // no memory
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
}

FAIRLEAD_DECL void tls_server_state::reload() {
  auto fresh = std::make_shared<const loaded_certificates>(options_);
  const std::lock_guard lock(mutex_);
  loaded_.swap(fresh);
}

FAIRLEAD_DECL std::shared_ptr<const loaded_certificates> tls_server_state::loaded() const {
  const std::lock_guard lock(mutex_);
  return loaded_;
}

// --- Client.

FAIRLEAD_DECL tls_client_state::tls_client_state(tls_client_options options)
    : options_(std::move(options)), context_(make_ssl_context(TLS_client_method())) {
  SSL_CTX* const context = context_.get();
  if (options_.trust_system) {
    check_openssl(SSL_CTX_set_default_verify_paths(context) == 1, "the system's authorities");
  }
  if (!options_.authorities.empty()) {
    check_openssl(SSL_CTX_load_verify_locations(context, options_.authorities.c_str(), nullptr) == 1,
                  "authorities " + options_.authorities.string());
  }
  for (const std::string& pin : options_.pins) {
    if (pin.size() != 44 || pin.back() != '=') {
      throw std::invalid_argument("the pin '" + pin + "' is no SHA-256 in base64");
    }
  }
  if (!options_.certificate.chain.empty()) use_certificate(context, options_.certificate);
  SSL_CTX_set_alpn_protos(context, http_1_1.data(), http_1_1.size());
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, on_new_session);
  const bool checks = options_.verify || !options_.pins.empty();
  SSL_CTX_set_verify(context, checks ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (checks) SSL_CTX_set_cert_verify_callback(context, verify, this);
}

FAIRLEAD_DECL int tls_client_state::verify(X509_STORE_CTX* chain, void* self) noexcept {
  const auto& state = *static_cast<const tls_client_state*>(self);
  if (state.options_.verify && X509_verify_cert(chain) != 1) return 0;
  if (state.options_.pins.empty()) return 1;
  try {
    if (state.is_pinned(X509_STORE_CTX_get0_cert(chain))) return 1;
  } catch (...) {  // no memory
  }
  X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

FAIRLEAD_DECL bool tls_client_state::is_pinned(X509* certificate) const {
  unsigned char* key_info = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key_info);
  if (size <= 0) return false;
  std::array<unsigned char, 32> digest;
  const int digested =
      EVP_Digest(key_info, static_cast<std::size_t>(size), digest.data(), nullptr, EVP_sha256(), nullptr);
  OPENSSL_free(key_info);
  return digested == 1 && std::ranges::find(options_.pins, base64_encode(digest)) != options_.pins.end();
}

FAIRLEAD_DECL void tls_client_state::keep(const std::string& peer, openssl_ptr<SSL_SESSION> session) {
  const std::lock_guard lock(mutex_);
  if (sessions_.size() >= max_sessions && !sessions_.contains(peer)) sessions_.erase(sessions_.begin());
  sessions_[peer] = std::move(session);
}

FAIRLEAD_DECL openssl_ptr<SSL_SESSION> tls_client_state::session_with(const std::string& peer) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(peer);
  if (found == sessions_.end()) return nullptr;
  if (SSL_SESSION_get_protocol_version(found->second.get()) == TLS1_3_VERSION) {
    openssl_ptr<SSL_SESSION> taken = std::move(found->second);
    sessions_.erase(found);
    return taken;
  }
  SSL_SESSION_up_ref(found->second.get());
  return openssl_ptr<SSL_SESSION>(found->second.get());
}

FAIRLEAD_DECL openssl_ptr<SSL> tls_client_state::make_ssl() const {
  openssl_ptr<SSL> ssl = make_connection(context_.get());
  SSL_set_connect_state(ssl.get());
  return ssl;
}

FAIRLEAD_DECL int tls_client_state::on_new_session(SSL* ssl, SSL_SESSION* session) noexcept {
  openssl_ptr<SSL_SESSION> owned(session);
  try {
    static_cast<const tls_client_peer*>(SSL_get_app_data(ssl))->keep(std::move(owned));
  } catch (...) {  // no memory: the next connection begins anew
  }
  return 1;
}

FAIRLEAD_DECL openssl_ptr<SSL> tls_client_peer::make_ssl() {
  openssl_ptr<SSL> ssl = state_->make_ssl();
  SSL_set_app_data(ssl.get(), this);
  if (const auto session = state_->session_with(name_)) SSL_set_session(ssl.get(), session.get());
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl.get());
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host_.c_str()) == 1) return ssl;  // it has no name to send
  ERR_clear_error();
  X509_VERIFY_PARAM_set_hostflags(wanted,
                                  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (X509_VERIFY_PARAM_set1_host(wanted, host_.data(), host_.size()) != 1 ||
      SSL_set_tlsext_host_name(ssl.get(), host_.c_str()) != 1) {
    throw std::system_error(take_openssl_error(), "the server name " + host_);
  }
  return ssl;
}

}  // namespace detail

FAIRLEAD_DECL const std::error_category& tls_category() noexcept {
  static const detail::openssl_category instance;
  return instance;
}

FAIRLEAD_DECL tls_server_context::tls_server_context(tls_server_options options)
    : state_(std::make_shared<detail::tls_server_state>(std::move(options))) {}

FAIRLEAD_DECL void tls_server_context::reload() {
  if (state_ != nullptr) state_->reload();
}

FAIRLEAD_DECL tls_client_context::tls_client_context(tls_client_options options)
    : state_(std::make_shared<detail::tls_client_state>(std::move(options))) {}

FAIRLEAD_DECL std::shared_ptr<detail::tls_client_state> tls_client_context::state() const {
  if (state_ != nullptr) return state_;
  static const auto of_the_process = std::make_shared<detail::tls_client_state>(tls_client_options{});
  return of_the_process;
}

}  // namespace fairlead

#endif

#ifndef FAIRLEAD_TESTS_NET_LINK_OPENSSL_PEER_HPP
#define FAIRLEAD_TESTS_NET_LINK_OPENSSL_PEER_HPP

#include <fairlead/net/link/link.hpp>
#include <fairlead/net/link/tls.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace openssl_test {

struct openssl_free {
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
  void operator()(SSL_SESSION* p) const { SSL_SESSION_free(p); }
};
template <class T>
using owned = std::unique_ptr<T, openssl_free>;

/// A context that may do everything OpenSSL can, also what is weak.
inline owned<SSL_CTX> make_context(bool is_server, int version = 0) {
  owned<SSL_CTX> context(SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_min_proto_version(context.get(), version != 0 ? version : TLS1_VERSION);
  SSL_CTX_set_max_proto_version(context.get(), version);
  return context;
}

inline void use_certificate(SSL_CTX* context, const fairlead::tls_certificate& files) {
  if (SSL_CTX_use_certificate_chain_file(context, files.chain.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    throw std::runtime_error("the certificate cannot be used");
  }
}

/// OpenSSL itself, without any of ours, at one end of a link.
class openssl_peer final : private fairlead::link_sink {
 public:
  openssl_peer(fairlead::link_ptr link, SSL_CTX* context, bool is_server)
      : ssl(SSL_new(context)), link_(std::move(link)) {
    SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    is_server ? SSL_set_accept_state(ssl.get()) : SSL_set_connect_state(ssl.get());
  }

  void start() {
    link_->start(*this);
    drive();
  }

  void write(std::string_view text) {
    SSL_write(ssl.get(), text.data(), static_cast<int>(text.size()));
    send();
  }

  /// Handshakes and reads as far as it goes.
  void drive() {
    if (!is_ready && !is_over) {
      ERR_clear_error();
      const int result = SSL_do_handshake(ssl.get());
      is_ready = result == 1;
      note(result);
    }
    while (is_ready && !is_over) {
      std::array<char, 4096> buffer;
      ERR_clear_error();
      const int n = SSL_read(ssl.get(), buffer.data(), buffer.size());
      if (n <= 0) {
        note(n);
        break;
      }
      received.append(buffer.data(), static_cast<std::size_t>(n));
    }
    send();
  }

  void close() { link_.reset(); }
  void stops_reading() { link_->pause_reading(); }

  owned<SSL> ssl;
  std::string received;
  int error = 0;  ///< The reason in OpenSSL's numbers, such as an alert that came.
  bool is_ready = false;
  bool is_over = false;

 private:
  void note(int result) {
    const int kind = SSL_get_error(ssl.get(), result);
    if (kind != SSL_ERROR_SSL && kind != SSL_ERROR_ZERO_RETURN) return;
    error = ERR_GET_REASON(ERR_peek_error());
    is_over = true;
  }

  void send() {
    std::array<std::byte, 16 * 1024> buffer;
    int n = 0;
    while ((n = BIO_read(SSL_get_wbio(ssl.get()), buffer.data(), buffer.size())) > 0) {
      if (link_ == nullptr) continue;
      const std::array<std::span<const std::byte>, 1> gather{
          std::span(buffer).first(static_cast<std::size_t>(n))};
      if (link_->write(gather).error) link_.reset();
    }
  }

  std::span<std::byte> read_room() override { return {}; }
  void on_bytes(std::span<std::byte> bytes) override {
    BIO_write(SSL_get_rbio(ssl.get()), bytes.data(), static_cast<int>(bytes.size()));
    drive();
  }
  void on_writable() override {}
  void on_eof() override { is_over = true; }
  void on_link_error(std::error_code) override { is_over = true; }

  fairlead::link_ptr link_;
};

}  // namespace openssl_test

#endif

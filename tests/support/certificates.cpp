#include "certificates.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace certificates {
namespace {

struct openssl_free {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(X509_EXTENSION* p) const { X509_EXTENSION_free(p); }
  void operator()(std::FILE* p) const { std::fclose(p); }
};
template <class T>
using owned = std::unique_ptr<T, openssl_free>;

void check(bool success, const std::string& what) {
  if (!success) throw std::runtime_error("certificates: " + what);
}

owned<EVP_PKEY> make_key() {
  owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
  check(key != nullptr, "no key could be made");
  return key;
}

void add_extension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  check(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1, "extension " + value);
}

owned<X509> make_certificate(EVP_PKEY* key, const subject& s, bool is_authority, X509* issuer,
                             EVP_PKEY* issuer_key) {
  owned<X509> made(X509_new());
  check(made != nullptr, "no certificate could be made");
  X509* const c = made.get();
  X509_set_version(c, X509_VERSION_3);
  std::array<unsigned char, 8> number;
  check(RAND_bytes(number.data(), static_cast<int>(number.size())) == 1, "no random number");
  long serial = 0;
  for (const unsigned char byte : number) serial = (serial << 7) | (byte & 0x7f);
  ASN1_INTEGER_set(X509_get_serialNumber(c), serial);
  X509_gmtime_adj(X509_getm_notBefore(c), static_cast<long>(s.from.count()));
  X509_gmtime_adj(X509_getm_notAfter(c), static_cast<long>(s.until.count()));
  X509_set_pubkey(c, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(s.name.c_str()), -1, -1, 0);
  X509_set_issuer_name(c, X509_get_subject_name(issuer != nullptr ? issuer : c));
  add_extension(c, NID_basic_constraints, is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  add_extension(c, NID_key_usage, is_authority ? "critical,keyCertSign" : "critical,digitalSignature");
  if (!is_authority) add_extension(c, NID_ext_key_usage, "serverAuth,clientAuth");
  std::string names;
  for (const std::string& name : s.dns) names += (names.empty() ? "DNS:" : ",DNS:") + name;
  for (const std::string& address : s.addresses) names += (names.empty() ? "IP:" : ",IP:") + address;
  if (!names.empty()) add_extension(c, NID_subject_alt_name, names);
  check(X509_sign(c, issuer_key != nullptr ? issuer_key : key, EVP_sha256()) != 0, "signing " + s.name);
  return made;
}

owned<std::FILE> open_file(const std::filesystem::path& path) {
  owned<std::FILE> file(std::fopen(path.c_str(), "wb"));
  check(file != nullptr, "cannot write " + path.string());
  return file;
}

fairlead::tls_certificate write(const std::filesystem::path& folder, const std::string& name,
                                X509* certificate, EVP_PKEY* key) {
  fairlead::tls_certificate files{folder / (name + ".pem"), folder / (name + ".key")};
  const owned<std::FILE> chain = open_file(files.chain), key_file = open_file(files.key);
  check(PEM_write_X509(chain.get(), certificate) == 1, files.chain.string());
  check(PEM_write_PrivateKey(key_file.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
        files.key.string());
  return files;
}

}  // namespace

struct authority::impl {
  std::filesystem::path folder;
  owned<EVP_PKEY> key = make_key();
  owned<X509> certificate;
  std::filesystem::path file;
};

authority::authority(std::filesystem::path folder, std::string name)
    : impl_(new impl{std::move(folder), make_key(), nullptr, {}}) {
  std::filesystem::create_directories(impl_->folder);
  impl_->certificate = make_certificate(impl_->key.get(), {name, {}, {}, -1h, 24h}, true, nullptr, nullptr);
  impl_->file = write(impl_->folder, name, impl_->certificate.get(), impl_->key.get()).chain;
}

authority::~authority() = default;

const std::filesystem::path& authority::file() const { return impl_->file; }

fairlead::tls_certificate authority::issue(const subject& s) const {
  const owned<EVP_PKEY> key = make_key();
  const auto certificate = make_certificate(key.get(), s, false, impl_->certificate.get(), impl_->key.get());
  return write(impl_->folder, s.name, certificate.get(), key.get());
}

fairlead::tls_certificate authority::issue_self_signed(const subject& s) const {
  const owned<EVP_PKEY> key = make_key();
  return write(impl_->folder, s.name, make_certificate(key.get(), s, false, nullptr, nullptr).get(),
               key.get());
}

std::string pin_of(const std::filesystem::path& certificate) {
  const owned<std::FILE> file(std::fopen(certificate.c_str(), "rb"));
  check(file != nullptr, "cannot read " + certificate.string());
  const owned<X509> c(PEM_read_X509(file.get(), nullptr, nullptr, nullptr));
  unsigned char* info = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c.get()), &info);
  std::array<unsigned char, 32> digest;
  EVP_Digest(info, static_cast<std::size_t>(size), digest.data(), nullptr, EVP_sha256(), nullptr);
  OPENSSL_free(info);
  std::array<unsigned char, 45> base64{};
  EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(digest.size()));
  return reinterpret_cast<const char*>(base64.data());
}

temporary_folder::temporary_folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "fairlead-XXXXXX").string();
  check(::mkdtemp(pattern.data()) != nullptr, "cannot make a folder like " + pattern);
  path_ = pattern;
}

temporary_folder::~temporary_folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

usual::usual()
    : trusted(folder.path()),
      localhost(trusted.issue({"localhost", {"localhost"}, {"127.0.0.1", "::1"}, -1h, 24h})) {}

fairlead::tls_server_context usual::server() const {
  return fairlead::tls_server_context({.certificates = {localhost}});
}

fairlead::tls_client_context usual::client() const {
  return fairlead::tls_client_context({.trust_system = false, .authorities = trusted.file()});
}

const usual& usual::instance() {
  static const usual made;
  return made;
}

}  // namespace certificates

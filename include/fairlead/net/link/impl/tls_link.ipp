#ifndef FAIRLEAD_NET_LINK_IMPL_TLS_LINK_IPP
#define FAIRLEAD_NET_LINK_IMPL_TLS_LINK_IPP

#include <fairlead/errc.hpp>
#include <fairlead/net/link/detail/tls_state.hpp>
#include <fairlead/net/link/tls_link.hpp>
#include <fairlead/shared_bytes.hpp>

#include <asio/post.hpp>

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// What the TLS links of a thread share, each for the length of one call.
struct tls_buffers {
  static constexpr std::size_t received_size = 128 * 1024;
  static constexpr std::size_t record_size = SSL3_RT_MAX_PLAIN_LENGTH;

  std::array<std::byte, received_size> received;  // decrypted
  std::array<std::byte, record_size> record;      // small pieces on their way into one record
  std::vector<std::byte> encrypted;               // for the link below

  static tls_buffers& of_this_thread() {
    thread_local const std::unique_ptr<tls_buffers> buffers(new tls_buffers);
    return *buffers;
  }
};

inline std::string text_in(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

inline std::string subject_of(const X509& certificate) {
  const openssl_ptr<BIO> bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr) throw std::bad_alloc();
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(&certificate), 0,
                     XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  return text_in(bio.get());
}

inline std::string fingerprint_of(const X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (X509_digest(&certificate, EVP_sha256(), digest.data(), &size) != 1) throw std::bad_alloc();
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : std::span(digest).first(size)) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

inline tls_details details_of(SSL& ssl) {
  tls_details d;
  d.version = SSL_get_version(&ssl);
  d.cipher = SSL_get_cipher_name(&ssl);
  if (const char* const name = SSL_get_servername(&ssl, TLSEXT_NAMETYPE_host_name)) d.server_name = name;
  const openssl_ptr<X509> certificate(SSL_get1_peer_certificate(&ssl));
  if (certificate != nullptr && SSL_get_verify_result(&ssl) == X509_V_OK) {
    d.client_subject = subject_of(*certificate);
    d.client_fingerprint = fingerprint_of(*certificate);
  }
  return d;
}

/// TLS between a link and a sink. OpenSSL reads from and writes to memory only: what it writes within a call is
/// collected and given to the link below at its end.
class tls_link final : public link, private link_sink, public std::enable_shared_from_this<tls_link> {
 public:
  /// \param context  What the callbacks of `ssl` use.
  tls_link(asio::any_io_executor executor, link_ptr below, openssl_ptr<SSL> ssl,
           std::shared_ptr<const void> context)
      : executor_(std::move(executor)),
        context_(std::move(context)),
        below_(std::move(below)),
        ssl_(std::move(ssl)) {
    BIO* const bio = BIO_new(method());
    if (bio == nullptr) throw std::bad_alloc();
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
  }

  // OpenSSL takes a session whose connection was given up without a close_notify for one that must not be resumed.
  ~tls_link() {
    if (!failed_) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }

  link_ptr own() {
    self_ = shared_from_this();
    return link_ptr(this);
  }

  void start(link_sink& sink) override {
    if (std::exchange(sink_, &sink) != nullptr) return;
    below_->start(*this);
    if (SSL_is_server(ssl_.get()) != 0) return;
    // The client speaks first.
    asio::post(executor_, [self = shared_from_this()] {
      if (self->sink_ != nullptr) self->take({}, 0);
    });
  }

  write_result write(std::span<const std::span<const std::byte>> gather) override {
    if (failed_) return {0, std::make_error_code(std::errc::broken_pipe)};
    write_result result;
    writer_waits_ = true;
    if (!is_ready_ || !unsent_.empty()) return result;
    const std::size_t size = encrypt(gather, result);
    if (result.error) return {0, result.error};
    writer_waits_ = result.size < size;
    return result;
  }

  void notify_writable() override {
    writer_waits_ = true;
    if (is_ready_ && !failed_) below_->notify_writable();
  }
  // Less for what the records add.
  std::size_t writable_size() override {
    if (!is_ready_ || !unsent_.empty()) return 0;
    const std::size_t below = below_->writable_size();
    return below - below / 16;
  }
  void limit_unsent(std::size_t size) override { below_->limit_unsent(size); }
  void give_up_after(duration t) override { below_->give_up_after(t); }
  peer_address peer() override { return below_->peer(); }
  bool is_secure() override { return true; }
  tls_details tls() override { return is_ready_ ? details_of(*ssl_) : tls_details(); }

  void pause_reading() override {
    paused_ = true;
    below_->pause_reading();
  }

  void resume_reading() override {
    if (!std::exchange(paused_, false)) return;
    if (!has_more_) return below_->resume_reading();
    asio::post(executor_, [self = shared_from_this()] { self->resume(); });
  }

  void shutdown_sending() override {
    if (std::exchange(is_shut_down_, true) || failed_) return;
    if (is_ready_) end_sending();  // else after the handshake, for which the peer has to be spoken to
  }

  void close() noexcept override {
    sink_ = nullptr;
    below_.reset();
    const auto keep = std::move(self_);
  }

 private:
  // What waits for a peer that reads nothing, but makes us answer: with TLS 1.3 it may ask for new keys without end.
  static constexpr std::size_t max_unsent_size = 256 * 1024;

  // Encrypted at once, and so held when the link below takes nothing of it.
  static constexpr std::size_t burst_size = 64 * 1024;

  // --- From the link below.

  std::span<std::byte> read_room() override { return {}; }

  void on_bytes(std::span<std::byte> bytes) override {
    const auto self = shared_from_this();
    if (unread_.empty()) {
      const std::size_t whole = whole_records(bytes);
      return whole != 0 ? take(bytes, whole) : unread_.append(bytes);
    }
    unread_.append(bytes);
    if (const std::size_t whole = whole_records(unread_.bytes()); whole != 0) take_unread(whole);
  }

  void on_writable() override {
    const auto self = shared_from_this();
    send_unsent();
    if (sink_ == nullptr || !unsent_.empty()) return;
    if (is_shut_down_ && is_ready_) below_->shutdown_sending();
    wake_writer();
  }

  void on_eof() override {
    const auto self = shared_from_this();
    if (!is_ready_) return fail(errc::tls_lost);
    report_eof();
  }

  void on_link_error(std::error_code ec) override {
    const auto self = shared_from_this();
    fail(ec);
  }

  // --- In.

  // Nothing of the link is on its way in OpenSSL when the sink is called: the sink may write to another link of
  // the thread, whose buffers are these.
  //
  // \param whole  How many bytes at the front OpenSSL is to get; see whole_records().
  void take(std::span<std::byte> bytes, std::size_t whole) {
    encrypted_in_ = bytes.first(whole);
    if (!is_ready_) shake_hands();
    if (send_encrypted() && is_ready_) push();
    // Behind a pause, or the beginning of a record.
    if (sink_ != nullptr && !at_eof_) unread_.append(bytes.subspan(whole - encrypted_in_.size()));
    encrypted_in_ = {};
    if (error_ && !failed_) return fail(error_);
    if (is_ready_ && unsent_.empty()) wake_writer();
  }

  void take_unread(std::size_t whole) {
    growing_bytes unread = std::move(unread_);
    take(unread.bytes(), whole);
  }

  void resume() {
    if (sink_ == nullptr || paused_) return;
    if (std::exchange(has_more_, false)) take_unread(whole_records(unread_.bytes()));
    if (sink_ != nullptr && !paused_) below_->resume_reading();
  }

  // How many bytes at the front are whole records (RFC 8446 section 5.1). OpenSSL holds 16 KiB for one that is not, so
  // it gets none; what is no record at all it shall refuse.
  static std::size_t whole_records(std::span<const std::byte> bytes) {
    constexpr std::size_t header_size = 5;
    std::size_t whole = 0;
    while (bytes.size() - whole >= header_size) {
      const auto byte = [&](std::size_t i) { return std::to_integer<std::size_t>(bytes[whole + i]); };
      const std::size_t size = header_size + (byte(3) << 8 | byte(4));
      if (byte(0) < SSL3_RT_CHANGE_CIPHER_SPEC || byte(0) > SSL3_RT_APPLICATION_DATA ||
          byte(1) != SSL3_VERSION_MAJOR || size > header_size + SSL3_RT_MAX_ENCRYPTED_LENGTH) {
        return bytes.size();
      }
      if (bytes.size() - whole < size) break;
      whole += size;
    }
    return whole;
  }

  void shake_hands() {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    if (result != 1) return note_error(result);
    is_ready_ = true;
    if (is_shut_down_) end_sending();
  }

  // Pushes what can be decrypted, in pieces as large as the buffer.
  void push() {
    bool more = true;
    while (more && sink_ != nullptr && !paused_ && !at_eof_) {
      std::span<std::byte> room = sink_->read_room();
      if (sink_ == nullptr) return;
      if (room.empty()) room = tls_buffers::of_this_thread().received;
      const decrypted result = decrypt(room);
      more = result.more;
      if (!send_encrypted()) return;
      if (result.size != 0) sink_->on_bytes(room.first(result.size));
      if (!more && !error_ && !paused_ && has_ended()) report_eof();
    }
    has_more_ = paused_ && (more || has_ended());
  }

  // The peer has sent its close_notify.
  bool has_ended() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }

  struct decrypted {
    std::size_t size = 0;
    bool more = true;  // there may be
  };

  decrypted decrypt(std::span<std::byte> room) {
    decrypted result;
    while (result.size < room.size()) {
      ERR_clear_error();
      std::size_t n = 0;
      const int read = SSL_read_ex(ssl_.get(), room.data() + result.size, room.size() - result.size, &n);
      result.size += n;
      if (read == 1) continue;
      note_error(read);
      result.more = false;
      break;
    }
    return result;
  }

  void report_eof() {
    if (std::exchange(at_eof_, true) || sink_ == nullptr) return;
    sink_->on_eof();
  }

  void note_error(int result) {
    const int kind = SSL_get_error(ssl_.get(), result);
    if (kind != SSL_ERROR_SSL && kind != SSL_ERROR_SYSCALL) return;
    const long verified = SSL_get_verify_result(ssl_.get());
    const bool is_refused =
        !is_ready_ && verified != X509_V_OK && SSL_get_verify_mode(ssl_.get()) != SSL_VERIFY_NONE;
    error_ = is_refused ? certificate_error(verified) : take_openssl_error();
    ERR_clear_error();
  }

  void fail(std::error_code ec) {
    failed_ = true;
    if (link_sink* const sink = std::exchange(sink_, nullptr)) sink->on_link_error(ec);
  }

  // --- Out.

  // Encrypts from the front of `gather` until the link below takes no more; returns the size of all of it.
  std::size_t encrypt(std::span<const std::span<const std::byte>> gather, write_result& result) {
    tls_buffers& buffers = tls_buffers::of_this_thread();
    std::size_t total = 0, staged = 0;
    for (std::span<const std::byte> piece : gather) {
      total += piece.size();
      while (!piece.empty() && unsent_.empty() && !result.error) {
        if (staged == 0 && piece.size() >= buffers.record.size()) {
          const std::size_t n = std::min(piece.size(), burst_size);
          write_records(piece.first(n), result);
          piece = piece.subspan(n);
          continue;
        }
        const std::size_t n = std::min(piece.size(), buffers.record.size() - staged);
        std::memcpy(buffers.record.data() + staged, piece.data(), n);
        staged += n;
        piece = piece.subspan(n);
        if (staged == buffers.record.size()) {
          write_records(buffers.record, result);
          staged = 0;
        }
      }
    }
    if (staged != 0 && unsent_.empty() && !result.error) {
      write_records(std::span(buffers.record).first(staged), result);
    }
    if (result.error) {
      buffers.encrypted.clear();  // it is the thread's
    } else {
      result.error = flush_encrypted();
    }
    return total;
  }

  void write_records(std::span<const std::byte> plain, write_result& result) {
    ERR_clear_error();
    std::size_t n = 0;
    if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &n) != 1) {
      result.error = take_openssl_error();
      return;
    }
    result.size += n;
    if (tls_buffers::of_this_thread().encrypted.size() >= burst_size) result.error = flush_encrypted();
  }

  // Gives the link below what OpenSSL wrote, and keeps what it does not take.
  std::error_code flush_encrypted() {
    std::vector<std::byte>& encrypted = tls_buffers::of_this_thread().encrypted;
    if (encrypted.empty()) return {};
    write_result written;
    if (unsent_.empty() && below_ != nullptr) {
      const std::array<std::span<const std::byte>, 1> gather{encrypted};
      written = below_->write(gather);
    }
    if (!written.error && below_ != nullptr) unsent_.append(std::span(encrypted).subspan(written.size));
    encrypted.clear();
    return written.error;
  }

  // The same outside write(): what fails is reported. False when it did.
  bool send_encrypted() {
    const std::error_code error = flush_encrypted();
    if (error) {
      fail(error);
    } else if (unsent_.size() > max_unsent_size + burst_size) {
      fail(std::make_error_code(std::errc::no_buffer_space));
    }
    return !failed_;
  }

  void send_unsent() {
    if (unsent_.empty()) return;
    const std::array<std::span<const std::byte>, 1> gather{unsent_.bytes()};
    const write_result written = below_->write(gather);
    if (written.error) return fail(written.error);
    if (written.size == 0) return;
    growing_bytes rest;
    rest.append(unsent_.bytes().subspan(written.size));
    unsent_ = std::move(rest);
  }

  void end_sending() {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    flush_encrypted();  // where the link below is broken it says so itself, and not inside this call
    if (unsent_.empty()) below_->shutdown_sending();
  }

  void wake_writer() {
    if (sink_ != nullptr && std::exchange(writer_waits_, false)) sink_->on_writable();
  }

  // --- For OpenSSL.

  static BIO_METHOD* method() {
    static const openssl_ptr<BIO_METHOD> instance = [] {
      openssl_ptr<BIO_METHOD> made(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "fairlead link"));
      if (made == nullptr) throw std::bad_alloc();
      BIO_meth_set_read_ex(made.get(), on_read);
      BIO_meth_set_write_ex(made.get(), on_write);
      BIO_meth_set_ctrl(made.get(), on_control);
      return made;
    }();
    return instance.get();
  }

  static int on_read(BIO* bio, char* room, std::size_t size, std::size_t* read) noexcept {
    auto& self = *static_cast<tls_link*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    *read = std::min(size, self.encrypted_in_.size());
    if (*read == 0) {
      BIO_set_retry_read(bio);
      return 0;
    }
    std::memcpy(room, self.encrypted_in_.data(), *read);
    self.encrypted_in_ = self.encrypted_in_.subspan(*read);
    return 1;
  }

  static int on_write(BIO*, const char* bytes, std::size_t size, std::size_t* written) noexcept {
    try {
      std::vector<std::byte>& encrypted = tls_buffers::of_this_thread().encrypted;
      const auto* const first = reinterpret_cast<const std::byte*>(bytes);
      encrypted.insert(encrypted.end(), first, first + size);
    } catch (...) {  // no memory
      return 0;
    }
    *written = size;
    return 1;
  }

  static long on_control(BIO*, int command, long, void*) noexcept {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  asio::any_io_executor executor_;
  std::shared_ptr<const void> context_;
  std::shared_ptr<tls_link> self_;  // until close()
  link_ptr below_;
  openssl_ptr<SSL> ssl_;
  link_sink* sink_ = nullptr;
  std::span<std::byte> encrypted_in_;  // in take()
  growing_bytes unread_;               // encrypted: the beginning of a record, or what a pause held up
  growing_bytes unsent_;               // encrypted, and not taken below
  std::error_code error_;              // in take(), to be reported at its end
  bool is_ready_ = false;
  bool writer_waits_ = false;
  bool paused_ = false;
  bool has_more_ = false;  // to be pushed after the pause, before more is read
  bool is_shut_down_ = false;
  bool at_eof_ = false;
  bool failed_ = false;
};

}  // namespace detail

FAIRLEAD_DECL link_ptr make_tls_link(asio::any_io_executor executor, link_ptr below,
                                     const tls_server_context& context) {
  auto loaded = context.state()->loaded();
  detail::openssl_ptr<SSL> ssl = loaded->make_ssl();
  return std::make_shared<detail::tls_link>(std::move(executor), std::move(below), std::move(ssl),
                                            std::move(loaded))
      ->own();
}

FAIRLEAD_DECL link_ptr make_tls_link(asio::any_io_executor executor, link_ptr below,
                                     const tls_client_context& context, std::string_view host,
                                     std::uint16_t port) {
  auto client = std::make_shared<detail::tls_client_peer>(context.state(), host, port);
  detail::openssl_ptr<SSL> ssl = client->make_ssl();
  return std::make_shared<detail::tls_link>(std::move(executor), std::move(below), std::move(ssl),
                                            std::move(client))
      ->own();
}

}  // namespace fairlead

#endif

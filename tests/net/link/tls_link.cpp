#include <fairlead/net/link/tls_link.hpp>

#include <fairlead/errc.hpp>
#include <fairlead/net/link/memory_link.hpp>
#include <net/link/link_support.hpp>
#include <net/link/openssl_peer.hpp>
#include <support/catch.hpp>
#include <support/certificates.hpp>

#include <optional>

using namespace link_support;
using namespace openssl_test;
using namespace fairlead;

// TLS over a link, with OpenSSL alone at the other end. What all links have in common is tested in link.cpp.

namespace {

const certificates::usual& usual() { return certificates::usual::instance(); }

/// One end is ours, the other OpenSSL.
struct joined_with_openssl {
  asio::io_context context{1};
  recorder ours;
  std::optional<openssl_peer> theirs;

  /// Ours is the server.
  joined_with_openssl(const tls_server_context& server, SSL_CTX* client,
                      const std::function<void(SSL*)>& prepare = nullptr) {
    auto [near, far] = make_memory_pair(context.get_executor());
    ours.link = make_tls_link(context.get_executor(), std::move(near), server);
    begin(std::move(far), client, false, prepare);
  }

  /// Ours is the client.
  joined_with_openssl(const tls_client_context& client, SSL_CTX* server,
                      std::string_view host = "localhost") {
    auto [near, far] = make_memory_pair(context.get_executor());
    ours.link = make_tls_link(context.get_executor(), std::move(near), client, host, 443);
    begin(std::move(far), server, true, nullptr);
  }

  /// Whether both ends have shaken hands and can talk.
  bool talks() {
    ours.send("ours");
    if (!run_until(context, [&] { return theirs->received == "ours" || is_over(); }) || is_over())
      return false;
    theirs->write("theirs");
    return run_until(context, [&] { return ours.received == "theirs" || is_over(); }) && !is_over();
  }

  /// Whether OpenSSL is told that.
  bool is_alerted(int reason) {
    return run_until(context, [&] { return theirs->error == reason; });
  }

  bool is_over() const { return theirs->is_over || ours.errors != 0 || ours.eofs != 0; }

 private:
  void begin(link_ptr far, SSL_CTX* openssl, bool is_server, const std::function<void(SSL*)>& prepare) {
    theirs.emplace(std::move(far), openssl, is_server);
    if (prepare) prepare(theirs->ssl.get());
    ours.start();
    theirs->start();
  }
};

}  // namespace

TEST_CASE("nothing_before_TLS_1_2_is_spoken") {
  const auto [version, is_spoken] = GENERATE(table<int, bool>(
      {{TLS1_VERSION, false}, {TLS1_1_VERSION, false}, {TLS1_2_VERSION, true}, {TLS1_3_VERSION, true}}));
  CAPTURE(version);
  SECTION("by a server") {
    const auto client = make_context(false, version);
    joined_with_openssl j(usual().server(), client.get());
    CHECK(j.talks() == is_spoken);
    if (!is_spoken) CHECK(j.is_alerted(SSL_R_TLSV1_ALERT_PROTOCOL_VERSION));
  }
  SECTION("by a client") {
    const auto server = make_context(true, version);
    use_certificate(server.get(), usual().localhost);
    joined_with_openssl j(usual().client(), server.get());
    CHECK(j.talks() == is_spoken);
    if (is_spoken) return;
    CHECK(run_until(j.context, [&] { return j.ours.errors == 1; }));
    CHECK(j.ours.error == errc_condition::tls_failed);
  }
}

TEST_CASE("only_ciphers_with_forward_secrecy_and_authentication_are_agreed_to") {
  const auto [cipher, is_agreed] = GENERATE(table<const char*, bool>({{"ECDHE-ECDSA-AES128-GCM-SHA256", true},
                                                                      {"ECDHE-ECDSA-CHACHA20-POLY1305", true},
                                                                      {"ECDHE-ECDSA-AES128-SHA256", false},
                                                                      {"ECDHE-ECDSA-AES256-SHA", false},
                                                                      {"ECDHE-ECDSA-AES128-CCM8", false},
                                                                      {"ECDHE-ECDSA-NULL-SHA", false},
                                                                      {"AECDH-AES128-SHA", false}}));
  CAPTURE(cipher);
  SECTION("by a server") {
    const auto client = make_context(false, TLS1_2_VERSION);
    REQUIRE(SSL_CTX_set_cipher_list(client.get(), cipher) == 1);
    joined_with_openssl j(usual().server(), client.get());
    CHECK(j.talks() == is_agreed);
  }
  SECTION("by a client") {
    const auto server = make_context(true, TLS1_2_VERSION);
    use_certificate(server.get(), usual().localhost);
    REQUIRE(SSL_CTX_set_cipher_list(server.get(), cipher) == 1);
    joined_with_openssl j(usual().client(), server.get());
    CHECK(j.talks() == is_agreed);
  }
}

TEST_CASE("a_client_that_offers_no_protocol_of_ours_is_refused") {
  const auto client = make_context(false);
  SECTION("h2 alone") {
    SSL_CTX_set_alpn_protos(client.get(), reinterpret_cast<const unsigned char*>("\x02h2"), 3);
    joined_with_openssl j(usual().server(), client.get());
    CHECK_FALSE(j.talks());
    CHECK(j.is_alerted(SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL));
  }
  SECTION("h2 or http/1.1") {
    SSL_CTX_set_alpn_protos(client.get(), reinterpret_cast<const unsigned char*>("\x02h2\x08http/1.1"), 12);
    joined_with_openssl j(usual().server(), client.get());
    CHECK(j.talks());
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(j.theirs->ssl.get(), &name, &size);
    CHECK(std::string(reinterpret_cast<const char*>(name), size) == "http/1.1");
  }
  SECTION("none, as simple clients do") {
    joined_with_openssl j(usual().server(), client.get());
    CHECK(j.talks());
  }
}

TEST_CASE("a_client_says_whom_it_wants_and_that_it_speaks_http") {
  const auto server = make_context(true);
  use_certificate(server.get(), usual().localhost);
  SECTION("by name") {
    joined_with_openssl j(usual().client(), server.get(), "localhost");
    REQUIRE(j.talks());
    CHECK(std::string(SSL_get_servername(j.theirs->ssl.get(), TLSEXT_NAMETYPE_host_name)) == "localhost");
  }
  SECTION("an address is no name (RFC 6066 section 3)") {
    joined_with_openssl j(usual().client(), server.get(), "127.0.0.1");
    REQUIRE(j.talks());
    CHECK(SSL_get_servername(j.theirs->ssl.get(), TLSEXT_NAMETYPE_host_name) == nullptr);
  }
}

TEST_CASE("a_client_may_not_renegotiate") {
  const auto client = make_context(false, TLS1_2_VERSION);
  joined_with_openssl j(usual().server(), client.get());
  REQUIRE(j.talks());
  REQUIRE(SSL_renegotiate(j.theirs->ssl.get()) == 1);
  j.theirs->is_ready = false;
  j.theirs->drive();
  REQUIRE(run_until(j.context, [&] { return j.is_over(); }));
  CHECK(j.theirs->error == SSL_R_NO_RENEGOTIATION);
}

// --- Resumption.

namespace {

/// The session that a client may resume, once it has it.
owned<SSL_SESSION> session_of(openssl_peer& client) {
  return owned<SSL_SESSION>(SSL_get1_session(client.ssl.get()));
}

bool resumes(const tls_server_context& server, SSL_CTX* client, SSL_SESSION* session) {
  joined_with_openssl j(server, client, [&](SSL* ssl) { SSL_set_session(ssl, session); });
  REQUIRE(j.talks());
  return SSL_session_reused(j.theirs->ssl.get()) == 1;
}

int any_version() { return GENERATE(TLS1_2_VERSION, TLS1_3_VERSION); }

}  // namespace

TEST_CASE("a_client_resumes_until_the_certificates_are_read_again") {
  const int version = any_version();
  const auto clients =
      GENERATE(client_certificates::none, client_certificates::accepted, client_certificates::required);
  CAPTURE(version, clients);
  tls_server_options options{
      .certificates = {usual().localhost}, .clients = clients, .client_authorities = {}};
  if (clients != client_certificates::none) options.client_authorities = usual().trusted.file();
  tls_server_context server(options);
  const auto client = make_context(false, version);
  use_certificate(client.get(), usual().localhost);
  std::optional<joined_with_openssl> first(std::in_place, server, client.get());
  REQUIRE(first->talks());
  CHECK(SSL_session_reused(first->theirs->ssl.get()) == 0);
  const auto session = session_of(*first->theirs);
  CHECK(resumes(server, client.get(), session.get()));
  server.reload();
  CHECK_FALSE(resumes(server, client.get(), session.get()));
}

TEST_CASE("our_client_resumes_with_the_same_server_only") {
  const int version = any_version();
  CAPTURE(version);
  const auto server = make_context(true, version);
  use_certificate(server.get(), usual().localhost);
  const tls_client_context client = usual().client();
  const auto is_resumed = [&](const tls_client_context& c, std::string_view host) {
    joined_with_openssl j(c, server.get(), host);
    REQUIRE(j.talks());
    return SSL_session_reused(j.theirs->ssl.get()) == 1;
  };
  CHECK_FALSE(is_resumed(client, "localhost"));
  CHECK(is_resumed(client, "localhost"));
  CHECK(is_resumed(client, "localhost"));
  CHECK_FALSE(is_resumed(client, "127.0.0.1"));
  CHECK_FALSE(is_resumed(usual().client(), "localhost"));  // another context knows nothing of it
}

TEST_CASE("a_session_whose_link_broke_off_is_resumed_all_the_same") {
  const auto server = make_context(true, any_version());
  use_certificate(server.get(), usual().localhost);
  const tls_client_context client = usual().client();
  {
    joined_with_openssl j(client, server.get());
    REQUIRE(j.talks());
    j.theirs->close();
    REQUIRE(run_until(j.context, [&] { return j.ours.eofs == 1; }));
  }
  joined_with_openssl j(client, server.get());
  REQUIRE(j.talks());
  CHECK(SSL_session_reused(j.theirs->ssl.get()) == 1);
}

// --- Records.

TEST_CASE("a_record_that_was_tampered_with_ends_the_link") {
  const auto client = make_context(false, any_version());
  joined_with_openssl j(usual().server(), client.get());
  REQUIRE(j.talks());
  SSL_write(j.theirs->ssl.get(), "forged", 6);
  char* record = nullptr;
  const long size = BIO_get_mem_data(SSL_get_wbio(j.theirs->ssl.get()), &record);
  REQUIRE(size > 8);
  record[size - 1] ^= 1;
  j.theirs->drive();
  REQUIRE(run_until(j.context, [&] { return j.ours.errors == 1; }));
  CHECK(j.ours.error == errc_condition::tls_failed);
  CHECK(j.ours.received == "theirs");
  CHECK(j.is_alerted(SSL_R_SSLV3_ALERT_BAD_RECORD_MAC));
  CHECK(j.ours.wrong == 0);
}

TEST_CASE("the_end_that_comes_in_one_read_with_the_last_bytes_waits_for_a_paused_sink") {
  const auto client = make_context(false, any_version());
  joined_with_openssl j(usual().server(), client.get());
  REQUIRE(j.talks());
  j.ours.in_on_bytes = [&] { j.ours.pause(); };
  SSL_write(j.theirs->ssl.get(), "last", 4);
  SSL_shutdown(j.theirs->ssl.get());
  j.theirs->drive();
  REQUIRE(run_until(j.context, [&] { return j.ours.received == "theirslast"; }));
  run_a_moment(j.context);
  CHECK(j.ours.eofs == 0);
  j.ours.resume();
  CHECK(j.ours.eofs == 0);
  CHECK(run_until(j.context, [&] { return j.ours.eofs == 1; }));
  CHECK(j.ours.wrong == 0);
}

TEST_CASE("the_end_of_sending_before_the_handshake_comes_after_it") {
  const auto client = make_context(false, any_version());
  joined_with_openssl j(usual().server(), client.get());
  j.ours.shutdown();
  REQUIRE(run_until(j.context, [&] { return j.theirs->is_over; }));
  CHECK(j.theirs->is_ready);
  CHECK(j.theirs->error == 0);
  CHECK(SSL_get_shutdown(j.theirs->ssl.get()) == SSL_RECEIVED_SHUTDOWN);
  j.theirs->write("receiving goes on");
  CHECK(run_until(j.context, [&] { return j.ours.received == "receiving goes on"; }));
  CHECK(j.ours.wrong == 0);
}

TEST_CASE("the_end_of_sending_to_a_peer_that_is_gone_calls_no_sink") {
  const link_form form = GENERATE(link_form::tls_memory, link_form::tls_epoll_tcp, link_form::tls_asio_local);
  joined_links links(form);
  links.start();
  links.reset_by_far();
  links.near.shutdown();  // a call of the sink inside it would be counted as wrong
  REQUIRE(run_until(links.context, [&] { return links.near.errors + links.near.eofs != 0; }));
  CHECK(links.near.wrong == 0);
}

TEST_CASE("new_keys_without_end_for_a_peer_that_reads_nothing_end_the_link") {
  const auto client = make_context(false, TLS1_3_VERSION);
  joined_with_openssl j(usual().server(), client.get());
  REQUIRE(j.talks());
  // The peer's pipe takes no more, so each answer to a request for new keys has to wait.
  j.theirs->stops_reading();
  j.ours.fill();
  for (int i = 0; i < 20'000 && j.ours.errors == 0; ++i) {
    SSL_key_update(j.theirs->ssl.get(), SSL_KEY_UPDATE_REQUESTED);
    j.theirs->write("x");
    run_until(j.context, [&, seen = j.ours.received.size()] {
      return j.ours.received.size() > seen || j.ours.errors != 0;
    });
  }
  CHECK(j.ours.errors == 1);
  CHECK(j.ours.error == std::errc::no_buffer_space);
}

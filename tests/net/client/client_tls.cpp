#include <fairlead/net/client/client.hpp>

#include <net/client/client_support.hpp>
#include <support/catch.hpp>

#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <vector>

#include <malloc.h>

using namespace net_test;
using namespace certificates;

// Whom a client trusts, and whom a server.

namespace {

const usual& common() { return usual::instance(); }

/// A server with these certificates on an address of this machine.
class tls_stage : public client_stage {
 public:
  explicit tls_stage(tls_server_options tls, link_form f = link_form::epoll)
      : client_stage(f, true, with(std::move(tls))) {}
  explicit tls_stage(const tls_certificate& certificate)
      : tls_stage(tls_server_options{.certificates = {certificate}}) {}
  explicit tls_stage(const tls_server_context& tls) : client_stage(link_form::epoll, true, with(tls)) {}

  std::error_code error_of(const tls_client_options& tls, std::string_view host = "localhost") {
    client_options o = options();
    o.tls = tls_client_context(tls);
    outcome result = connect(url("/echo", host), o);
    if (result.error) {
      CHECK(stage_of(result.error) == connect_stage::tls);
    } else {
      CHECK(echo(result.ws, "hello") == "hello");
      result.ws.try_close();
    }
    return result.error;
  }

 private:
  static server_options with(tls_server_options tls) { return with(tls_server_context(std::move(tls))); }
  static server_options with(const tls_server_context& tls) {
    server_options o;
    o.tls = tls;
    return o;
  }
};

tls_client_options trusting(const std::filesystem::path& authorities) {
  return {.trust_system = false, .authorities = authorities};
}

tls_client_options as(std::string server_name) {
  tls_client_options o = trusting(common().trusted.file());
  o.server_name = std::move(server_name);
  return o;
}

}  // namespace

TEST_CASE("a_certificate_that_is_wrong_is_refused_by_its_fault") {  // TRUST H19
  const temporary_folder folder;
  const authority ours(folder.path()), others(folder.path() / "others", "another authority");
  const subject good{"good", {"localhost"}, {"127.0.0.1"}};
  const subject expired{"expired", {"localhost"}, {}, -48h, -24h};
  const subject later{"later", {"localhost"}, {}, 24h, 48h};
  const subject elsewhere{"elsewhere", {"example.test"}, {}};
  const subject by_name_only{"localhost", {}, {}};
  const auto trusts = trusting(ours.file());
  CHECK_FALSE(tls_stage(ours.issue(good)).error_of(trusts));
  CHECK(tls_stage(ours.issue(expired)).error_of(trusts) == errc::certificate_expired);
  CHECK(tls_stage(ours.issue(later)).error_of(trusts) == errc::certificate_not_yet_valid);
  CHECK(tls_stage(ours.issue_self_signed(good)).error_of(trusts) == errc::certificate_untrusted);
  CHECK(tls_stage(others.issue(good)).error_of(trusts) == errc::certificate_untrusted);
  CHECK(tls_stage(ours.issue(elsewhere)).error_of(trusts) == errc::certificate_wrong_host);
  // RFC 9525 section 6.3: the common name says nothing of the host.
  CHECK(tls_stage(ours.issue(by_name_only)).error_of(trusts) == errc::certificate_wrong_host);
  // The authorities of the system have not issued it either.
  CHECK(tls_stage(ours.issue(good)).error_of({}) == errc::certificate_untrusted);
}

TEST_CASE("the_default_client_trusts_the_authorities_of_the_system_only") {
  client_stage s(link_form::epoll, true);
  client_options o;  // as it is
  const outcome refused = s.connect(s.url(), o);
  CHECK(refused.error == errc::certificate_untrusted);
  CHECK(refused.error == errc_condition::tls_failed);
  CHECK(s.run_until([&] { return s.server().connection_count() == 0; }));
}

TEST_CASE("a_server_may_be_named_by_its_address") {
  const auto trusts = trusting(common().trusted.file());
  const temporary_folder folder;
  const authority ours(folder.path());
  const auto names_only = ours.issue({"names", {"localhost", "127.0.0.1"}, {}});
  CHECK_FALSE(tls_stage(common().localhost).error_of(trusts, "127.0.0.1"));
  // A DNS name that looks like an address is none (RFC 9525 section 6.5).
  CHECK(tls_stage(names_only).error_of(trusting(ours.file()), "127.0.0.1") == errc::certificate_wrong_host);
}

TEST_CASE("a_server_may_be_named_by_its_IPv6_address") {
  asio::io_context context(1);
  server_options so;
  so.address = "::1";
  so.tls = common().server();
  server s(context, so);
  s.route("/echo", handlers{.on_message = [](session& ws, message_view m) { ws.try_send(m); }});
  s.listen();
  client_options o;
  o.tls = common().client();
  outcome result;
  connect(context, "wss://[::1]:" + std::to_string(s.port()) + "/echo", o, note(result));
  REQUIRE(link_support::run_until(context, [&] { return result.is_done(); }));
  CHECK_FALSE(result.error);
}

TEST_CASE("a_wildcard_covers_one_label") {
  const auto wildcard = common().trusted.issue({"wildcard", {"*.example.test"}, {}});
  tls_stage s(wildcard);
  CHECK_FALSE(s.error_of(as("a.example.test")));
  CHECK_FALSE(s.error_of(as("B.Example.Test")));
  CHECK(s.error_of(as("a.b.example.test")) == errc::certificate_wrong_host);
  CHECK(s.error_of(as("example.test")) == errc::certificate_wrong_host);
  const auto partial = common().trusted.issue({"partial", {"a*.example.test"}, {}});
  CHECK(tls_stage(partial).error_of(as("ab.example.test")) == errc::certificate_wrong_host);
}

TEST_CASE("a_client_may_expect_another_name_than_the_urls") {
  tls_stage s(common().trusted.issue({"inside", {"inside.test"}, {}}));
  CHECK_FALSE(s.error_of(as("inside.test")));
  CHECK(s.error_of(as("localhost")) == errc::certificate_wrong_host);
  CHECK(s.error_of(as(std::string(300, 'a'))) == errc_condition::tls_failed);  // no name has so many
}

TEST_CASE("pins_are_asked_of_in_addition_to_the_authorities") {
  const auto elsewhere = common().trusted.issue({"elsewhere", {"elsewhere.test"}, {}});
  const std::string right = pin_of(common().localhost.chain), wrong = pin_of(elsewhere.chain);
  tls_stage s(common().localhost);
  tls_client_options o = trusting(common().trusted.file());
  SECTION("the right one") {
    o.pins = {wrong, right};
    CHECK_FALSE(s.error_of(o));
  }
  SECTION("a wrong one") {
    o.pins = {wrong};
    CHECK(s.error_of(o) == errc::certificate_not_pinned);
  }
  SECTION("the right one of an authority that is not trusted") {
    o.authorities.clear();
    o.pins = {right};
    CHECK(s.error_of(o) == errc::certificate_untrusted);
  }
  SECTION("the right one and nothing else") {
    o.authorities.clear();
    o.verify = false;
    o.pins = {right};
    CHECK_FALSE(s.error_of(o));
  }
  SECTION("a wrong one and nothing else") {
    o.verify = false;
    o.pins = {wrong};
    CHECK(s.error_of(o) == errc::certificate_not_pinned);
  }
  SECTION("that is none") {
    o.pins = {"sha256/" + right};
    CHECK_THROWS_AS(tls_client_context(o), std::invalid_argument);
  }
}

TEST_CASE("a_client_that_does_not_verify_takes_any_certificate") {
  const temporary_folder folder;
  const authority others(folder.path());
  tls_client_options o{.verify = false, .trust_system = false};
  CHECK_FALSE(tls_stage(others.issue({"x", {"x.test"}, {}, -48h, -24h})).error_of(o));
}

TEST_CASE("files_that_are_missing_or_no_certificates_are_named") {
  const temporary_folder folder;
  const auto missing = folder.path() / "missing.pem", garbage = folder.path() / "garbage.pem";
  std::ofstream(garbage) << "no certificate\n";
  const auto message_of = [](auto make) -> std::string {
    try {
      make();
    } catch (const std::system_error& e) {
      return e.what();
    }
    return {};
  };
  for (const auto& file : {missing, garbage}) {
    const auto is_named = [&](const std::string& text) {
      return text.find(file.string()) != std::string::npos;
    };
    const tls_certificate no_chain{file, common().localhost.key}, no_key{common().localhost.chain, file};
    CHECK(is_named(message_of([&] { tls_server_context({.certificates = {no_chain}}); })));
    CHECK(is_named(message_of([&] { tls_server_context({.certificates = {no_key}}); })));
    CHECK(is_named(message_of([&] { tls_client_context({.authorities = file}); })));
    CHECK(is_named(message_of([&] { tls_client_context({.certificate = no_chain}); })));
    CHECK(is_named(message_of([&] {
      tls_server_context({.certificates = {common().localhost},
                          .clients = client_certificates::required,
                          .client_authorities = file});
    })));
  }
  // The key of another certificate.
  const auto other = common().trusted.issue({"other", {"other.test"}, {}});
  CHECK_FALSE(message_of([&] {
                tls_server_context({.certificates = {{other.chain, common().localhost.key}}});
              }).empty());
  CHECK_THROWS_AS(tls_server_context(tls_server_options{}), std::invalid_argument);
  CHECK_THROWS_AS(
      tls_server_context({.certificates = {common().localhost}, .clients = client_certificates::accepted}),
      std::invalid_argument);
}

// --- Clients' certificates.

TEST_CASE("a_server_asks_its_clients_for_certificates") {
  const temporary_folder folder;
  const authority of_clients(folder.path() / "clients", "clients"),
      others(folder.path() / "others", "others");
  const auto asked =
      GENERATE(client_certificates::none, client_certificates::accepted, client_certificates::required);
  const link_form form = GENERATE(link_form::epoll, link_form::asio);
  CAPTURE(asked, form);
  tls_stage s(
      tls_server_options{
          .certificates = {common().localhost}, .clients = asked, .client_authorities = of_clients.file()},
      form);
  tls_client_options o = trusting(common().trusted.file());
  CHECK(bool(s.error_of(o)) == (asked == client_certificates::required));
  o.certificate = of_clients.issue({"me", {}, {}});
  CHECK_FALSE(s.error_of(o));
  o.certificate = others.issue({"a stranger", {}, {}});
  CHECK(bool(s.error_of(o)) == (asked != client_certificates::none));
  o.certificate = of_clients.issue({"me before", {}, {}, -48h, -24h});
  CHECK(bool(s.error_of(o)) == (asked != client_certificates::none));
  CHECK(s.run_until([&] { return s.server().connection_count() == 0; }));
}

// --- Several certificates, and new ones.

TEST_CASE("a_client_sees_the_certificate_of_the_name_it_asks_for") {
  const auto a = common().trusted.issue({"a", {"a.test", "shared.test"}, {}});
  const auto b = common().trusted.issue({"b", {"b.test", "*.b.test", "shared.test"}, {}});
  tls_stage s(tls_server_options{.certificates = {a, b}});
  const auto sees = [&](const std::string& name, const tls_certificate& certificate) {
    tls_client_options o{.verify = false, .trust_system = false};
    o.server_name = name;
    o.pins = {pin_of(certificate.chain)};
    return !s.error_of(o);
  };
  CHECK(sees("a.test", a));
  CHECK(sees("A.TEST", a));
  CHECK(sees("b.test", b));
  CHECK(sees("x.b.test", b));
  CHECK(sees("x.y.b.test", a));   // a wildcard covers one label, so the first serves
  CHECK(sees("shared.test", a));  // the first that is for it
  CHECK(sees("elsewhere.test", a));
  CHECK(sees("127.0.0.1", a));  // no name at all
}

TEST_CASE("a_reload_changes_the_certificate_of_new_connections_only") {
  const temporary_folder folder;
  const auto first = common().trusted.issue({"before", {"localhost"}, {}});
  const auto second = common().trusted.issue({"after", {"localhost"}, {}});
  const tls_certificate current{folder.path() / "current.pem", folder.path() / "current.key"};
  const auto install = [&](const tls_certificate& c) {
    const auto replace = std::filesystem::copy_options::overwrite_existing;
    std::filesystem::copy_file(c.chain, current.chain, replace);
    std::filesystem::copy_file(c.key, current.key, replace);
  };
  install(first);
  tls_server_context context({.certificates = {current}});
  tls_stage s(context);
  const auto sees = [&](const tls_certificate& certificate) {
    tls_client_options o = trusting(common().trusted.file());
    o.pins = {pin_of(certificate.chain)};
    return !s.error_of(o);
  };
  CHECK(sees(first));
  outcome old = s.connect();
  REQUIRE_FALSE(old.error);

  install(second);
  CHECK(sees(first));  // until it is told
  context.reload();
  CHECK(sees(second));
  CHECK_FALSE(sees(first));
  CHECK(s.echo(old.ws, "old connections go on") == "old connections go on");

  std::ofstream(current.chain) << "no certificate\n";
  CHECK_THROWS_AS(context.reload(), std::system_error);
  CHECK(sees(second));
}

TEST_CASE("a_client_that_resumed_sees_the_new_certificate_after_a_reload") {
  const temporary_folder folder;
  const tls_certificate current{folder.path() / "current.pem", folder.path() / "current.key"};
  const auto good = common().trusted.issue({"good", {"localhost"}, {}});
  const auto expired = common().trusted.issue({"gone", {"localhost"}, {}, -48h, -24h});
  std::filesystem::copy_file(good.chain, current.chain);
  std::filesystem::copy_file(good.key, current.key);
  tls_server_context context({.certificates = {current}});
  tls_stage s(context);
  client_options o = s.options();
  for (int i = 0; i < 3; ++i) {
    outcome made = s.connect(s.url(), o);
    REQUIRE_FALSE(made.error);
    CHECK(s.echo(made.ws, "x") == "x");
  }
  std::filesystem::copy_file(expired.chain, current.chain, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::copy_file(expired.key, current.key, std::filesystem::copy_options::overwrite_existing);
  context.reload();
  CHECK(s.connect(s.url(), o).error == errc::certificate_expired);
}

// TRUST H15: whoever does not finish costs little, and not for long.
TEST_CASE("a_TLS_handshake_that_is_never_finished_is_given_up_and_holds_little") {
  const std::string_view sent =
      GENERATE(std::string_view(), std::string_view("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03half", 15));
  CAPTURE(sent.size());
  server_options options;
  options.tls = certificates::usual::instance().server();
  options.handshake_timeout = 200ms;
  stage s(link_form::memory, std::move(options));
  constexpr std::size_t count = 50;
  std::vector<link_ptr> peers;
  const auto join = [&] {
    auto [ours, theirs] = make_memory_pair(s.context.get_executor());
    s.server().serve(std::move(ours));
    const std::array gather{std::as_bytes(std::span(sent))};
    CHECK(theirs->write(gather).size == sent.size());
    peers.push_back(std::move(theirs));
    s.run_ready();
  };
  join();  // what the first one sets up is not the price of each
  const auto before = static_cast<double>(::mallinfo2().uordblks);
  for (std::size_t i = 0; i < count; ++i) join();
  const double each = (static_cast<double>(::mallinfo2().uordblks) - before) / count;
  CAPTURE(each);
  CHECK(each <= 20 * 1024);  // 0 under a sanitizer, which has a heap of its own
  CHECK(s.run_until([&] { return s.server().connection_count() == 0; }));
}

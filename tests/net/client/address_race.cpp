#include <fairlead/net/client/detail/address_race.hpp>

#include <net/client/client_support.hpp>
#include <support/catch.hpp>

#include <optional>

using namespace net_test;
using asio::ip::tcp;

namespace {

tcp::endpoint on_loopback(std::uint16_t port) { return {asio::ip::address_v4::loopback(), port}; }

/// Addresses on which nobody listens.
std::vector<tcp::endpoint> refusing(std::size_t count) {
  asio::io_context context;
  std::vector<tcp::endpoint> addresses;
  for (std::size_t i = 0; i < count; ++i) {
    addresses.push_back(tcp::acceptor(context, on_loopback(0)).local_endpoint());
  }
  return addresses;
}

/// A race that a test runs.
struct running_race {
  explicit running_race(const std::vector<tcp::endpoint>& addresses) : begin(clock::now()) {
    race = std::make_shared<detail::address_race>(
        detail::event_loop::of(context),
        std::vector<detail::address_race::stream::endpoint>(addresses.begin(), addresses.end()),
        [this](std::error_code ec, detail::address_race::stream::socket s) {
          ++calls;
          took = clock::now() - begin;
          error = ec;
          if (!ec) winner.emplace(std::move(s));
          race.reset();  // as its owner may
        });
    race->start();
  }

  bool finish() {
    return link_support::run_until(context, [&] { return calls != 0; });
  }
  std::uint16_t winning_port() const {
    tcp::endpoint peer;
    const auto generic = winner.value().remote_endpoint();
    std::memcpy(peer.data(), generic.data(), generic.size());
    return peer.port();
  }

  asio::io_context context{1};
  std::shared_ptr<detail::address_race> race;
  std::optional<detail::address_race::stream::socket> winner;
  time_point begin;
  duration took{};
  std::error_code error;
  int calls = 0;
};

}  // namespace

TEST_CASE("the_address_families_take_turns") {
  const auto order = [](const std::vector<std::string>& addresses) {
    std::vector<tcp::endpoint> found;
    for (const auto& a : addresses) found.emplace_back(asio::ip::make_address(a), 80);
    std::vector<std::string> ordered;
    for (const auto& e : detail::in_turns(found)) ordered.push_back(e.address().to_string());
    return ordered;
  };
  using list = std::vector<std::string>;
  CHECK(order({}) == list{});
  CHECK(order({"10.0.0.1", "10.0.0.2"}) == list{"10.0.0.1", "10.0.0.2"});
  CHECK(order({"::1", "::2", "::3", "10.0.0.1"}) == list{"::1", "10.0.0.1", "::2", "::3"});
  CHECK(order({"10.0.0.1", "::1", "::2", "10.0.0.2"}) == list{"10.0.0.1", "::1", "10.0.0.2", "::2"});
}

TEST_CASE("an_address_that_does_not_answer_is_overtaken") {
  const silent_address nobody;
  asio::io_context others;
  const tcp::acceptor somebody(others, on_loopback(0));
  running_race r({on_loopback(nobody.port()), somebody.local_endpoint()});
  REQUIRE(r.finish());
  REQUIRE_FALSE(r.error);
  CHECK(r.winning_port() == somebody.local_endpoint().port());
  CHECK(r.took >= detail::address_race::trial_delay);
  r.winner.reset();
  CHECK(link_support::runs_out(r.context));
  CHECK(r.calls == 1);
}

TEST_CASE("the_address_behind_one_that_refuses_is_tried_at_once") {
  asio::io_context others;
  const tcp::acceptor somebody(others, on_loopback(0));
  std::vector<tcp::endpoint> addresses = refusing(40);
  addresses.push_back(somebody.local_endpoint());
  running_race r(addresses);
  REQUIRE(r.finish());
  CHECK_FALSE(r.error);
  CHECK(r.took < 40 * detail::address_race::trial_delay / 2);
}

TEST_CASE("the_first_address_that_answers_is_the_only_one") {
  asio::io_context others;
  const tcp::acceptor first(others, on_loopback(0));
  tcp::acceptor second(others, on_loopback(0));
  running_race r({first.local_endpoint(), second.local_endpoint()});
  REQUIRE(r.finish());
  CHECK(r.winning_port() == first.local_endpoint().port());
  link_support::run_a_moment(r.context, 2 * detail::address_race::trial_delay);
  second.non_blocking(true);
  std::error_code nobody_came;
  second.accept(nobody_came);
  CHECK(nobody_came == asio::error::would_block);
}

TEST_CASE("addresses_that_all_refuse_are_one_refusal") {
  running_race r(refusing(3));
  REQUIRE(r.finish());
  CHECK(r.error == std::errc::connection_refused);
  CHECK(link_support::runs_out(r.context));
  CHECK(r.calls == 1);
}

TEST_CASE("a_refusal_waits_for_the_trial_that_is_under_way") {
  const silent_address nobody;
  std::vector<tcp::endpoint> addresses = refusing(1);
  addresses.insert(addresses.begin(), on_loopback(nobody.port()));
  running_race r(addresses);
  link_support::run_a_moment(r.context, 2 * detail::address_race::trial_delay);
  CHECK(r.calls == 0);
  r.race.reset();
  CHECK(link_support::runs_out(r.context));
  CHECK(r.calls == 0);
}

#include <fairlead/handshake/permessage_deflate.hpp>

#include <fairlead/handshake/response.hpp>
#include <handshake/least_seconds.hpp>
#include <support/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

using namespace fairlead;

// RFC 7692 sections 5, 7 and 7.1; TRUST H04, H17, H20, H23.

namespace {

/// Enabled, with these windows; the rest as it is by default.
deflate_options with(int send_window_bits = 15, int receive_window_bits = 15, bool send_takeover = true,
                     bool receive_takeover = true) {
  deflate_options options;
  options.enabled = true;
  options.send_window_bits = static_cast<std::uint8_t>(send_window_bits);
  options.send_takeover = send_takeover;
  options.receive_window_bits = static_cast<std::uint8_t>(receive_window_bits);
  options.receive_takeover = receive_takeover;
  return options;
}

/// Reads a header; one that is malformed is a mistake in the test.
extension_list read(std::string_view header) {
  const http_field field{"Sec-WebSocket-Extensions", header};
  extension_list parsed = parse_extensions({&field, 1});
  REQUIRE(parsed.error == errc::ok);
  return parsed;
}

/// What a server answers to these offers; nothing if it declines all.
std::optional<std::string> answer(std::string_view offers, const deflate_options& options) {
  const std::optional<accepted_deflate> accepted = accept_deflate(read(offers).extensions, options);
  if (!accepted) return std::nullopt;
  return accepted->response;
}

deflate_agreement check(std::string_view response, const deflate_options& options) {
  return check_deflate_response(read(response).extensions, options);
}

void check_refused(std::string_view response, const deflate_options& options = with()) {
  CAPTURE(response);
  const deflate_agreement agreement = check(response, options);
  CHECK(agreement.error == errc::bad_extension_response);
  CHECK_FALSE(agreement.params);
}

/// Parameters that no offer and no response may have, each to follow `permessage-deflate`.
const std::vector<std::string> invalid_params = {
    "; unknown",
    "; unknown=1",
    "; Server_no_context_takeover",
    "; server_no_context_takeover=1",
    "; client_no_context_takeover=true",
    "; server_no_context_takeover; server_no_context_takeover",
    "; client_no_context_takeover; client_no_context_takeover",
    "; server_max_window_bits",
    "; server_max_window_bits=10; server_max_window_bits=10",
    "; server_max_window_bits=10; server_max_window_bits=11",
    "; client_max_window_bits=10; client_max_window_bits=10",
    "; client_max_window_bits; client_max_window_bits",
    "; client_max_window_bits; client_max_window_bits=10",
    "; client_max_window_bits=10; client_max_window_bits",
};

/// Values that are no size of a window. The empty one is malformed wherever it comes from the wire.
const std::vector<std::string> invalid_windows = {"7",
                                                  "16",
                                                  "0",
                                                  "-1",
                                                  "abc",
                                                  "08",
                                                  "010",
                                                  "015",
                                                  "+9",
                                                  "0x9",
                                                  "9.0",
                                                  "1a",
                                                  "a",
                                                  "150",
                                                  "1",
                                                  "255",
                                                  "264",
                                                  "1e1",
                                                  "99999999999999999999"};

/// All options whose negotiation differs.
std::vector<deflate_options> all_options() {
  std::vector<deflate_options> all;
  for (const bool send_takeover : {false, true}) {
    for (const bool receive_takeover : {false, true}) {
      for (int send = min_send_window_bits; send <= max_window_bits; ++send) {
        for (int receive = min_window_bits; receive <= max_window_bits; ++receive) {
          all.push_back(with(send, receive, send_takeover, receive_takeover));
        }
      }
    }
  }
  return all;
}

std::string describe(const deflate_options& options) {
  return "sends " + std::to_string(options.send_window_bits) + (options.send_takeover ? "+" : "-") +
         " receives " + std::to_string(options.receive_window_bits) + (options.receive_takeover ? "+" : "-");
}

}  // namespace

TEST_CASE("deflate_is_off_by_default_and_its_defaults_are_valid") {
  CHECK_FALSE(deflate_options().enabled);
  CHECK(is_valid(deflate_options()));
}

// H20: what could not be kept is not offered either.
TEST_CASE("deflate_options_have_ranges") {
  const auto changed = [](auto member, int value) {
    deflate_options options;
    options.*member = static_cast<std::decay_t<decltype(options.*member)>>(value);
    return is_valid(options);
  };
  for (const int bits : {0, 7, 8, 16, 255}) CHECK_FALSE(changed(&deflate_options::send_window_bits, bits));
  for (const int bits : {9, 15}) CHECK(changed(&deflate_options::send_window_bits, bits));
  for (const int bits : {0, 7, 16, 255}) CHECK_FALSE(changed(&deflate_options::receive_window_bits, bits));
  for (const int bits : {8, 15}) CHECK(changed(&deflate_options::receive_window_bits, bits));
  for (const int value : {-1, 0, 10}) {
    CHECK_FALSE(changed(&deflate_options::level, value));
    CHECK_FALSE(changed(&deflate_options::memory_level, value));
  }
  for (const int value : {1, 9}) {
    CHECK(changed(&deflate_options::level, value));
    CHECK(changed(&deflate_options::memory_level, value));
  }
}

// --- The server

TEST_CASE("server_answers_what_browsers_offer") {
  const deflate_options defaults = with(15, 15, false, false);
  const std::string both_off = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  CHECK(answer("permessage-deflate", defaults) == both_off);
  CHECK(answer("permessage-deflate; client_max_window_bits", defaults) == both_off);
  CHECK(answer("x-webkit-deflate-frame, permessage-deflate", defaults) == both_off);
  CHECK(answer("permessage-deflate; client_max_window_bits", with()) == "permessage-deflate");
}

TEST_CASE("server_gives_up_takeover_if_the_offer_or_its_options_say_so") {
  const std::string name = "permessage-deflate";
  for (const bool offered : {false, true}) {
    for (const bool wanted : {false, true}) {
      const bool given_up = offered || !wanted;
      const auto expected = [&](const std::string& param) { return given_up ? name + param : name; };
      const auto offer = [&](const std::string& param) { return offered ? name + param : name; };
      const std::string server = "; server_no_context_takeover";
      const std::string client = "; client_no_context_takeover";
      CHECK(answer(offer(server), with(15, 15, wanted, true)) == expected(server));
      CHECK(answer(offer(client), with(15, 15, true, wanted)) == expected(client));
    }
  }
}

TEST_CASE("server_takes_the_smaller_window_for_itself") {
  struct {
    const char* offered;
    int own;
    const char* answered;
  } const rows[] = {
      {"", 15, ""},
      {"", 12, "; server_max_window_bits=12"},
      {"; server_max_window_bits=15", 15, "; server_max_window_bits=15"},
      {"; server_max_window_bits=15", 12, "; server_max_window_bits=12"},
      {"; server_max_window_bits=12", 15, "; server_max_window_bits=12"},
      {"; server_max_window_bits=9", 15, "; server_max_window_bits=9"},
      {"; server_max_window_bits=15", 9, "; server_max_window_bits=9"},
      {"; server_max_window_bits=\"1\\0\"", 15, "; server_max_window_bits=10"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.offered, row.own);
    CHECK(answer(std::string("permessage-deflate") + row.offered, with(row.own)) ==
          std::string("permessage-deflate") + row.answered);
  }
}

TEST_CASE("server_declines_a_window_that_its_compressor_cannot_keep_to") {
  CHECK_FALSE(answer("permessage-deflate; server_max_window_bits=8", with()));
  CHECK_FALSE(answer("permessage-deflate; server_max_window_bits=8; server_no_context_takeover", with()));
  CHECK(answer("permessage-deflate; server_max_window_bits=9", with()));
}

// RFC 7692 section 7.1.2.2. Each row with the client's takeover, then without.
TEST_CASE("server_limits_the_window_of_a_client_that_offers_it") {
  const std::optional<std::string> declined;
  const std::optional<std::string> largest = "";
  const auto bits = [](int n) { return "; client_max_window_bits=" + std::to_string(n); };
  struct {
    std::string offered;
    int limit;
    std::optional<std::string> with_takeover;
    std::optional<std::string> without_takeover;
  } const rows[] = {
      {"", 15, largest, largest},
      {"", 14, declined, largest},
      {"", 8, declined, largest},
      {"; client_max_window_bits", 15, largest, largest},
      {"; client_max_window_bits", 14, bits(14), bits(14)},
      {"; client_max_window_bits", 9, bits(9), bits(9)},
      {"; client_max_window_bits", 8, declined, bits(9)},
      {bits(15), 15, largest, largest},
      {bits(15), 10, bits(10), bits(10)},
      {bits(10), 15, bits(10), bits(10)},
      {bits(10), 10, bits(10), bits(10)},
      {bits(9), 8, declined, bits(9)},
      {bits(8), 15, bits(8), bits(8)},
      {bits(8), 8, bits(8), bits(8)},
  };
  const std::string name = "permessage-deflate";
  const std::string no_takeover = "; client_no_context_takeover";
  for (const auto& row : rows) {
    CAPTURE(row.offered, row.limit);
    const auto expected = [&](const std::optional<std::string>& window, const std::string& takeover) {
      return window ? std::optional(name + takeover + *window) : std::nullopt;
    };
    CHECK(answer(name + row.offered, with(15, row.limit)) == expected(row.with_takeover, ""));
    const std::optional<std::string> bounded = expected(row.without_takeover, no_takeover);
    CHECK(answer(name + row.offered + no_takeover, with(15, row.limit)) == bounded);
    CHECK(answer(name + row.offered, with(15, row.limit, true, false)) == bounded);
  }
}

// H20, RFC 7692 section 7.
TEST_CASE("server_declines_offers_with_invalid_parameters") {
  std::vector<std::string> offers = invalid_params;
  for (const std::string& value : invalid_windows) {
    offers.push_back("; server_max_window_bits=" + value);
    offers.push_back("; client_max_window_bits=" + value);
    offers.push_back("; client_max_window_bits=\"" + value + "\"");
  }
  for (const std::string& params : offers) {
    CAPTURE(params);
    const std::string offer = "permessage-deflate" + params;
    CHECK_FALSE(answer(offer, with()));
    CHECK_FALSE(answer(
        "permessage-deflate; server_no_context_takeover" + params + "; client_no_context_takeover", with()));
    CHECK(answer(offer + ", permessage-deflate", with()) == "permessage-deflate");
  }
}

// H20: the parser refuses an empty value; whoever makes an extension otherwise gets no further.
TEST_CASE("an_empty_window_is_declined_and_refused") {
  for (const char* name : {"server_max_window_bits", "client_max_window_bits"}) {
    const extension element{"permessage-deflate", {{name, ""}}};
    CHECK_FALSE(accept_deflate({&element, 1}, with()));
    CHECK(check_deflate_response({&element, 1}, with()).error == errc::bad_extension_response);
    const http_field field{"Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits="};
    CHECK(parse_extensions({&field, 1}).error == errc::bad_extensions);
  }
}

TEST_CASE("each_window_of_eight_to_fifteen_bits_and_no_other_number_is_one") {
  for (int number = 0; number <= 300; ++number) {
    CAPTURE(number);
    const std::string offer = "permessage-deflate; client_max_window_bits=" + std::to_string(number);
    CHECK(answer(offer, with()).has_value() == (number >= 8 && number <= 15));
  }
}

TEST_CASE("server_accepts_the_first_offer_that_it_can") {
  const auto choose = [](const char* offers) { return answer(offers, with(12, 10)).value_or("none"); };
  const std::string ours = "permessage-deflate; server_max_window_bits=";
  CHECK(
      choose("permessage-deflate; client_max_window_bits, permessage-deflate; client_no_context_takeover") ==
      ours + "12; client_max_window_bits=10");
  CHECK(choose(
            "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8,"
            "other; server_max_window_bits=9, permessage-deflate, Permessage-Deflate; client_max_window_bits,"
            "permessage-deflate; server_max_window_bits=11; client_max_window_bits=9,"
            "permessage-deflate; client_max_window_bits") == ours + "11; client_max_window_bits=9");
  CHECK(choose("permessage-deflate, foo; client_max_window_bits") == "none");
  CHECK_FALSE(accept_deflate({}, with()));
}

// H23.
TEST_CASE("server_answers_no_offer_unless_it_is_enabled") {
  deflate_options off = with();
  off.enabled = false;
  for (const char* offers :
       {"permessage-deflate", "permessage-deflate; client_max_window_bits, permessage-deflate",
        "permessage-deflate; server_max_window_bits=99", "x; y=z"}) {
    CHECK_FALSE(accept_deflate(read(offers).extensions, off));
  }
}

// H16: nothing of the peer's text is sent back.
TEST_CASE("the_servers_answer_is_a_field_value") {
  for (const deflate_options& options : all_options()) {
    const std::optional<std::string> value =
        answer("permessage-deflate; client_max_window_bits=\"1\\5\"", options);
    if (!value) continue;
    response accepted = upgrade_response("dGhlIHNhbXBsZSBub25jZQ==");
    REQUIRE(encode(accepted.add("Sec-WebSocket-Extensions", *value)).error == errc::ok);
  }
}

// H04: many offers, all declined.
TEST_CASE("many_offers_cost_in_proportion_to_their_number") {
  const auto seconds = [](int count) {
    std::vector<extension> offers(static_cast<std::size_t>(count),
                                  {"permessage-deflate", {{"client_max_window_bits", "16"}}});
    std::vector<extension_param> params(static_cast<std::size_t>(count), {"unknown", "1"});
    params.front() = {"client_max_window_bits", "10"};
    offers.push_back({"permessage-deflate", std::move(params)});
    return least_seconds([&] { REQUIRE_FALSE(accept_deflate(offers, with())); });
  };
  CHECK(seconds(160'000) <= 64 * seconds(10'000));
}

// --- The client

TEST_CASE("client_offers_what_its_options_say") {
  struct {
    deflate_options options;
    std::string offers;
  } const rows[] = {
      {with(), "permessage-deflate; client_max_window_bits"},
      {with(12), "permessage-deflate; client_max_window_bits=12"},
      {with(15, 15, false, true), "permessage-deflate; client_no_context_takeover; client_max_window_bits"},
      {with(15, 15, true, false), "permessage-deflate; server_no_context_takeover; client_max_window_bits"},
      // A limit on the server's window comes with a second offer, which needs none.
      {with(15, 10),
       "permessage-deflate; server_max_window_bits=10; client_max_window_bits, "
       "permessage-deflate; server_no_context_takeover; client_max_window_bits"},
      // Not with a limit that no zlib can keep to.
      {with(15, 8), "permessage-deflate; server_no_context_takeover; client_max_window_bits"},
      {with(9, 10, false, false),
       "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
       "server_max_window_bits=10; client_max_window_bits=9, "
       "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
       "client_max_window_bits=9"},
  };
  for (const auto& row : rows) CHECK(offer_deflate(row.options) == row.offers);
  CHECK(offer_deflate(deflate_options()).empty());
}

TEST_CASE("a_response_without_extensions_declines") {
  for (const deflate_options& options : {deflate_options(), with(), with(9, 9, false, false)}) {
    CHECK(check_deflate_response({}, options).error == errc::ok);
    CHECK_FALSE(check_deflate_response({}, options).params);
  }
}

TEST_CASE("client_reads_what_was_agreed") {
  const auto agreed = [](const char* params, const deflate_options& options = with()) {
    CAPTURE(params);
    const deflate_agreement agreement = check(std::string("permessage-deflate") + params, options);
    REQUIRE(agreement.error == errc::ok);
    REQUIRE(agreement.params);
    return *agreement.params;
  };
  CHECK(agreed("") == deflate_params{});
  CHECK(agreed("; server_no_context_takeover") == deflate_params{true, false, 15, 15});
  CHECK(agreed("; client_no_context_takeover") == deflate_params{false, true, 15, 15});
  CHECK(agreed("; server_max_window_bits=8") == deflate_params{false, false, 8, 15});
  CHECK(agreed("; server_max_window_bits=15") == deflate_params{});
  CHECK(agreed("; client_max_window_bits=9") == deflate_params{false, false, 15, 9});
  CHECK(agreed("; client_max_window_bits=15") == deflate_params{});
  CHECK(agreed("; client_max_window_bits=10; server_max_window_bits=11; client_no_context_takeover;"
               "server_no_context_takeover") == deflate_params{true, true, 11, 10});
  CHECK(agreed("; server_max_window_bits=10", with(15, 10)) == deflate_params{false, false, 10, 15});
  CHECK(agreed("; client_max_window_bits=10", with(10)) == deflate_params{false, false, 15, 10});
}

// H17, RFC 6455 section 4.1 and RFC 7692 section 5.
TEST_CASE("client_refuses_extensions_that_it_did_not_offer") {
  for (const char* response :
       {"foo", "permessage-deflate, foo", "foo, permessage-deflate", "Permessage-Deflate",
        "permessage-deflate, permessage-deflate", "x-webkit-deflate-frame"}) {
    check_refused(response);
  }
}

// H23.
TEST_CASE("client_refuses_deflate_unless_it_is_enabled") {
  deflate_options off = with();
  off.enabled = false;
  check_refused("permessage-deflate", off);
  check_refused("permessage-deflate; server_no_context_takeover", off);
  check_refused("foo", off);
}

// H20, RFC 7692 section 7.
TEST_CASE("client_refuses_responses_with_invalid_parameters") {
  for (const std::string& params : invalid_params) check_refused("permessage-deflate" + params);
  for (const std::string& value : invalid_windows) {
    check_refused("permessage-deflate; server_max_window_bits=" + value);
    check_refused("permessage-deflate; client_max_window_bits=" + value);
  }
  check_refused("permessage-deflate; client_max_window_bits");
}

TEST_CASE("client_refuses_a_window_that_its_compressor_cannot_keep_to") {
  check_refused("permessage-deflate; client_max_window_bits=8");
  check_refused("permessage-deflate; client_max_window_bits=8; client_no_context_takeover");
}

TEST_CASE("client_refuses_a_larger_window_than_it_offered") {
  check_refused("permessage-deflate; client_max_window_bits=11", with(10));
  check_refused("permessage-deflate; client_max_window_bits=15", with(10));
  check_refused("permessage-deflate; server_max_window_bits=11", with(15, 10));
  check_refused("permessage-deflate", with(15, 10));
  // The second offer allowed it.
  const deflate_agreement second =
      check("permessage-deflate; server_no_context_takeover; server_max_window_bits=11", with(15, 10));
  CHECK(second.params == deflate_params{true, false, 11, 15});
}

TEST_CASE("client_refuses_a_takeover_that_it_offered_to_give_up") {
  check_refused("permessage-deflate", with(15, 15, true, false));
  check_refused("permessage-deflate; server_max_window_bits=9", with(15, 10, true, false));
  check_refused("permessage-deflate; server_max_window_bits=8", with(15, 8));
  check_refused("permessage-deflate; client_no_context_takeover", with(15, 15, true, false));
}

// --- Both

// The four takeovers and all windows, on both sides: 50,176 pairs.
TEST_CASE("server_and_client_agree_within_the_limits_of_both_or_not_at_all") {
  const std::vector<deflate_options> all = all_options();
  std::size_t pairs = 0;
  for (const deflate_options& client : all) {
    const std::string header = offer_deflate(client);
    const extension_list offers = read(header);
    for (const deflate_options& server : all) {
      ++pairs;
      const std::optional<accepted_deflate> accepted = accept_deflate(offers.extensions, server);
      // A limit of 256 bytes is one that no zlib can keep to, and it matters only if a session pays for it.
      const bool can_agree =
          server.receive_window_bits >= 9 || !server.receive_takeover || !client.send_takeover;
      bool good = accepted.has_value() == can_agree;
      if (accepted) {
        const deflate_agreement agreement = check(accepted->response, client);
        const deflate_params& agreed = accepted->params;
        // The same on both ends.
        good = good && agreement.error == errc::ok && agreement.params == agreed;
        // No session pays for more than its side allows.
        good = good && (agreed.server_no_context_takeover ||
                        (client.receive_takeover && server.send_takeover &&
                         agreed.server_max_window_bits <= client.receive_window_bits));
        good = good && (agreed.client_no_context_takeover ||
                        (server.receive_takeover && client.send_takeover &&
                         agreed.client_max_window_bits <= server.receive_window_bits));
        // Both compressors can keep to it.
        good = good && agreed.server_max_window_bits >= min_send_window_bits &&
               agreed.server_max_window_bits <= server.send_window_bits &&
               agreed.client_max_window_bits >= min_send_window_bits &&
               agreed.client_max_window_bits <= client.send_window_bits;
      }
      if (!good) {
        CAPTURE(describe(client), header, describe(server), accepted ? accepted->response : "declined");
        FAIL("they do not agree");
      }
    }
  }
  CHECK(pairs == 50'176);
}

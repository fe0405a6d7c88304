#include <fairlead/wire/close_code.hpp>
#include <fairlead/wire/frame_header.hpp>

#include <support/catch.hpp>

#include <set>
#include <string_view>

using namespace fairlead;

namespace {

struct code_range {
  unsigned first, last;
  bool sendable;
};

// RFC 6455 section 7.4, with 1012-1014 from the IANA registry. TRUST C06, F15.
constexpr code_range ranges[] = {
    {0, 999, false},     {1000, 1003, true}, {1004, 1006, false},  {1007, 1014, true},
    {1015, 2999, false}, {3000, 4999, true}, {5000, 65535, false},
};

}  // namespace

TEST_CASE("each_close_code_may_or_may_not_be_sent") {
  unsigned next = 0;
  for (const code_range& range : ranges) {
    REQUIRE(range.first == next);
    unsigned wrong = 0;
    for (unsigned code = range.first; code <= range.last; ++code) {
      wrong += may_be_sent(static_cast<close_code>(code)) != range.sendable;
    }
    INFO("codes " << range.first << " to " << range.last);
    CHECK(wrong == 0);
    next = range.last + 1;
  }
  CHECK(next == 65536);
}

TEST_CASE("a_code_that_is_only_observed_may_not_be_sent") {
  CHECK_FALSE(may_be_sent(close_code::no_status));
  CHECK_FALSE(may_be_sent(close_code::abnormal));
  CHECK_FALSE(may_be_sent(close_code::tls_handshake));
}

TEST_CASE("every_named_close_code_has_a_description_of_its_own") {
  const std::string_view unassigned = description(close_code{1004});
  std::set<std::string_view> seen{unassigned};
  for (unsigned code = 1000; code <= 1015; ++code) {
    if (code == 1004) continue;
    INFO(code);
    CHECK(seen.insert(description(static_cast<close_code>(code))).second);
  }
}

TEST_CASE("a_close_code_without_a_name_is_described_by_its_range") {
  CHECK(description(close_code{3000}) == description(close_code{3999}));
  CHECK(description(close_code{4000}) == description(close_code{4999}));
  CHECK(description(close_code{3999}) != description(close_code{4000}));
  for (const unsigned code : {0u, 999u, 1004u, 1016u, 2999u, 5000u, 65535u}) {
    CHECK(description(static_cast<close_code>(code)) == description(close_code{1004}));
  }
  CHECK(description(close_code{3000}) != description(close_code{2999}));
  CHECK(description(close_code{4999}) != description(close_code{5000}));
  CHECK_FALSE(description(close_code{1004}).empty());
}

// Section 5.5.1: the reason shares the payload of a control frame with a code of two bytes.
static_assert(max_close_reason_size + sizeof(close_code) == max_control_payload);

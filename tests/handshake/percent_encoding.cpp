#include <fairlead/handshake/detail/percent_encoding.hpp>

#include <support/catch.hpp>

#include <cstddef>
#include <string>
#include <string_view>

using namespace fairlead::detail;

// RFC 3986 section 2.1.

TEST_CASE("each_byte_is_decoded_in_either_case") {
  constexpr std::string_view lower = "0123456789abcdef";
  constexpr std::string_view upper = "0123456789ABCDEF";
  for (unsigned byte = 0; byte < 256; ++byte) {
    for (const std::string_view digits : {lower, upper}) {
      const std::string text = {'%', digits[byte / 16], digits[byte % 16]};
      CHECK(percent_decode(text, plus_sign::is_itself) == std::string(1, static_cast<char>(byte)));
      CHECK(is_percent_encoded(text));
    }
  }
}

TEST_CASE("a_plus_is_a_space_only_where_asked") {
  CHECK(percent_decode("a+b%2B", plus_sign::is_itself) == "a+b+");
  CHECK(percent_decode("a+b%2B", plus_sign::is_space) == "a b+");
}

TEST_CASE("decoding_happens_once") { CHECK(percent_decode("%2541%25", plus_sign::is_itself) == "%41%"); }

TEST_CASE("a_percent_sign_without_two_digits_is_refused") {
  for (const char* text :
       {"%", "%4", "a%", "a%4", "%%41", "%4%", "%g0", "%0g", "%:0", "%0/", "%@0", "%0`", "% 1", "%41%"}) {
    CAPTURE(text);
    CHECK_FALSE(percent_decode(text, plus_sign::is_itself));
    CHECK_FALSE(is_percent_encoded(text));
  }
}

TEST_CASE("digits_behind_the_end_do_not_count") {
  const std::string_view whole = "%41";
  for (const std::size_t size : {1U, 2U}) {
    CHECK_FALSE(percent_decode(whole.substr(0, size), plus_sign::is_itself));
    CHECK_FALSE(is_percent_encoded(whole.substr(0, size)));
  }
}

TEST_CASE("text_without_a_percent_sign_is_itself") {
  CHECK(percent_decode("", plus_sign::is_space) == "");
  CHECK(percent_decode("/a-b", plus_sign::is_space) == "/a-b");
  CHECK(is_percent_encoded(""));
}

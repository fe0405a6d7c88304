#include <fairlead/handshake/detail/base64.hpp>

#include <support/catch.hpp>

#include <string>
#include <string_view>

namespace {

std::string encoded(std::string_view text) {
  return fairlead::detail::base64_encode({reinterpret_cast<const unsigned char*>(text.data()), text.size()});
}

}  // namespace

// RFC 4648 sections 4 and 10.

TEST_CASE("base64_pads_to_four_digits") {
  CHECK(encoded("").empty());
  CHECK(encoded("f") == "Zg==");
  CHECK(encoded("fo") == "Zm8=");
  CHECK(encoded("foo") == "Zm9v");
  CHECK(encoded("foob") == "Zm9vYg==");
  CHECK(encoded("fooba") == "Zm9vYmE=");
  CHECK(encoded("foobar") == "Zm9vYmFy");
}

TEST_CASE("base64_ends_in_plus_and_slash") { CHECK(encoded("\xfb\xff\xbf") == "+/+/"); }

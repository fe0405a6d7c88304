#include <fairlead/handshake/accept_key.hpp>

#include <support/catch.hpp>

#include <string>

using namespace fairlead;

// RFC 6455 section 1.3 has the first; SCOPE section 1 has both.
TEST_CASE("accept_key_answers_the_published_keys") {
  CHECK(accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(accept_key("x3JJHMbDL1EzLkh9GBhXDw==") == "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}

TEST_CASE("accept_key_takes_text_of_any_size") {
  for (const std::size_t size : {0U, 1U, 19U, 20U, 8192U})
    CHECK(accept_key(std::string(size, 'k')).size() == 28);
}

TEST_CASE("sixteen_bytes_in_base64_are_a_key") {
  for (const char* key : {"dGhlIHNhbXBsZSBub25jZQ==", "x3JJHMbDL1EzLkh9GBhXDw==", "AAAAAAAAAAAAAAAAAAAAAA==",
                          "/////////////////////w==", "+++++++++++++++++++++g=="}) {
    CAPTURE(key);
    CHECK(is_websocket_key(key));
  }
}

// H06, H27: RFC 6455 section 4.2.1 item 5.
TEST_CASE("anything_else_is_no_key") {
  for (const std::string key :
       {"", "=", "==", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25j",      // 15 bytes
        "dGhlIHNhbXBsZSBub25jZWU=",  // 17 bytes
        "dGhlIHNhbXBsZSBub25jZR==",  // a bit behind the last byte
        "dGhlIHNhbXBsZSBub25jZQ= ", "dGhlIHNhbXBsZSBub25j=Q==", "dGhlIHNhbXBsZSBub25j*Q==",
        "dGhlIHNhbXBs-SBub25jZQ==", "dGhlIHNhbXBs_SBub25jZQ==", "dGhlIHNhbXBs SBub25jZQ==",
        "========================"}) {
    CAPTURE(key);
    CHECK_FALSE(is_websocket_key(key));
  }
  CHECK_FALSE(is_websocket_key(std::string(8192, 'A')));
  CHECK_FALSE(is_websocket_key(std::string(24, ' ')));
  CHECK_FALSE(is_websocket_key(std::string("dGhlIHNhbXBsZSBub25j\0Q==", 24)));
}

TEST_CASE("only_four_digits_can_end_a_key") {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string ends;
  for (const char digit : digits) {
    if (is_websocket_key(std::string(21, 'A') + digit + "==")) ends += digit;
  }
  CHECK(ends == "AQgw");
}

#include <fairlead/guard/equal_secrets.hpp>

#include <support/catch.hpp>

#include <string>

using namespace fairlead;

// That the time does not tell where two secrets differ is CRYPTO_memcmp's promise. It is not measured here: what one
// call takes, some nanoseconds, is less than what a busy machine adds to it.

TEST_CASE("S05: secrets are equal only when every byte is") {
  const std::string secret = std::string("correct horse\0battery", 21);
  CHECK(equal_secrets(secret, std::string(secret)));
  for (std::size_t i = 0; i < secret.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string other = secret;
      other[i] = static_cast<char>(other[i] ^ (1 << bit));
      CHECK_FALSE(equal_secrets(secret, other));
      CHECK_FALSE(equal_secrets(other, secret));
    }
  }
}

TEST_CASE("S05: secrets of different sizes are not equal, though one begins with the other") {
  const std::string secret = "correct horse";
  CHECK_FALSE(equal_secrets(secret, secret.substr(0, 12)));
  CHECK_FALSE(equal_secrets(secret.substr(0, 12), secret));
  CHECK_FALSE(equal_secrets(secret, secret + '\0'));
  CHECK_FALSE(equal_secrets(secret, {}));
  CHECK(equal_secrets({}, ""));
}

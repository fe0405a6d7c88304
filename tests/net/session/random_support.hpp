#ifndef FAIRLEAD_TESTS_NET_SESSION_RANDOM_SUPPORT_HPP
#define FAIRLEAD_TESTS_NET_SESSION_RANDOM_SUPPORT_HPP

#include <openssl/rand.h>

// Deprecated since OpenSSL 3.0, but nothing else makes its source fail.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace net_test {

/// As long as it lives, OpenSSL has no random bytes.
class no_randomness {
 public:
  no_randomness() {
    unsigned char byte = 0;
    RAND_bytes(&byte, 1);  // else OpenSSL makes its own source as it goes, and leaks it
    RAND_set_rand_method(&method);
  }
  no_randomness(const no_randomness&) = delete;
  no_randomness& operator=(const no_randomness&) = delete;
  ~no_randomness() { RAND_set_rand_method(nullptr); }

 private:
  static int fail(unsigned char*, int) { return 0; }
  static inline const RAND_METHOD method{nullptr, fail, nullptr, nullptr, fail, nullptr};
};

}  // namespace net_test

#pragma GCC diagnostic pop

#endif

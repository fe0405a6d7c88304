// Writes certificates for scripts: those of an authority, of localhost by it, and of localhost by itself.
//
//   fairlead_test_certificates_tool FOLDER
//
// prints where they are, and the pin of the first of localhost, as one line of JSON.
#include "certificates.hpp"

#include <fairlead/json_writer.hpp>

#include <cstdio>
#include <exception>
#include <stdexcept>

int main(int argc, char** argv) try {
  if (argc != 2) throw std::invalid_argument("the folder has to be given, and nothing else");
  const certificates::authority trusted(argv[1]);
  const certificates::subject localhost{"localhost", {"localhost"}, {"127.0.0.1", "::1"}};
  const fairlead::tls_certificate issued = trusted.issue(localhost);
  certificates::subject stranger = localhost;
  stranger.name = "stranger";
  const fairlead::tls_certificate untrusted = trusted.issue_self_signed(stranger);
  fairlead::json_writer json;
  json.begin_object()
      .member("authority", trusted.file().string())
      .member("certificate", issued.chain.string())
      .member("key", issued.key.string())
      .member("pin", certificates::pin_of(issued.chain))
      .member("untrusted_certificate", untrusted.chain.string())
      .member("untrusted_key", untrusted.key.string())
      .end_object();
  std::puts(json.text().c_str());
} catch (const std::exception& e) {
  std::fprintf(stderr, "fairlead_test_certificates_tool: %s\n", e.what());
  return 1;
}

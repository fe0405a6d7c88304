#ifndef FAIRLEAD_TESTS_CONFORMANCE_HANDSHAKE_HPP
#define FAIRLEAD_TESTS_CONFORMANCE_HANDSHAKE_HPP

#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

// The tester's opening handshake (RFC 6455 section 4).
namespace conformance {

/// The start line and the fields of a request or a response, by their names in lower case.
struct http_head {
  std::string start;
  std::map<std::string, std::string> fields;
};

/// Takes a head and the empty line behind it from the front of `bytes`. Throws std::runtime_error when there
/// is none.
http_head take_head(std::string& bytes);

std::string client_request(std::string_view extensions);

/// Throws std::runtime_error unless the response accepts client_request().
void check_response(const http_head& head);

/// The response to a client's request. Throws std::runtime_error when the request is not valid.
std::string server_response(const http_head& request, std::string_view extensions);

}  // namespace conformance

#endif

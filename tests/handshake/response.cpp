#include <fairlead/handshake/response.hpp>

#include <support/catch.hpp>

#include <string>
#include <vector>

using namespace fairlead;
using namespace std::string_literals;

// RFC 9112 section 4, RFC 6455 section 4.2.2; TRUST H07, H08, H16.

namespace {

const std::string sample_key = "dGhlIHNhbXBsZSBub25jZQ==";

response with_field(std::string name, std::string value) {
  response answer = text_response(http_status::ok, "body");
  answer.add(std::move(name), std::move(value));
  return answer;
}

bool has_line(const std::string& bytes, const std::string& line) {
  return bytes.find("\r\n" + line + "\r\n") != std::string::npos;
}

void check_refused(const response& answer) {
  const encoded_response encoded = encode(answer);
  CHECK(encoded.error == errc::bad_argument);
  CHECK(encoded.bytes.empty());
}

}  // namespace

// RFC 6455 section 1.2.
TEST_CASE("the_upgrade_is_answered_as_the_rfc_shows") {
  CHECK(encode(upgrade_response(sample_key, "chat")).bytes ==
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        "Sec-WebSocket-Protocol: chat\r\n"
        "\r\n");
}

TEST_CASE("an_upgrade_without_subprotocol_names_none") {
  const encoded_response encoded = encode(upgrade_response(sample_key));
  CHECK(encoded.error == errc::ok);
  CHECK(encoded.bytes.find("Protocol:") == std::string::npos);
}

TEST_CASE("text_is_written_with_its_type_and_size") {
  CHECK(encode(text_response(http_status::ok, "ahoy", "text/html")).bytes ==
        "HTTP/1.1 200 OK\r\n"
        "Content-Type: text/html\r\n"
        "Content-Length: 4\r\n"
        "Connection: close\r\n"
        "\r\n"
        "ahoy");
}

// RFC 9110 section 9.3.2.
TEST_CASE("an_answer_to_head_is_the_answer_to_get_without_its_body") {
  const response answer = text_response(http_status::ok, "ahoy");
  CHECK(encode(answer, true).bytes + "ahoy" == encode(answer).bytes);
}

// RFC 9110 section 8.6.
TEST_CASE("statuses_without_content_have_no_length_and_no_body") {
  for (const int status : {101, 204, 304}) {
    response answer;
    answer.status = static_cast<http_status>(status);
    const encoded_response encoded = encode(answer);
    CHECK(encoded.error == errc::ok);
    CHECK(encoded.bytes.find("Content-Length") == std::string::npos);
    CHECK(has_line(encoded.bytes, "Connection: close") == (status != 101));
    answer.body = "x";
    check_refused(answer);
  }
  response empty;
  CHECK(has_line(encode(empty).bytes, "Content-Length: 0"));
}

TEST_CASE("only_statuses_that_end_a_request_are_sent") {
  for (const int status : {0, 99, 100, 102, 199, 600, 1000, 65535}) {
    check_refused(text_response(static_cast<http_status>(status), ""));
  }
  CHECK(encode(text_response(static_cast<http_status>(200), "")).error == errc::ok);
  CHECK(encode(text_response(static_cast<http_status>(599), "")).bytes.starts_with("HTTP/1.1 599 \r\n"));
}

// H16.
TEST_CASE("no_field_can_end_its_line") {
  for (const std::string& bad :
       {"a\r\nSet-Cookie: x"s, "a\r"s, "a\n"s, "\na"s, "a\0b"s, "a\x7f"s, "a\x01"s}) {
    check_refused(with_field("X", bad));
    check_refused(with_field(bad, "x"));
    check_refused(upgrade_response(sample_key, bad));
    check_refused(text_response(http_status::ok, "", bad));
  }
  for (const std::string& name : {""s, " X"s, "X "s, "X:"s, "X y"s, "X\xc3\xa9"s})
    check_refused(with_field(name, "x"));
  CHECK(has_line(encode(with_field("X", "a\tb \xc3\xa9")).bytes, "X: a\tb \xc3\xa9"));
  CHECK(has_line(encode(with_field("X", "")).bytes, "X: "));
}

// RFC 9112 section 6: two opinions on where the body ends are one request too many.
TEST_CASE("framing_is_not_the_callers") {
  for (const char* name :
       {"Content-Length", "content-length", "Transfer-Encoding", "Connection", "CONNECTION"}) {
    check_refused(with_field(name, "4"));
  }
  for (const char* name : {"Content-Length", "Transfer-Encoding"}) {
    check_refused(upgrade_response(sample_key).add(name, "0"));
  }
  CHECK(encode(upgrade_response(sample_key).add("Set-Cookie", "a=b")).error == errc::ok);
}

// H07, H08: every refusal closes, and names its fault.
TEST_CASE("every_error_is_answered_and_closes") {
  struct {
    errc error;
    std::string status_line;
    std::vector<std::string> lines;
  } const rows[] = {
      {errc::bad_request_line, "400 Bad Request", {}},
      {errc::bad_field, "400 Bad Request", {}},
      {errc::bad_host, "400 Bad Request", {}},
      {errc::body_not_allowed, "400 Bad Request", {}},
      {errc::bad_websocket_key, "400 Bad Request", {}},
      {errc::bad_subprotocol, "400 Bad Request", {}},
      {errc::bad_extensions, "400 Bad Request", {}},
      {errc::head_too_large, "431 Request Header Fields Too Large", {}},
      {errc::http_version_not_supported, "505 HTTP Version Not Supported", {}},
      {errc::method_not_allowed, "405 Method Not Allowed", {"Allow: GET"}},
      {errc::upgrade_missing, "426 Upgrade Required", {"Upgrade: websocket"}},
      {errc::bad_websocket_version,
       "426 Upgrade Required",
       {"Upgrade: websocket", "Sec-WebSocket-Version: 13"}},
  };
  for (const auto& row : rows) {
    const std::string message = make_error_code(row.error).message() + "\n";
    const encoded_response encoded = encode(error_response(row.error));
    CAPTURE(encoded.bytes);
    CHECK(encoded.error == errc::ok);
    CHECK(encoded.bytes.starts_with("HTTP/1.1 " + row.status_line + "\r\n"));
    CHECK(encoded.bytes.ends_with("\r\n\r\n" + message));
    CHECK(has_line(encoded.bytes, "Content-Length: " + std::to_string(message.size())));
    CHECK(encoded.bytes.find("\r\nConnection: close") != std::string::npos);
    for (const std::string& line : row.lines) CHECK(has_line(encoded.bytes, line));
  }
}

TEST_CASE("only_the_errors_that_need_them_carry_more_fields") {
  CHECK(error_response(errc::bad_host).fields.size() == 1);
  CHECK(error_response(errc::method_not_allowed).fields.size() == 2);
  CHECK(error_response(errc::upgrade_missing).fields.size() == 2);
  CHECK(error_response(errc::bad_websocket_version).fields.size() == 3);
}

// RFC 9110 section 7.8.
TEST_CASE("whoever_sends_upgrade_lists_it_in_connection") {
  CHECK(has_line(encode(error_response(errc::upgrade_missing)).bytes, "Connection: close, Upgrade"));
  CHECK(has_line(encode(error_response(errc::bad_host)).bytes, "Connection: close"));
}

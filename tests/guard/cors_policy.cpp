#include <fairlead/guard/cors_policy.hpp>

#include <handshake/heads.hpp>
#include <support/catch.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace fairlead;
using namespace std::chrono_literals;

namespace {

request get(std::string_view lines) {
  return heads::must_parse(
      heads::with("GET /data HTTP/1.1", std::string("Host: good.com\r\n").append(lines)));
}

request options(std::string_view lines) {
  return heads::must_parse(
      heads::with("OPTIONS /data HTTP/1.1", std::string("Host: good.com\r\n").append(lines)));
}

request preflight(std::string_view origin, std::string_view method, std::string_view more = {}) {
  return options(std::string("Origin: ")
                     .append(origin)
                     .append("\r\nAccess-Control-Request-Method: ")
                     .append(method)
                     .append("\r\n")
                     .append(more));
}

std::string text_of(const std::vector<header_field>& fields) {
  std::string text;
  for (const header_field& field : fields)
    text.append(field.name).append(": ").append(field.value).append("\n");
  return text;
}

cors_policy shop() {
  return cors_policy()
      .allow("https://shop.com")
      .allow("https://*.shop.com")
      .allow_method("PUT")
      .allow_header("X-Token");
}

/// That it can be sent is part of every check.
http_status status_of_preflight(const cors_policy& policy, const request& head) {
  const response answer = policy.preflight(head);
  REQUIRE(encode(answer).error == errc::ok);
  return answer.status;
}

}  // namespace

TEST_CASE("by_default_no_page_of_another_origin_reads_anything") {
  CHECK(text_of(cors_policy().fields_for(get("Origin: https://shop.com\r\n"))) == "Vary: Origin\n");
  CHECK(status_of_preflight(cors_policy(), preflight("https://shop.com", "GET")) == http_status::forbidden);
}

TEST_CASE("a_listed_origin_is_repeated_and_caches_are_told") {
  const std::string allowed = "Vary: Origin\nAccess-Control-Allow-Origin: https://shop.com\n";
  CHECK(text_of(shop().fields_for(get("Origin: https://shop.com\r\n"))) == allowed);
  CHECK(text_of(shop().fields_for(get("Origin: https://a.shop.com\r\n"))) ==
        "Vary: Origin\nAccess-Control-Allow-Origin: https://a.shop.com\n");
  // Browsers compare it byte for byte with the page's.
  CHECK(text_of(shop().fields_for(get("Origin: https://shop.com.\r\n"))) ==
        "Vary: Origin\nAccess-Control-Allow-Origin: https://shop.com.\n");
}

TEST_CASE("S02: any_other_origin_gets_nothing_but_vary") {
  for (const std::string_view lines :
       {"", "Origin: https://evil.com\r\n", "Origin: http://shop.com\r\n",
        "Origin: https://shop.com.evil.com\r\n", "Origin: https://evilshop.com\r\n",
        "Origin: https://shop.com:8443\r\n", "Origin: null\r\n", "Origin:\r\n", "Origin: *\r\n",
        "Origin: https://shop.com, https://evil.com\r\n", "Origin: https://shop.com/\r\n",
        "Origin: https://shop.com\r\nOrigin: https://shop.com\r\n", "Origin: https://good.com\r\n"}) {
    CAPTURE(lines);
    CHECK(text_of(shop().fields_for(get(lines))) == "Vary: Origin\n");
  }
}

TEST_CASE("any_origin_is_a_star_for_which_no_cache_has_to_tell_pages_apart") {
  const cors_policy any = cors_policy::allow_any_origin();
  CHECK(text_of(any.fields_for(get("Origin: https://evil.com\r\n"))) == "Access-Control-Allow-Origin: *\n");
  CHECK(text_of(any.fields_for(get("Origin: null\r\n"))) == "Access-Control-Allow-Origin: *\n");
  CHECK(any.fields_for(get("")).empty());
  CHECK(status_of_preflight(any, preflight("https://evil.com", "POST")) == http_status::no_content);
}

TEST_CASE("a_star_never_comes_with_credentials") {
  CHECK_THROWS_AS(cors_policy::allow_any_origin().allow_credentials(), std::invalid_argument);
  CHECK(text_of(shop().allow_credentials().fields_for(get("Origin: https://shop.com\r\n"))) ==
        "Vary: Origin\nAccess-Control-Allow-Origin: https://shop.com\nAccess-Control-Allow-Credentials: "
        "true\n");
  CHECK(text_of(shop().allow_credentials().fields_for(get("Origin: https://evil.com\r\n"))) ==
        "Vary: Origin\n");
}

TEST_CASE("null_is_allowed_only_by_its_name") {
  CHECK(text_of(cors_policy().allow("null").fields_for(get("Origin: null\r\n"))) ==
        "Vary: Origin\nAccess-Control-Allow-Origin: null\n");
}

TEST_CASE("exposed_fields_are_named") {
  const cors_policy policy = shop().expose_header("X-Total").expose_header("ETag");
  CHECK(text_of(policy.fields_for(get("Origin: https://shop.com\r\n"))) ==
        "Vary: Origin\nAccess-Control-Allow-Origin: https://shop.com\nAccess-Control-Expose-Headers: "
        "X-Total, ETag\n");
}

TEST_CASE("a_preflight_is_options_with_an_origin_and_a_method") {
  CHECK(cors_policy::is_preflight(preflight("https://shop.com", "PUT")));
  CHECK_FALSE(cors_policy::is_preflight(options("")));
  CHECK_FALSE(cors_policy::is_preflight(options("Origin: https://shop.com\r\n")));
  CHECK_FALSE(cors_policy::is_preflight(options("Access-Control-Request-Method: PUT\r\n")));
  CHECK_FALSE(
      cors_policy::is_preflight(get("Origin: https://shop.com\r\nAccess-Control-Request-Method: PUT\r\n")));
  CHECK_FALSE(cors_policy::is_preflight(request()));
}

TEST_CASE("a_preflight_for_what_is_allowed_says_all_that_is") {
  const response answer = shop().allow_credentials().max_age(1h).preflight(
      preflight("https://shop.com", "PUT", "Access-Control-Request-Headers: x-token\r\n"));
  CHECK(answer.status == http_status::no_content);
  CHECK(answer.body.empty());
  CHECK(text_of(answer.fields) ==
        "Vary: Origin\n"
        "Access-Control-Allow-Origin: https://shop.com\n"
        "Access-Control-Allow-Credentials: true\n"
        "Access-Control-Allow-Methods: GET, HEAD, POST, PUT\n"
        "Access-Control-Allow-Headers: X-Token\n"
        "Access-Control-Max-Age: 3600\n");
  CHECK(encode(answer).error == errc::ok);
  CHECK(text_of(cors_policy().allow("https://a.com").preflight(preflight("https://a.com", "GET")).fields) ==
        "Vary: Origin\n"
        "Access-Control-Allow-Origin: https://a.com\n"
        "Access-Control-Allow-Methods: GET, HEAD, POST\n"
        "Access-Control-Max-Age: 600\n");
}

TEST_CASE("a_preflight_for_what_is_not_allowed_is_403_and_allows_nothing") {
  const auto is_refused = [](const request& head) {
    const response answer = shop().preflight(head);
    CHECK(encode(answer).error == errc::ok);
    return answer.status == http_status::forbidden && !answer.body.empty() &&
           text_of(answer.fields).find("Access-Control") == std::string::npos &&
           text_of(answer.fields).find("Vary: Origin") != std::string::npos;
  };
  CHECK(is_refused(preflight("https://evil.com", "GET")));
  CHECK(is_refused(preflight("null", "GET")));
  CHECK(is_refused(preflight("https://shop.com", "DELETE")));
  CHECK(is_refused(preflight("https://shop.com", "put")));
  CHECK(is_refused(preflight("https://shop.com", "*")));
  CHECK(is_refused(preflight("https://shop.com", "")));
  CHECK(is_refused(preflight("https://shop.com", "PUT, GET")));
  CHECK(is_refused(preflight("https://shop.com", "PUT", "Access-Control-Request-Method: PUT\r\n")));
  CHECK(is_refused(preflight("https://shop.com", "PUT", "Origin: https://shop.com\r\n")));
  CHECK(is_refused(options("Origin: https://shop.com\r\n")));
  CHECK(is_refused(request()));
  for (const std::string_view names : {"x-other", "x-token, x-other", "x-token x-other", "*", "x-toke",
                                       "x-tokens", "x-token;", "content-type", "\xff"}) {
    CAPTURE(names);
    CHECK(
        is_refused(preflight("https://shop.com", "PUT",
                             std::string("Access-Control-Request-Headers: ").append(names).append("\r\n"))));
  }
  CHECK(is_refused(
      preflight("https://shop.com", "PUT",
                "Access-Control-Request-Headers: x-token\r\nAccess-Control-Request-Headers: y\r\n")));
}

TEST_CASE("the_names_of_fields_do_not_depend_on_case") {
  for (const std::string_view names : {"", "x-token", "X-TOKEN", "x-token,x-token", " x-token , ", ","}) {
    CAPTURE(names);
    CHECK(status_of_preflight(
              shop(),
              preflight("https://shop.com", "PUT",
                        std::string("Access-Control-Request-Headers: ").append(names).append("\r\n"))) ==
          http_status::no_content);
  }
}

TEST_CASE("what_cannot_be_allowed_is_refused_at_once") {
  for (const std::string_view name : {"", "*", "a b", "a,b", "a\r\nb", "a:b", "\xff"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(cors_policy().allow_method(name), std::invalid_argument);
    CHECK_THROWS_AS(cors_policy().allow_header(name), std::invalid_argument);
    CHECK_THROWS_AS(cors_policy().expose_header(name), std::invalid_argument);
  }
  for (const std::string_view method : {"CONNECT", "TRACE", "TRACK", "trace"}) {
    CHECK_THROWS_AS(cors_policy().allow_method(method), std::invalid_argument);
  }
  CHECK_THROWS_AS(cors_policy().allow("*"), std::invalid_argument);
  CHECK_THROWS_AS(cors_policy().allow("shop.com"), std::invalid_argument);
  CHECK_THROWS_AS(cors_policy().max_age(-1s), std::invalid_argument);
  CHECK_NOTHROW(cors_policy().max_age(0s));
}

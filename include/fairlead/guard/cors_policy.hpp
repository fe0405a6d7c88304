#ifndef FAIRLEAD_GUARD_CORS_POLICY_HPP
#define FAIRLEAD_GUARD_CORS_POLICY_HPP

#include <fairlead/config.hpp>
#include <fairlead/guard/detail/origin.hpp>
#include <fairlead/handshake/http_field.hpp>
#include <fairlead/handshake/request.hpp>
#include <fairlead/handshake/response.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

/// Which pages of other origins may read the answers to plain HTTP requests (the Fetch standard, section 3.2).
/// Browsers keep the answer from any other page; the request itself reaches the server all the same, unless it
/// needs a preflight, so this is no protection of what a request does. WebSockets know nothing of it: they have
/// origin_policy.
///
/// By default no page may. A value: copy it. Readable from any thread while nobody changes it.
class cors_policy {
 public:
  cors_policy() = default;

  /// Pages of every origin may read: for answers that are the same for everybody. Never with credentials.
  static cors_policy allow_any_origin() {
    cors_policy any;
    any.allows_any_ = true;
    return any;
  }

  /// Allows pages of one more origin, in the forms of origin_policy::allow(). Throws as that does.
  cors_policy& allow(std::string_view origin) {
    origins_.add(origin);
    return *this;
  }

  /// Allows a method besides GET, HEAD and POST, which every page may send. Methods depend on case. Throws
  /// std::invalid_argument for what is no token, for `*`, and for CONNECT, TRACE and TRACK, which no page may send.
  FAIRLEAD_DECL cors_policy& allow_method(std::string_view method);

  /// Allows a request field besides those that every page may send; `Content-Type` has to be named for JSON.
  /// Throws std::invalid_argument for what is no token, and for `*`.
  FAIRLEAD_DECL cors_policy& allow_header(std::string_view name);

  /// Lets pages see a field of the answer that they would not. Throws as allow_header() does.
  FAIRLEAD_DECL cors_policy& expose_header(std::string_view name);

  /// Lets pages send cookies and read what is answered to them. Throws std::invalid_argument where any origin is
  /// allowed: each page that a user visits could read what is the user's.
  FAIRLEAD_DECL cors_policy& allow_credentials();

  /// How long browsers may remember the answer to a preflight: 10 minutes unless set. Throws
  /// std::invalid_argument when it is negative.
  FAIRLEAD_DECL cors_policy& max_age(std::chrono::seconds age);

  /// The fields to add to an answer, of whatever status: none that allow anything when the request's page may
  /// not read it, but Vary all the same, so that no cache gives one page the answer to another.
  FAIRLEAD_DECL std::vector<header_field> fields_for(const request& head) const;

  /// Says whether the request asks, for a browser, if another one may be sent: OPTIONS with Origin and
  /// Access-Control-Request-Method.
  FAIRLEAD_DECL static bool is_preflight(const request& head) noexcept;

  /// The answer to a preflight: 204 with what is allowed, or 403 which says what is not.
  FAIRLEAD_DECL response preflight(const request& head) const;

 private:
  FAIRLEAD_DECL bool allows_origin(const request& head) const;
  FAIRLEAD_DECL bool allows_headers(const request& head) const noexcept;

  detail::origin_list origins_;
  std::vector<std::string> methods_{"GET", "HEAD", "POST"};
  std::vector<std::string> headers_;
  std::vector<std::string> exposed_;
  std::chrono::seconds max_age_ = std::chrono::minutes(10);
  bool allows_any_ = false;
  bool allows_credentials_ = false;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/guard/impl/cors_policy.ipp>
#endif

#endif

#ifndef FAIRLEAD_GUARD_IMPL_CORS_POLICY_IPP
#define FAIRLEAD_GUARD_IMPL_CORS_POLICY_IPP

#include <fairlead/guard/cors_policy.hpp>

#include <algorithm>
#include <optional>
#include <stdexcept>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

inline std::invalid_argument not_allowable(std::string_view what, std::string_view text) {
  return std::invalid_argument(std::string("not ").append(what).append(": '").append(text).append("'"));
}

/// A name for a list in which `*` would stand for all.
inline std::string checked_name(std::string_view what, std::string_view text) {
  if (!is_token(text) || text == "*") throw not_allowable(what, text);
  return std::string(text);
}

inline std::string joined(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

}  // namespace detail

FAIRLEAD_DECL cors_policy& cors_policy::allow_method(std::string_view method) {
  for (const std::string_view forbidden : {"CONNECT", "TRACE", "TRACK"}) {
    if (equals_ignoring_case(method, forbidden))
      throw detail::not_allowable("a method that a page may send", method);
  }
  methods_.push_back(detail::checked_name("a method", method));
  return *this;
}

FAIRLEAD_DECL cors_policy& cors_policy::allow_header(std::string_view name) {
  headers_.push_back(detail::checked_name("the name of a field", name));
  return *this;
}

FAIRLEAD_DECL cors_policy& cors_policy::expose_header(std::string_view name) {
  exposed_.push_back(detail::checked_name("the name of a field", name));
  return *this;
}

FAIRLEAD_DECL cors_policy& cors_policy::allow_credentials() {
  if (allows_any_) throw std::invalid_argument("credentials cannot be allowed to pages of any origin");
  allows_credentials_ = true;
  return *this;
}

FAIRLEAD_DECL cors_policy& cors_policy::max_age(std::chrono::seconds age) {
  if (age < std::chrono::seconds::zero()) throw std::invalid_argument("max_age is not negative");
  max_age_ = age;
  return *this;
}

FAIRLEAD_DECL bool cors_policy::allows_origin(const request& head) const {
  if (head.count("Origin") != 1) return false;
  if (allows_any_) return true;
  const std::string_view text = *head.field("Origin");
  if (text == "null") return origins_.has_null();
  const auto origin = detail::parse_origin(text);
  return origin && origins_.contains(*origin);
}

FAIRLEAD_DECL bool cors_policy::allows_headers(const request& head) const noexcept {
  for (const http_field& field : head.fields()) {
    if (!equals_ignoring_case(field.name, "Access-Control-Request-Headers")) continue;
    for (const std::string_view name : field_elements(field.value)) {
      const bool is_allowed =
          name.empty() || std::any_of(headers_.begin(), headers_.end(),
                                      [&](const std::string& h) { return equals_ignoring_case(h, name); });
      if (!is_allowed) return false;
    }
  }
  return true;
}

FAIRLEAD_DECL std::vector<header_field> cors_policy::fields_for(const request& head) const {
  std::vector<header_field> fields;
  if (!allows_any_) fields.push_back({"Vary", "Origin"});
  if (!allows_origin(head)) return fields;
  // As it was sent: browsers compare it byte for byte. It is an origin, so nothing in it can break the field.
  fields.push_back({"Access-Control-Allow-Origin", allows_any_ ? "*" : std::string(*head.field("Origin"))});
  if (allows_credentials_) fields.push_back({"Access-Control-Allow-Credentials", "true"});
  if (!exposed_.empty()) fields.push_back({"Access-Control-Expose-Headers", detail::joined(exposed_)});
  return fields;
}

FAIRLEAD_DECL bool cors_policy::is_preflight(const request& head) noexcept {
  return head.method() == "OPTIONS" && head.field("Origin") && head.field("Access-Control-Request-Method");
}

FAIRLEAD_DECL response cors_policy::preflight(const request& head) const {
  const auto refused = [&](std::string reason) {
    response answer = text_response(http_status::forbidden, std::move(reason));
    if (!allows_any_) answer.add("Vary", "Origin");
    return answer;
  };
  if (!allows_origin(head)) return refused("Pages of this origin may not use this address.");
  const bool has_one_method = head.count("Access-Control-Request-Method") == 1;
  const std::string_view method = head.field("Access-Control-Request-Method").value_or("");
  if (!has_one_method || std::find(methods_.begin(), methods_.end(), method) == methods_.end()) {
    return refused("Pages of other origins may not send this method.");
  }
  if (!allows_headers(head)) return refused("Pages of other origins may not send one of these fields.");
  response answer;
  answer.status = http_status::no_content;
  answer.fields = fields_for(head);
  answer.add("Access-Control-Allow-Methods", detail::joined(methods_));
  if (!headers_.empty()) answer.add("Access-Control-Allow-Headers", detail::joined(headers_));
  return answer.add("Access-Control-Max-Age", std::to_string(max_age_.count()));
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

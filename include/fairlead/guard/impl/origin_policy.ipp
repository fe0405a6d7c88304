#ifndef FAIRLEAD_GUARD_IMPL_ORIGIN_POLICY_IPP
#define FAIRLEAD_GUARD_IMPL_ORIGIN_POLICY_IPP

#include <fairlead/guard/origin_policy.hpp>

#include <cstddef>
#include <optional>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL origin_verdict origin_policy::check(const request& head, bool secure) const {
  using enum origin_verdict;
  const std::size_t count = head.count("Origin");
  if (count == 0) return requires_origin_ ? missing : allowed;
  if (count > 1) return several;
  if (allows_any_) return allowed;
  const std::string_view text = *head.field("Origin");
  if (text == "null") return list_.has_null() ? allowed : foreign;
  const auto origin = detail::parse_origin(text);
  if (!origin) return malformed;
  if (list_.contains(*origin)) return allowed;
  return !listed_only_ && origin == detail::server_origin(head.host(), secure) ? allowed : foreign;
}

FAIRLEAD_DECL std::string origin_policy::explain(origin_verdict verdict, const request& head, bool secure) {
  switch (verdict) {
    case origin_verdict::allowed: return {};
    case origin_verdict::missing: return "The request has no Origin field, which this server demands.";
    case origin_verdict::several: return "The request has more than one Origin field.";
    case origin_verdict::malformed: return "The Origin field of the request is not an origin.";
    case origin_verdict::foreign: break;
  }
  const auto origin = detail::parse_origin(head.field("Origin").value_or(""));
  std::string text = "The page's origin '";
  text.append(origin ? detail::to_string(*origin) : "null").append("' is not that of this server");
  if (const auto own = detail::server_origin(head.host(), secure)) {
    text.append(", '").append(detail::to_string(*own)).append("'");
  }
  return text.append(", and not one that it allows.");
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

#ifndef FAIRLEAD_NET_SERVER_IMPL_ADMISSION_IPP
#define FAIRLEAD_NET_SERVER_IMPL_ADMISSION_IPP

#include <fairlead/net/server/admission.hpp>

#include <algorithm>
#include <stdexcept>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL void admission::choose_subprotocol(std::string_view name) {
  const bool is_offered = std::ranges::find(data_.subprotocols, name) != data_.subprotocols.end();
  if (!name.empty() && !is_offered) {
    throw std::invalid_argument("the client does not offer the sub-protocol that was chosen");
  }
  data_.subprotocol = std::string(name);
}

FAIRLEAD_DECL session_options& admission::options() {
  if (!data_.options) data_.options = *data_.route_options;
  return *data_.options;
}

FAIRLEAD_DECL verdict refuse(http_status status, std::string_view why) {
  return text_response(status, std::string(why).append("\n"));
}

FAIRLEAD_DECL detail::rule_set& admission_rules::change() {
  if (rules_->is_sealed) throw std::logic_error("a server that listens lets nobody change who may come in");
  return *rules_;
}

FAIRLEAD_DECL admission_rules& admission_rules::origins(origin_policy allowed) {
  change().origins = std::move(allowed);
  return *this;
}

FAIRLEAD_DECL admission_rules& admission_rules::check(admission_check next) {
  change().checks.push_back(std::move(next));
  return *this;
}

FAIRLEAD_DECL admission_rules& admission_rules::require_user() {
  change().requires_user = true;
  return *this;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

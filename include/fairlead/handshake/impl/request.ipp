#ifndef FAIRLEAD_HANDSHAKE_IMPL_REQUEST_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_REQUEST_IPP

#include <fairlead/handshake/request.hpp>

#include <fairlead/handshake/detail/percent_encoding.hpp>

#include <cassert>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL std::optional<std::string> request::query(std::string_view name) const {
  std::string_view rest = query_string();
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (detail::percent_decode(pair.substr(0, equals), detail::plus_sign::is_space) == name &&
        !pair.empty()) {
      const std::string_view value = equals == std::string_view::npos ? "" : pair.substr(equals + 1);
      return detail::percent_decode(value, detail::plus_sign::is_space);
    }
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return std::nullopt;
}

FAIRLEAD_DECL std::optional<std::string_view> request::cookie(std::string_view name) const noexcept {
  for (const http_field& field : fields()) {
    if (!equals_ignoring_case(field.name, "Cookie")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t end = rest.find(';');
      const std::string_view pair = trim_white_space(rest.substr(0, end));
      const std::size_t equals = pair.find('=');
      if (equals != std::string_view::npos && pair.substr(0, equals) == name) return pair.substr(equals + 1);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
  }
  return std::nullopt;
}

FAIRLEAD_DECL std::string_view request::param(std::string_view name) const noexcept {
  for (const path_param& each : data().params) {
    if (each.name == name) return each.value;
  }
  return {};
}

FAIRLEAD_DECL void request::set_params(std::vector<path_param> params) noexcept {
  assert(data_ != nullptr);
  data_->params = std::move(params);
}

FAIRLEAD_DECL const detail::request_data& request::data() const noexcept {
  static const detail::request_data none;
  return data_ == nullptr ? none : *data_;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

#ifndef FAIRLEAD_NET_SERVER_IMPL_ROUTE_TABLE_IPP
#define FAIRLEAD_NET_SERVER_IMPL_ROUTE_TABLE_IPP

#include <fairlead/handshake/upgrade.hpp>
#include <fairlead/net/server/detail/route_table.hpp>
#include <fairlead/net/server/detail/static_files.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

// Takes the first segment, without its slash, off the front of a path.
constexpr std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

constexpr bool is_parameter(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.find_first_of("{}", 1) == segment.size() - 1;
}

FAIRLEAD_DECL path_pattern::path_pattern(std::string pattern) : pattern_(std::move(pattern)) {
  if (pattern_.empty() || pattern_.front() != '/') {
    throw std::invalid_argument("the route '" + pattern_ + "' does not begin with '/'");
  }
  for (std::string_view rest = pattern_; !rest.empty();) {
    const std::string_view segment = take_segment(rest);
    if (!is_parameter(segment) && segment.find_first_of("{}") != std::string_view::npos) {
      throw std::invalid_argument("the route '" + pattern_ +
                                  "' has a segment that is only partly a {parameter}");
    }
  }
}

FAIRLEAD_DECL std::optional<std::vector<path_param>> path_pattern::match(std::string_view path) const {
  std::vector<path_param> params;
  std::string_view pattern = pattern_;
  while (!pattern.empty() && !path.empty()) {
    const std::string_view wanted = take_segment(pattern);
    const std::string_view segment = take_segment(path);
    if (is_parameter(wanted) && !segment.empty()) {
      params.push_back({std::string(wanted.substr(1, wanted.size() - 2)), std::string(segment)});
    } else if (wanted != segment) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return params;
}

FAIRLEAD_DECL const route_table::session_entry* route_table::find_session(request& request_head) const {
  for (const session_entry& entry : sessions) {
    if (auto params = entry.pattern.match(request_head.path())) {
      request_head.set_params(std::move(*params));
      return &entry;
    }
  }
  return nullptr;
}

FAIRLEAD_DECL const route_table::session_entry* route_table::find_session(std::string_view path) const {
  const auto matches = [path](const session_entry& entry) { return entry.pattern.match(path).has_value(); };
  const auto found = std::ranges::find_if(sessions, matches);
  return found != sessions.end() ? &*found : nullptr;
}

FAIRLEAD_DECL response route_table::answer(request& request_head) const {
  if (!cors) return find_answer(request_head);
  if (cors_policy::is_preflight(request_head)) return cors->preflight(request_head);
  response found = find_answer(request_head);
  for (header_field& field : cors->fields_for(request_head)) found.fields.push_back(std::move(field));
  return found;
}

FAIRLEAD_DECL response route_table::find_answer(request& request_head) const {
  const auto answer_with = [&](const get_handler& handler) {
    if (request_head.method() != "GET" && request_head.method() != "HEAD") {
      response refusal =
          text_response(http_status::method_not_allowed, "only GET and HEAD are allowed here\n");
      refusal.add("Allow", "GET, HEAD");
      return refusal;
    }
    return handler(request_head);
  };
  for (const get_entry& entry : gets) {
    if (auto params = entry.pattern.match(request_head.path())) {
      request_head.set_params(std::move(*params));
      return answer_with(entry.handler);
    }
  }
  // A session route that was not asked for an upgrade says so.
  if (find_session(request_head) != nullptr) return error_response(check_upgrade(request_head).error);
  for (const file_mount& mount : mounts) {
    if (!request_head.path().starts_with(mount.prefix)) continue;
    auto file = file_response(mount.folder, request_head.path().substr(mount.prefix.size()));
    if (file) return answer_with([&](const request&) { return std::move(*file); });
  }
  return text_response(http_status::not_found, "there is nothing here\n");
}

}  // namespace fairlead

#endif

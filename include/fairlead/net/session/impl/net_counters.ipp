#ifndef FAIRLEAD_NET_SESSION_IMPL_NET_COUNTERS_IPP
#define FAIRLEAD_NET_SESSION_IMPL_NET_COUNTERS_IPP

#include <fairlead/json_writer.hpp>
#include <fairlead/net/session/net_counters.hpp>

#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

// An object with a member for each enumerator; a value without a name is a gap in the numbering.
template <class Enumeration, class Counts>
void write_by_name(json_writer& json, std::string_view name, const Counts& counts) {
  json.key(name).begin_object();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::string_view of_count = name_of(static_cast<Enumeration>(i));
    if (!of_count.empty()) json.member(of_count, counts[i]);
  }
  json.end_object();
}

inline void write_limits(json_writer& json, std::string_view name, const limit_counts& counts) {
  json.key(name)
      .begin_object()
      .member("messages", counts.messages)
      .member("bytes", counts.bytes)
      .end_object();
}

}  // namespace detail

FAIRLEAD_DECL std::string to_json(const net_counters& counters) {
  json_writer json;
  json.begin_object();
  detail::write_by_name<session_state>(json, "sessions", counters.sessions);
  json.member("opened", counters.opened);
  detail::write_by_name<errc>(json, "closed", counters.closed);
  json.member("messages_received", counters.messages_received);
  json.member("bytes_received", counters.bytes_received);
  json.member("messages_sent", counters.messages_sent);
  json.member("bytes_sent", counters.bytes_sent);
  detail::write_by_name<drop_reason>(json, "drops", counters.drops.by_reason);
  detail::write_limits(json, "rate_pauses", counters.rate_pauses);
  detail::write_limits(json, "rate_drops", counters.rate_drops);
  detail::write_by_name<refusal>(json, "refused", counters.refused);
  json.end_object();
  return std::move(json).text();
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

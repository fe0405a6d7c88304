#ifndef FAIRLEAD_NET_SESSION_DETAIL_LIVE_COUNTERS_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_LIVE_COUNTERS_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/session/detail/counter.hpp>
#include <fairlead/net/session/net_counters.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// The net_counters of one thread.
struct live_counters {
  /// \param d  Outlives the thread's context, since other threads count there.
  explicit live_counters(live_drop_counts& d) noexcept : drops(d) {}

  std::array<counter<std::size_t>, session_state_count> sessions;
  counter<std::uint64_t> opened;
  std::array<counter<std::uint64_t>, 128> closed;
  std::array<counter<std::uint64_t>, refusal_count> refused;
  live_traffic received;
  live_traffic sent;
  live_limit_counts rate_pauses;
  live_limit_counts rate_drops;
  live_drop_counts& drops;

  void count(refusal r) noexcept { refused[static_cast<std::size_t>(r)].add(1); }

  void add_to(net_counters& sum) const noexcept {
    for (std::size_t i = 0; i < sessions.size(); ++i) sum.sessions[i] += sessions[i].load();
    for (std::size_t i = 0; i < closed.size(); ++i) sum.closed[i] += closed[i].load();
    for (std::size_t i = 0; i < refused.size(); ++i) sum.refused[i] += refused[i].load();
    sum.opened += opened.load();
    sum.messages_received += received.messages.load();
    sum.bytes_received += received.bytes.load();
    sum.messages_sent += sent.messages.load();
    sum.bytes_sent += sent.bytes.load();
    sum.rate_pauses.messages += rate_pauses.messages.load();
    sum.rate_pauses.bytes += rate_pauses.bytes.load();
    sum.rate_drops.messages += rate_drops.messages.load();
    sum.rate_drops.bytes += rate_drops.bytes.load();
    const drop_counts dropped = drops.read();
    for (std::size_t i = 0; i < drop_reason_count; ++i) sum.drops.by_reason[i] += dropped.by_reason[i];
  }
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif

#ifndef FAIRLEAD_GUARD_IMPL_ADDRESS_LIMITS_IPP
#define FAIRLEAD_GUARD_IMPL_ADDRESS_LIMITS_IPP

#include <fairlead/guard/address_limits.hpp>

#include <fairlead/guard/detail/address_bits.hpp>

#include <chrono>
#include <stdexcept>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

inline const address_limit_options& checked(const address_limit_options& options) {
  if (options.max_concurrent == 0) throw std::invalid_argument("max_concurrent is at least 1");
  if (options.max_new_per_minute == 0 || options.max_new_per_minute > 300'000'000) {
    throw std::invalid_argument("max_new_per_minute is 1 to 300,000,000");
  }
  if (options.ipv6_prefix == 0 || options.ipv6_prefix > 128) {
    throw std::invalid_argument("ipv6_prefix is 1 to 128");
  }
  if (options.max_addresses == 0) throw std::invalid_argument("max_addresses is at least 1");
  return options;
}

inline bool is_ip(const peer_address& a) noexcept {
  return a.family == peer_address::kind::ipv4 || a.family == peer_address::kind::ipv6;
}

}  // namespace detail

FAIRLEAD_DECL address_limits::address_limits(const address_limit_options& options, const seed& s)
    : options_(detail::checked(options)),
      rate_{options.max_new_per_minute, options.max_new_per_minute, std::chrono::minutes(1)},
      entries_(0, hash{s}) {}

/// The block that the address counts for. IPv4 in a form that no IPv6 address has here.
FAIRLEAD_DECL address_limits::key address_limits::key_of(const peer_address& address) const noexcept {
  peer_address a = unmapped(address);
  if (a.family == peer_address::kind::ipv6) detail::keep_bits(a, options_.ipv6_prefix);
  key k{};
  for (std::size_t i = 0; i < a.bytes.size(); ++i)
    k[i / 8] = k[i / 8] << 8 | std::to_integer<std::uint64_t>(a.bytes[i]);
  if (a.family == peer_address::kind::ipv4) k = {0, std::uint64_t{0xFFFF} << 32 | k[0] >> 32};
  return k;
}

FAIRLEAD_DECL void address_limits::forget(entry& e) noexcept {
  unlink(e);
  const key address = e.address;  // the entry's own ends with it
  entries_.erase(address);
}

/// Makes room for one more; says whether there is any.
FAIRLEAD_DECL bool address_limits::make_room(time_point now) noexcept {
  // Two for each that comes: so those that need not be remembered do not pile up.
  for (int i = 0; i < 2 && idle_.next != &idle_; ++i) {
    entry& oldest = static_cast<entry&>(*idle_.next);
    const bool is_needed = oldest.level.ready_at(rate_, rate_.burst, now) > now;
    if (is_needed && entries_.size() < options_.max_addresses) break;
    forget(oldest);
  }
  return entries_.size() < options_.max_addresses;
}

FAIRLEAD_DECL address_verdict address_limits::enter(const peer_address& address, time_point now) {
  if (!detail::is_ip(address)) return address_verdict::uncounted;
  const key k = key_of(address);
  auto found = entries_.find(k);
  if (found == entries_.end()) {
    if (!make_room(now)) return address_verdict::uncounted;
    found = entries_.try_emplace(k, k, rate_).first;
  }
  entry& e = found->second;
  if (e.connections >= options_.max_concurrent) return address_verdict::too_many;
  const bool is_admitted = e.level.take(rate_, 1, now);
  if (e.connections == 0) unlink(e);
  if (is_admitted) {
    ++e.connections;
    return address_verdict::ok;
  }
  // Whoever goes on trying is not the first to be forgotten.
  if (e.connections == 0) append(e);
  return address_verdict::too_fast;
}

FAIRLEAD_DECL void address_limits::leave(const peer_address& address) noexcept {
  if (!detail::is_ip(address)) return;
  const auto found = entries_.find(key_of(address));
  if (found == entries_.end() || found->second.connections == 0) return;
  if (--found->second.connections == 0) append(found->second);
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

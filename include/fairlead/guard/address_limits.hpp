#ifndef FAIRLEAD_GUARD_ADDRESS_LIMITS_HPP
#define FAIRLEAD_GUARD_ADDRESS_LIMITS_HPP

#include <fairlead/config.hpp>
#include <fairlead/guard/detail/keyed_hash.hpp>
#include <fairlead/guard/token_bucket.hpp>
#include <fairlead/peer_address.hpp>
#include <fairlead/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace fairlead::inline FAIRLEAD_ABI {

/// What one client address may do. Many people can share one (NAT, offices, mobile networks), so the defaults are
/// far above what one browser needs.
struct address_limit_options {
  std::size_t max_concurrent = 100;        ///< Connections at once; at least 1.
  std::uint64_t max_new_per_minute = 120;  ///< Evenly, after as many at once; 1 to 300,000,000.
  unsigned ipv6_prefix = 64;               ///< IPv6 addresses that agree in so many bits are one; 1 to 128.
  std::size_t max_addresses = 64 * 1024;   ///< Remembered at once, about 100 bytes each; at least 1.
};

/// What address_limits thinks of a new connection.
enum class address_verdict : unsigned char {
  ok,         ///< Admitted and counted: leave() has to follow when it ends.
  uncounted,  ///< Admitted, but leave() must not follow.
  too_many,   ///< The address has as many connections as it may.
  too_fast,   ///< It opened too many within the last minute.
};

/// Counts connections by client address. Behind a proxy that is the address of client_side, else all clients
/// are one.
///
/// Remembers a bounded number of addresses. One without connections is forgotten when that makes no difference any
/// more, or, when the room is needed, the one first that has had none for the longest: a flood of addresses costs
/// others no more than the memory of how fast they came. One with connections is never forgotten. When all that
/// are remembered have some, further ones are admitted uncounted: whoever has so many addresses is not held by a limit
/// for each, and to refuse all others would do his work. Bound the sum of connections elsewhere.
///
/// Every call takes the same time however many addresses there are, also when a peer chooses them. Not
/// thread-safe: share it under a mutex.
class address_limits {
 public:
  /// The key of the hash: 128 bits that no peer knows, drawn anew for each process.
  using seed = std::array<std::uint64_t, 2>;

  /// Throws std::invalid_argument for an option outside its range.
  FAIRLEAD_DECL address_limits(const address_limit_options& options, const seed& s);
  address_limits(const address_limits&) = delete;
  address_limits& operator=(const address_limits&) = delete;

  /// A connection comes from that address, whatever its port. Local and unknown addresses are always admitted
  /// uncounted. What is refused counts for nothing. Throws std::bad_alloc, and the connection is not counted then.
  FAIRLEAD_DECL address_verdict enter(const peer_address& address, time_point now);

  /// A connection that enter() said `ok` to has ended. Does nothing for an address that has none.
  FAIRLEAD_DECL void leave(const peer_address& address) noexcept;

  /// Addresses that are remembered.
  std::size_t size() const noexcept { return entries_.size(); }

 private:
  using key = std::array<std::uint64_t, 2>;

  struct hash {
    seed key_of_hash;
    std::size_t operator()(const key& k) const noexcept {
      return static_cast<std::size_t>(detail::keyed_hash(key_of_hash, k));
    }
  };

  struct link {
    link* next = this;
    link* previous = this;
  };

  /// Linked while it has no connections.
  struct entry : link {
    entry(const key& k, const token_rate& rate) noexcept : address(k), level(rate) {}
    key address;
    std::size_t connections = 0;
    detail::token_level level;
  };

  FAIRLEAD_DECL key key_of(const peer_address& address) const noexcept;
  FAIRLEAD_DECL bool make_room(time_point now) noexcept;
  FAIRLEAD_DECL void forget(entry& e) noexcept;
  static void unlink(link& l) noexcept {
    l.previous->next = l.next;
    l.next->previous = l.previous;
    l.next = l.previous = &l;
  }
  void append(link& l) noexcept {
    l.previous = idle_.previous;
    l.next = &idle_;
    idle_.previous->next = &l;
    idle_.previous = &l;
  }

  address_limit_options options_;
  token_rate rate_;
  std::unordered_map<key, entry, hash> entries_;
  link idle_;  // the ends of the list of those without connections; the longest without at its front
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/guard/impl/address_limits.ipp>
#endif

#endif

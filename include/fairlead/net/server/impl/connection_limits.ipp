#ifndef FAIRLEAD_NET_SERVER_IMPL_CONNECTION_LIMITS_IPP
#define FAIRLEAD_NET_SERVER_IMPL_CONNECTION_LIMITS_IPP

#include <fairlead/net/detail/random.hpp>
#include <fairlead/net/server/detail/connection_limits.hpp>

#include <algorithm>
#include <utility>

#include <sys/resource.h>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL std::size_t max_connections_of_process() noexcept {
  constexpr std::size_t kept_for_application = 128;
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0 || descriptors.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  const std::size_t all = descriptors.rlim_cur;
  return all - std::min(all / 2, kept_for_application);
}

FAIRLEAD_DECL response limit_response(refusal why) {
  const bool is_full = why == refusal::server_full;
  response answer = is_full ? text_response(http_status::service_unavailable, "the server is full\n")
                            : text_response(http_status::too_many_requests,
                                            why == refusal::address_count
                                                ? "there are too many connections from your address\n"
                                                : "too many new connections from your address\n");
  answer.add("Retry-After", is_full ? "10" : "60");
  return answer;
}

FAIRLEAD_DECL connection_limits::connection_limits(std::size_t max_connections,
                                                   const std::optional<address_limit_options>& of_address)
    : max_connections_(max_connections != 0 ? max_connections : max_connections_of_process()) {
  if (of_address) addresses_.emplace(*of_address, address_limits::seed{random_number(), random_number()});
}

FAIRLEAD_DECL bool connection_limits::common_place::enter(std::size_t max) noexcept {
  if (count_.fetch_add(1, std::memory_order_relaxed) < max) return true;
  leave();
  return false;
}

class connection_limits::place_of_client final : public counted_connection {
 public:
  explicit place_of_client(connection_limits& limits) noexcept : limits_(limits) {}

  std::optional<refusal> identify(const peer_address& client, time_point now) override {
    if (client_) return std::nullopt;
    const std::lock_guard lock(limits_.mutex_);
    switch (limits_.addresses_->enter(client, now)) {
      case address_verdict::ok: client_ = client; break;
      case address_verdict::uncounted: break;
      case address_verdict::too_many: return refusal::address_count;
      case address_verdict::too_fast: return refusal::address_rate;
    }
    return std::nullopt;
  }

  void leave() noexcept override {
    if (client_) {
      const std::lock_guard lock(limits_.mutex_);
      limits_.addresses_->leave(*client_);
    }
    limits_.connections_.leave();
    delete this;
  }

 private:
  connection_limits& limits_;
  std::optional<peer_address> client_;
};

FAIRLEAD_DECL counted_ptr connection_limits::enter() {
  if (!connections_.enter(max_connections_)) return nullptr;
  counted_ptr place(&connections_);
  if (!addresses_) return place;
  counted_ptr of_client(new place_of_client(*this));
  static_cast<void>(place.release());  // its own now
  return of_client;
}

}  // namespace fairlead

#endif

#ifndef FAIRLEAD_NET_CLIENT_IMPL_ADDRESS_RACE_IPP
#define FAIRLEAD_NET_CLIENT_IMPL_ADDRESS_RACE_IPP

#include <fairlead/net/client/detail/address_race.hpp>
#include <fairlead/net/link/detail/asio_error.hpp>

#include <algorithm>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL std::vector<asio::ip::tcp::endpoint> in_turns(std::span<const asio::ip::tcp::endpoint> found) {
  std::vector<asio::ip::tcp::endpoint> preferred, others, ordered;
  for (const auto& address : found) {
    const bool is_preferred = preferred.empty() || address.protocol() == preferred.front().protocol();
    (is_preferred ? preferred : others).push_back(address);
  }
  for (std::size_t i = 0; i < std::max(preferred.size(), others.size()); ++i) {
    if (i < preferred.size()) ordered.push_back(preferred[i]);
    if (i < others.size()) ordered.push_back(others[i]);
  }
  return ordered;
}

FAIRLEAD_DECL address_race::address_race(event_loop& loop, std::vector<stream::endpoint> addresses,
                                         std::function<void(std::error_code, stream::socket)> done)
    : loop_(loop), addresses_(std::move(addresses)), done_(std::move(done)) {}

FAIRLEAD_DECL void address_race::try_next() {
  const std::size_t index = sockets_.size();
  ++under_way_;
  sockets_.emplace_back(loop_.executor());
  sockets_.back().async_connect(addresses_[index], [weak = weak_from_this(), index](std::error_code ec) {
    if (const auto self = weak.lock()) self->on_tried(index, plain_error(ec));
  });
  if (sockets_.size() < addresses_.size()) loop_.schedule_in(*this, trial_delay);
}

FAIRLEAD_DECL void address_race::on_tried(std::size_t index, std::error_code ec) {
  if (done_ == nullptr) return;
  --under_way_;
  if (!ec) return finish({}, std::move(sockets_[index]));
  if (sockets_.size() < addresses_.size()) return try_next();
  if (under_way_ == 0) finish(ec, stream::socket(loop_.executor()));
}

FAIRLEAD_DECL void address_race::finish(std::error_code ec, stream::socket socket) {
  loop_.cancel(*this);
  sockets_.clear();
  std::exchange(done_, nullptr)(ec, std::move(socket));
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif

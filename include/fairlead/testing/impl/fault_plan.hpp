#ifndef FAIRLEAD_TESTING_IMPL_FAULT_PLAN_HPP
#define FAIRLEAD_TESTING_IMPL_FAULT_PLAN_HPP

#include <fairlead/testing/fault_plan.hpp>

#include <stdexcept>

namespace fairlead::inline FAIRLEAD_ABI {

inline bool link_fault::fits(link_operation op) const noexcept {
  switch (what) {
    case kind::fail:
    case kind::stall: return true;
    case kind::end:
    case kind::split: return op == link_operation::bytes;
    case kind::take:
    case kind::take_half: return op == link_operation::write;
    case kind::change: return op == link_operation::bytes || op == link_operation::write;
  }
  return false;
}

inline fault_plan& fault_plan::inject(link_operation op, std::size_t n, link_fault fault) {
  if (n == 0) throw std::invalid_argument("operations are counted from 1");
  if (!fault.fits(op)) throw std::invalid_argument("this fault cannot befall such an operation");
  if (fault.what == link_fault::kind::split && fault.size == 0) {
    throw std::invalid_argument("pieces have at least one byte");
  }
  std::erase_if(entries_, [&](const entry& e) { return e.op == op && e.n == n; });
  entries_.push_back({op, n, fault});
  return *this;
}

inline void fault_plan::add(std::weak_ptr<detail::stalling_link> l) {
  std::erase_if(links_, [](const auto& gone) { return gone.expired(); });
  links_.push_back(std::move(l));
}

inline std::optional<link_fault> fault_plan::next(link_operation op) {
  const std::size_t n = ++counts_[static_cast<std::size_t>(op)];
  for (const entry& e : entries_) {
    if (e.op != op || e.n != n) continue;
    ++injected_;
    return e.fault;
  }
  return std::nullopt;
}

inline void fault_plan::stall(link_direction d) {
  for (const auto& weak : links_) {
    if (const auto l = weak.lock()) l->stall(d, duration::max());
  }
}

inline void fault_plan::resume() {
  for (const auto& weak : links_) {
    if (const auto l = weak.lock()) l->resume();
  }
}

}  // namespace fairlead

#endif

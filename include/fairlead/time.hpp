#ifndef FAIRLEAD_TIME_HPP
#define FAIRLEAD_TIME_HPP

#include <fairlead/config.hpp>

#include <chrono>

namespace fairlead::inline FAIRLEAD_ABI {

/// The clock that every deadline is measured on. Layers below net never read it: they are given a
/// `time_point`.
using clock = std::chrono::steady_clock;
using time_point = clock::time_point;
using duration = clock::duration;

namespace detail {

/// When `limit` has passed since `now`; time_point::max() when that is further off than a time_point can say.
constexpr time_point deadline_after(time_point now, duration limit) noexcept {
  return limit < time_point::max() - now ? now + limit : time_point::max();
}

}  // namespace detail

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

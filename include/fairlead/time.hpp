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

/// `t` after `start`; time_point::max() when that is out of range, so that duration::max() means never.
constexpr time_point later(time_point start, duration t) noexcept {
  return t < time_point::max() - start ? start + t : time_point::max();
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

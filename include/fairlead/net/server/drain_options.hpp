#ifndef FAIRLEAD_NET_SERVER_DRAIN_OPTIONS_HPP
#define FAIRLEAD_NET_SERVER_DRAIN_OPTIONS_HPP

#include <fairlead/config.hpp>
#include <fairlead/time.hpp>

#include <chrono>
#include <cstddef>

namespace fairlead::inline FAIRLEAD_ABI {

/// How a server lets go of its clients: see server::drain(). A negative time is none.
struct drain_options {
  /// For all of it. What is left then is cut: its queue is lost, and its peer sees no close frame, or no end of it.
  duration within = std::chrono::seconds(30);

  /// The sessions are told to leave evenly over this time, in an order left to chance. It takes longer where that
  /// would be more than a twentieth of them, or more than one, in 100 ms; and less where it would be fewer than one.
  duration spread = std::chrono::seconds(5);

  /// Each client is told to come back after a time between these two, so that they do not all come at one moment: in
  /// the reason of its close frame, `retry-after-ms=N`, or in the Retry-After of a 503, in seconds, at least one.
  std::chrono::milliseconds retry_after_min{0};
  std::chrono::milliseconds retry_after_max{10'000};  ///< Not below `retry_after_min`, or read as that.
};

/// What a drain did.
struct drain_report {
  std::size_t told =
      0;  ///< Sessions that were sent a close frame with 1012, or would have been after their queue.
  std::size_t cut = 0;  ///< Connections that were still there at the deadline, whatever their state.
  duration took{};      ///< From its begin to the end of the last connection.
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

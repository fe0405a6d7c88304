#ifndef FAIRLEAD_BENCHMARKS_LOAD_EVENT_SET_HPP
#define FAIRLEAD_BENCHMARKS_LOAD_EVENT_SET_HPP

#include "program.hpp"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace load {

/// The descriptors of a load program, each known by an index.
class event_set {
 public:
  void add(int fd, std::size_t index, std::uint32_t interest) { control(EPOLL_CTL_ADD, fd, index, interest); }
  void change(int fd, std::size_t index, std::uint32_t interest) {
    control(EPOLL_CTL_MOD, fd, index, interest);
  }
  void remove(int fd) { control(EPOLL_CTL_DEL, fd, 0, 0); }

  /// Calls `serve(index, events)` for each descriptor that is ready within `milliseconds`.
  template <class Serve>
  int wait(int milliseconds, Serve serve) {
    std::array<epoll_event, 256> events;
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), milliseconds);
    if (count < 0 && errno != EINTR) load::check(count, "epoll_wait");
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      serve(static_cast<std::size_t>(event.data.u64), event.events);
    }
    return count;
  }

 private:
  void control(int operation, int fd, std::size_t index, std::uint32_t interest) {
    epoll_event event{};
    event.events = interest;
    event.data.u64 = index;
    load::check(epoll_ctl(epoll_, operation, fd, &event), "epoll_ctl");
  }

  int epoll_ = load::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
};

}  // namespace load

#endif

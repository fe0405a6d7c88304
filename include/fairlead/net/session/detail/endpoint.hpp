#ifndef FAIRLEAD_NET_SESSION_DETAIL_ENDPOINT_HPP
#define FAIRLEAD_NET_SESSION_DETAIL_ENDPOINT_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/link/link.hpp>
#include <fairlead/net/session/detail/departure.hpp>
#include <fairlead/net/session/timer_wheel.hpp>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

class endpoint_group;
class event_loop;

/// The place of a connection in a count. May be one object for all of them, so that it costs an idle one nothing.
class connection_place {
 public:
  connection_place(const connection_place&) = delete;
  connection_place& operator=(const connection_place&) = delete;

  /// The connection is over, or never came to be; once for each.
  virtual void leave() noexcept = 0;

 protected:
  connection_place() noexcept = default;
  ~connection_place() = default;
};

struct place_leaver {
  void operator()(connection_place* place) const noexcept { place->leave(); }
};
using place_ptr = std::unique_ptr<connection_place, place_leaver>;

/// Something that owns a link, from its accept to its close: an HTTP exchange, then maybe a session.
class endpoint : public link_sink, public wheel_timer {
 public:
  endpoint(const endpoint&) = delete;
  endpoint& operator=(const endpoint&) = delete;

  virtual bool is_session() const noexcept { return false; }

  /// The server stops: come to an end within the close timeout.
  virtual void stop() = 0;

  /// Come to an end now.
  virtual void abort() = 0;

  /// Whether it is a session that does not close yet.
  virtual bool may_leave() const noexcept { return false; }

  /// The server drains: come to an end when what is queued has left, `by` then at the latest. Only when may_leave().
  ///
  /// \param reason  For the close frame.
  virtual void leave([[maybe_unused]] time_point by, [[maybe_unused]] std::string reason) {}

  /// Left when the link is gone, which may be long before the endpoint is. Its count is kept by the group.
  void take_place(place_ptr place) noexcept { place_ = std::move(place); }

  /// The server has no session any more and listens no longer: who has not asked yet has a second for it.
  virtual void last_call() {}

 protected:
  endpoint() noexcept = default;
  ~endpoint() override = default;

  /// The one it was added to.
  endpoint_group& group() const noexcept { return *group_; }

 private:
  friend class endpoint_group;
  friend class event_loop;

  /// The context is being destroyed: let go of the link and call nobody.
  virtual void drop() noexcept = 0;

  endpoint_group* group_ = nullptr;
  endpoint* next_ = nullptr;
  endpoint** at_ = nullptr;  // what points here: the list's begin, or the one before
  place_ptr place_;          // null where nobody counts
};

/// The endpoints on one loop that end together: those of one server, or those of no server. On the loop's thread, but
/// where it says otherwise. Endpoints are added and removed by the loop.
class endpoint_group final : private wheel_timer {
 public:
  explicit endpoint_group(event_loop& loop) : loop_(loop) {}
  ~endpoint_group() override = default;

  /// The sessions and exchanges that own a link, and the sessions of them. From any thread.
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  std::size_t session_count() const noexcept { return session_count_.load(std::memory_order_relaxed); }

  /// Called when the last endpoint is gone.
  std::function<void()> on_empty;

  /// What the places of its endpoints belong to, which are left after the server has gone.
  std::shared_ptr<void> counts;

  /// Calls stop() or abort() of every endpoint.
  void stop_all();
  void abort_all();

  /// Tells the sessions to leave, one by one in an order left to chance, as `d` says; also those that come yet. What
  /// is left at the deadline is ended.
  ///
  /// \param on_step  Called each time that some may have been told or ended; empty for nobody.
  void begin_departure(std::shared_ptr<departure> d, std::function<void(time_point)> on_step);

  /// Calls last_call() of every endpoint.
  void last_call();

  /// Tells nobody any more; leaving() stays.
  void end_departure() noexcept;

  /// The server goes, and is not to be called.
  void forget_server() noexcept {
    on_empty = nullptr;
    end_departure();
  }

  /// Null before begin_departure().
  departure* leaving() const noexcept { return departure_.get(); }

 private:
  friend class event_loop;

  void add(endpoint& e) noexcept;
  void remove(endpoint& e) noexcept;
  void drop_all() noexcept;

  static void link(endpoint*& list, endpoint& e) noexcept;
  static void unlink(endpoint& e) noexcept;
  endpoint* any() const noexcept { return endpoints_ != nullptr ? endpoints_ : untold_; }

  void shuffle();
  void on_timer(time_point now) override;
  void step(time_point now);
  void tell_some(time_point now);

  event_loop& loop_;
  endpoint* endpoints_ = nullptr;
  endpoint* untold_ = nullptr;  // those who are to leave, and were not told yet
  std::atomic<std::size_t> size_ = 0;
  std::atomic<std::size_t> session_count_ = 0;
  std::shared_ptr<departure> departure_;
  std::function<void(time_point)> on_step_;
  std::size_t sessions_at_departure_ = 0;
  std::size_t told_ = 0;
};

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

// The definitions need event_loop, so session_core.hpp includes them.

#endif

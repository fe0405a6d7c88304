#ifndef FAIRLEAD_TESTING_FAULT_PLAN_HPP
#define FAIRLEAD_TESTING_FAULT_PLAN_HPP

#include <fairlead/config.hpp>
#include <fairlead/time.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

/// What is counted of a link, each kind by itself: the first two are called by the sink, the others call it.
enum class link_operation : unsigned char {
  write,     ///< link::write() of at least one byte.
  shutdown,  ///< link::shutdown_sending().
  bytes,     ///< link_sink::on_bytes().
  writable,  ///< link_sink::on_writable().
  eof,       ///< link_sink::on_eof().
};

/// How many kinds there are.
inline constexpr std::size_t link_operation_count = 5;

/// Which way bytes go, seen from the sink of a fault link.
enum class link_direction : unsigned char { receiving, sending, both };

/// One thing that goes wrong at one operation. Make it with the functions below.
struct link_fault {
  enum class kind : unsigned char { fail, end, take, take_half, split, change, stall };

  kind what = kind::fail;
  std::error_code error{};                          ///< Of fail.
  std::size_t size = 0;                             ///< Of take and split; the offset of change.
  std::byte bits{};                                 ///< Of change.
  link_direction direction = link_direction::both;  ///< Of stall.
  duration lasting = duration::max();               ///< Of stall.

  /// The link is broken, as by a reset, for any operation. A write() answers `ec`. In place of what the sink was to
  /// be told it sees on_link_error(ec), behind shutdown_sending() from a handler of its own. All that was under way
  /// towards the sink is lost; later writes answer `ec`; the peer sees the end when the sink closes the link.
  static link_fault fail(std::error_code ec) { return {.what = kind::fail, .error = ec}; }
  static link_fault fail(std::errc e) { return fail(std::make_error_code(e)); }

  /// For `bytes`: the sink sees on_eof() in their place. What the peer sends after it is lost too; the sink may still
  /// write.
  static link_fault end() { return {.what = kind::end}; }

  /// For `write`: takes the first `n` bytes at most, as a transport does that is nearly full; on_writable() follows.
  static link_fault take(std::size_t n) { return {.what = kind::take, .size = n}; }

  /// For `write`: the same, with half of the bytes.
  static link_fault take_half() { return {.what = kind::take_half}; }

  /// For `bytes`: the sink sees them in pieces of `n` bytes, at least 1, each from a handler of its own.
  static link_fault split(std::size_t n = 1) { return {.what = kind::split, .size = n}; }

  /// For `write` and `bytes`: the byte at `offset`, counted round when there are fewer, arrives with these bits turned.
  static link_fault change(std::size_t offset, std::byte bits = std::byte{1}) {
    return {.what = kind::change, .size = offset, .bits = bits};
  }

  /// For any operation: from this one on nothing passes in that direction, as behind a cable that was pulled, until
  /// fault_plan::resume(), or until so much time has passed on the context's clock. Nothing is lost. While sending
  /// stalls, write() takes nothing, and the end of sending does not reach the peer; while receiving stalls the sink is
  /// told of nothing, errors included. When it is over on_writable() follows for who waits for it, and what was held
  /// back comes from handlers of its own.
  static link_fault stall(link_direction d = link_direction::both, duration lasting = duration::max()) {
    return {.what = kind::stall, .direction = d, .lasting = lasting};
  }

  /// Whether this fault can befall such an operation.
  bool fits(link_operation op) const noexcept;
};

namespace detail {

class fault_link;

/// What a plan may do to a link at any time.
class stalling_link {
 public:
  virtual void stall(link_direction d, duration lasting) = 0;
  virtual void resume() = 0;

 protected:
  ~stalling_link() = default;
};

}  // namespace detail

/// Counts the operations of the links that were made with it, and says at which of them what goes wrong. Empty it only
/// counts: run the scenario once with an empty plan, then once for each operation that it counted.
///
/// Keep it in a std::shared_ptr; each of its links has a share. Not thread-safe: all on the links' executor, or while
/// their context does not run.
class fault_plan {
 public:
  fault_plan() = default;
  fault_plan(const fault_plan&) = delete;
  fault_plan& operator=(const fault_plan&) = delete;

  /// The `n`-th operation of kind `op`, counted from 1, goes wrong. `count(op) + 1` is the next one. Of two faults for
  /// the same operation the later call counts. Throws std::invalid_argument when `n` is 0, when the fault does not fit
  /// the operation, or splits into pieces of no bytes.
  fault_plan& inject(link_operation op, std::size_t n, link_fault fault);

  /// From now on nothing passes; see link_fault::stall().
  void stall(link_direction d = link_direction::both);

  /// Ends every stall of every link. Calls no sink.
  void resume();

  /// Operations of that kind so far, on all links.
  std::size_t count(link_operation op) const noexcept { return counts_[static_cast<std::size_t>(op)]; }

  /// Faults that were injected so far.
  std::size_t injected() const noexcept { return injected_; }

 private:
  friend detail::fault_link;

  struct entry {
    link_operation op;
    std::size_t n;
    link_fault fault;
  };

  void add(std::weak_ptr<detail::stalling_link> l);
  std::optional<link_fault> next(link_operation op);

  std::array<std::size_t, link_operation_count> counts_{};
  std::size_t injected_ = 0;
  std::vector<entry> entries_;
  std::vector<std::weak_ptr<detail::stalling_link>> links_;
};

}  // namespace fairlead

#include <fairlead/testing/impl/fault_plan.hpp>

#endif

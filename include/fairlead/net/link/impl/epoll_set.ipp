#ifndef FAIRLEAD_NET_LINK_IMPL_EPOLL_SET_IPP
#define FAIRLEAD_NET_LINK_IMPL_EPOLL_SET_IPP

#include <fairlead/net/link/epoll_set.hpp>
#include <fairlead/net/link/impl/epoll_link.ipp>

#include <asio/post.hpp>

#include <cerrno>
#include <new>
#include <utility>

#include <unistd.h>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL detail::epoll_entry::~epoll_entry() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FAIRLEAD_DECL epoll_set::epoll_set(asio::io_context& context)
    : asio::execution_context::service(context),
      context_(context),
      set_(context),
      receive_buffer_(new std::byte[receive_buffer_size]) {
  open();
}

FAIRLEAD_DECL epoll_set::~epoll_set() = default;

FAIRLEAD_DECL void epoll_set::open() {
  const int set = ::epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) throw std::system_error(errno, std::system_category(), "epoll_create1");
  set_.assign(set);
}

FAIRLEAD_DECL void epoll_set::shutdown() {
  // The entries stay until the set itself goes: the sinks may belong to a service that is shut down after
  // this one, and close their links then.
  for (const slot& s : slots_) {
    if (s.entry == nullptr || s.entry->descriptor_ < 0) continue;
    ::close(std::exchange(s.entry->descriptor_, -1));
    s.entry->registered_ = false;
  }
  in_batch_ = true;  // nothing is posted or armed any more
  armed_ = false;
}

// A child shares the parent's epoll set: what one of them removes, both lose. So the child gets a new one.
FAIRLEAD_DECL void epoll_set::notify_fork(asio::execution_context::fork_event event) {
  if (event != asio::execution_context::fork_child) return;
  ::close(set_.release());
  open();
  first_event_ = last_event_ = 0;
  thread_ = {};
  for (const slot& s : slots_) {
    if (s.entry == nullptr || !s.entry->registered_) continue;
    s.entry->registered_ = false;
    watch(*s.entry, s.entry->events_);
  }
  // release() has ended the wait for the old set; its handler arms the new one.
}

FAIRLEAD_DECL link_ptr epoll_set::make_link(int socket) {
  std::unique_ptr<detail::epoll_link> entry;
  try {
    entry = std::make_unique<detail::epoll_link>(*this, socket);
  } catch (...) {
    ::close(socket);
    throw;
  }
  detail::epoll_link* const l = entry.get();
  add(std::move(entry));
  return link_ptr(l);
}

FAIRLEAD_DECL void epoll_set::add(std::unique_ptr<detail::epoll_entry> entry) {
  if (free_ == no_slot) {
    slots_.emplace_back();
    free_ = static_cast<std::uint32_t>(slots_.size() - 1);
  }
  detail::epoll_entry& added = *entry;
  added.slot_ = free_;
  slot& s = slots_[free_];
  free_ = std::exchange(s.next, no_slot);
  s.entry = std::move(entry);
  ++size_;
  try {
    arm();
  } catch (...) {
    remove(added);
    throw;
  }
}

// Never a pointer: an event of this batch may be for an entry that an earlier one of it removed.
FAIRLEAD_DECL epoll_event epoll_set::event_of(const detail::epoll_entry& entry) const noexcept {
  epoll_event event{};
  event.events = entry.events_;
  event.data.u64 = (std::uint64_t{slots_[entry.slot_].generation} << 32) | entry.slot_;
  return event;
}

FAIRLEAD_DECL void epoll_set::watch(detail::epoll_entry& entry, std::uint32_t events) {
  entry.events_ = events;
  epoll_event event = event_of(entry);
  const int operation = entry.registered_ ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (::epoll_ctl(set_.native_handle(), operation, entry.descriptor_, &event) != 0) {
    throw std::system_error(errno, std::system_category(), "epoll_ctl");
  }
  entry.registered_ = true;
}

FAIRLEAD_DECL void epoll_set::ignore(detail::epoll_entry& entry) noexcept {
  if (entry.registered_) ::epoll_ctl(set_.native_handle(), EPOLL_CTL_DEL, entry.descriptor_, nullptr);
  entry.registered_ = false;
}

FAIRLEAD_DECL void epoll_set::remove(detail::epoll_entry& entry) noexcept { ::close(release(entry)); }

FAIRLEAD_DECL int epoll_set::release(detail::epoll_entry& entry) noexcept {
  // Before a close: while a duplicate of the descriptor lives, closing alone leaves its events coming.
  ignore(entry);
  const int descriptor = std::exchange(entry.descriptor_, -1);
  slot& s = slots_[entry.slot_];
  ++s.generation;
  --size_;
  // The entry may be on the call stack; serve_batch() frees it.
  s.next = std::exchange(removed_, entry.slot_);
  if (!in_batch_ && s.next == no_slot) {
    try {
      asio::post(context_, [this] { free_removed(); });
    } catch (const std::bad_alloc&) {  // then the next batch frees it, or the set's end
    }
  }
  if (size_ != 0) return descriptor;
  thread_ = {};
  if (armed_) set_.cancel();
  return descriptor;
}

FAIRLEAD_DECL void epoll_set::free_removed() noexcept {
  while (removed_ != no_slot) {
    const std::uint32_t index = removed_;
    slot& s = slots_[index];
    removed_ = std::exchange(s.next, free_);
    free_ = index;
    s.entry.reset();
  }
}

FAIRLEAD_DECL void epoll_set::arm() {
  if (armed_ || in_batch_ || size_ == 0) return;
  armed_ = true;  // first: from the call on it may be served, on a context that two threads run by mistake
  try {
    set_.async_wait(asio::posix::stream_descriptor::wait_read, waiter{*this});
  } catch (...) {
    armed_ = false;
    throw;
  }
}

FAIRLEAD_DECL void epoll_set::on_wait(std::error_code ec) {
  if (ec == asio::error::operation_aborted && size_ == 0) {
    armed_ = false;
    return;
  }
  serve();
}

FAIRLEAD_DECL void epoll_set::check_thread() {
  if (size_ == 0) return;
  if (thread_ == std::thread::id()) thread_ = std::this_thread::get_id();
  if (thread_ == std::this_thread::get_id()) return;
  arm();
  throw std::system_error(errc::wrong_thread);
}

FAIRLEAD_DECL void epoll_set::serve() {
  armed_ = false;
  check_thread();
  in_batch_ = true;
  batch_bytes_ = 0;
  try {
    bool again = true;
    for (int i = 0; again && i < batches_a_turn; ++i) again = serve_batch();
  } catch (...) {  // from a sink, out of run(), which may be called again
    free_removed();
    end_turn();
    throw;
  }
  end_turn();
}

FAIRLEAD_DECL void epoll_set::end_turn() {
  in_batch_ = false;
  if (first_event_ == last_event_) return arm();
  asio::post(context_, waiter{*this});
  armed_ = true;
}

// True when another batch should follow at once.
FAIRLEAD_DECL bool epoll_set::serve_batch() {
  if (first_event_ == last_event_) {
    const int n = ::epoll_wait(set_.native_handle(), events_.data(), static_cast<int>(events_.size()), 0);
    first_event_ = 0;
    last_event_ = n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  const std::size_t count = last_event_ - first_event_;
  while (first_event_ != last_event_ && batch_bytes_ < batch_bytes) {
    const epoll_event& event = events_[first_event_++];
    const auto index = static_cast<std::uint32_t>(event.data.u64);
    const auto generation = static_cast<std::uint32_t>(event.data.u64 >> 32);
    if (slots_[index].entry != nullptr && slots_[index].generation == generation) {
      slots_[index].entry->on_ready(event.events);
    }
  }
  free_removed();
  return count >= large_batch && batch_bytes_ < batch_bytes;
}

}  // namespace fairlead

#endif

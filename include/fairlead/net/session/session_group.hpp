#ifndef FAIRLEAD_NET_SESSION_SESSION_GROUP_HPP
#define FAIRLEAD_NET_SESSION_SESSION_GROUP_HPP

#include <fairlead/config.hpp>
#include <fairlead/net/session/message_class.hpp>
#include <fairlead/net/session/session.hpp>
#include <fairlead/protocol/message.hpp>

#include <cstddef>
#include <memory>

namespace fairlead::inline FAIRLEAD_ABI {

namespace detail {
class group_state;
}

/// What a session_group may cost.
struct session_group_options {
  /// Bytes of the group's messages that may wait for one thread, some bookkeeping for each included, before its
  /// sessions have them in their own queues. A message that finds no room is not sent to that thread's members, which
  /// count it as drop_reason::thread_busy; a single one is let in whatever its size.
  std::size_t max_posted_size = 4 * 1024 * 1024;
};

/// Sessions, on any number of threads, that get the same messages.
///
/// A small copyable handle, safe from any thread; all copies are the same group, which ends with the last of them.
/// All functions may be called from callbacks, and none calls any. A session leaves by itself when it begins to close,
/// and may be in any number of groups. Sessions and their contexts may end before the group or after it.
///
/// A call takes effect at once for sessions of the calling thread, and for others in the order in which that thread
/// has used the group and the sessions: who is added and then sent a message gets it, and what is sent to the group and
/// to a session arrives there in that order.
class session_group {
 public:
  explicit session_group(const session_group_options& options = {});

  /// Makes the session a member, unless it is one, or closing, or an empty handle. Throws std::bad_alloc.
  void add(const session& ws) const;

  /// The session is no member any more, if it was.
  void remove(const session& ws) const;

  /// session::try_send() to every member. The bytes are kept once for all of them; members of other threads cost one
  /// post for each thread, whatever their number.
  ///
  /// \param m       Copied or shared before the call returns. Text has to be UTF-8, and is not checked.
  /// \param c       As for session::try_send(), for each member on its own.
  /// \param except  A member that is left out, such as the one whose message it was; null for none.
  /// \return        To how many the message went or is on its way. Of another thread's all who were members at the
  ///                call count, which may have closed or be slow when it arrives. Throws std::bad_alloc; some may have
  ///                it then.
  std::size_t try_send(message_view m, const message_class& c = {}, const session* except = nullptr) const;

  /// Members now. Who was added or removed by another thread than the session's own counts as a member until that
  /// thread knows.
  std::size_t size() const;

  friend bool operator==(const session_group& a, const session_group& b) noexcept {
    return a.state_ == b.state_;
  }

 private:
  std::shared_ptr<detail::group_state> state_;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/net/session/impl/session_group.ipp>
#endif

#endif

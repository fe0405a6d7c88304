#ifndef FAIRLEAD_NET_SERVER_IMPL_HANDOVER_IPP
#define FAIRLEAD_NET_SERVER_IMPL_HANDOVER_IPP

#include <fairlead/net/server/detail/handover.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace fairlead::inline FAIRLEAD_ABI::detail {

// What comes with the socket, and what answers it. Another version would be another line.
inline constexpr std::string_view handover_offer = "fairlead listening socket 1\n";
inline constexpr std::string_view handover_answer = "accepting\n";

// Who waits at the path, or comes there: only a process of this user may have the socket, or take it away.
inline bool is_of_same_user(int connection) noexcept {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

FAIRLEAD_DECL bool send_offer(int connection, int listening_socket) noexcept {
  iovec text{const_cast<char*>(handover_offer.data()), handover_offer.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  msghdr m{};
  m.msg_iov = &text;
  m.msg_iovlen = 1;
  m.msg_control = room.data();
  m.msg_controllen = room.size();
  cmsghdr* const rights = CMSG_FIRSTHDR(&m);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(rights), &listening_socket, sizeof listening_socket);
  return ::sendmsg(connection, &m, MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(handover_offer.size());
}

FAIRLEAD_DECL handover::~handover() {
  loop_.cancel(*this);
  file_.remove();  // while we listen there nobody takes its place
}

// --- The successor.

FAIRLEAD_DECL int handover::claim() {
  const std::string where = "hand over at " + path_.string();
  const sockaddr_un address = local_address(path_, where);
  const int connection = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0) throw std::system_error(errno, std::system_category(), where);
  predecessor_.emplace(loop_.executor(), connection);
  ::fcntl(connection, F_SETFL, ::fcntl(connection, F_GETFL) & ~O_NONBLOCK);
  const timeval limit{std::chrono::seconds(patience).count(), 0};
  ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);  // of the connect too
  int socket = -1;
  if (::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;  // there may be no such file, or one that was left behind
    if (error != ENOENT && error != ECONNREFUSED) refusal_ = std::system_category().message(error);
  } else if (!is_of_same_user(connection)) {
    refusal_ = "it belongs to another user";
  } else {
    socket = receive_socket(connection);
  }
  if (socket < 0) predecessor_.reset();
  return socket;
}

FAIRLEAD_DECL int handover::receive_socket(int connection) {
  constexpr std::size_t max_sockets = 8;  // of which all but one would be a mistake
  std::array<char, handover_offer.size() + 1> text{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(max_sockets * sizeof(int))> room{};
  iovec into{text.data(), text.size()};
  msghdr m{};
  m.msg_iov = &into;
  m.msg_iovlen = 1;
  m.msg_control = room.data();
  m.msg_controllen = room.size();
  const ssize_t size = ::recvmsg(connection, &m, MSG_CMSG_CLOEXEC);
  if (size <= 0) {
    refusal_ = size == 0 ? "it closed the connection" : "it does not answer";
    return -1;
  }
  std::array<int, max_sockets> sockets{};
  std::size_t count = 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t sent = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < sent && count < max_sockets; ++i) {
      std::memcpy(&sockets[count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
  }
  const bool is_offer = std::string_view(text.data(), static_cast<std::size_t>(size)) == handover_offer;
  if (is_offer && count == 1 && is_listening(sockets[0])) return sockets[0];
  for (std::size_t i = 0; i < count; ++i) ::close(sockets[i]);
  refusal_ = "it sent no listening socket";
  return -1;
}

FAIRLEAD_DECL void handover::give_back(std::string why) {
  predecessor_.reset();
  refusal_ = std::move(why);
}

FAIRLEAD_DECL void handover::begin(int listening_socket, std::function<void()> on_replaced) {
  listening_socket_ = listening_socket;
  on_replaced_ = std::move(on_replaced);
  if (predecessor_) return tell_predecessor();
  if (!refusal_.empty()) return retry();
  take_path();
}

FAIRLEAD_DECL void handover::tell_predecessor() {
  // Fails when the predecessor is gone, as the wait for its end says then too.
  static_cast<void>(::send(predecessor_->native_handle(), handover_answer.data(), handover_answer.size(),
                           MSG_NOSIGNAL | MSG_DONTWAIT));
  loop_.schedule_in(*this, patience);
  await_predecessor();
}

FAIRLEAD_DECL void handover::await_predecessor() {
  predecessor_->async_wait(asio::posix::descriptor_base::wait_read, [this](std::error_code ec) {
    if (ec) return;  // `this` may be gone
    predecessor_.reset();
    retry();
  });
}

FAIRLEAD_DECL void handover::take_path() {
  constexpr int backlog = 8;
  local_listener opened =
      listen_local(path_, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, backlog);
  file_ = std::move(opened.file);
  door_.emplace(loop_, kind_, opened.socket, [this](int socket) { on_connection(socket); });
}

// Somebody may still be there, and give the path up at any time.
FAIRLEAD_DECL void handover::retry() {
  try {
    take_path();
    loop_.cancel(*this);
  } catch (const std::exception&) {
    constexpr auto pause = std::chrono::seconds(1);
    loop_.schedule_in(*this, pause);
  }
}

FAIRLEAD_DECL void handover::on_timer(time_point) {
  predecessor_.reset();
  retry();
}

// --- The predecessor.

FAIRLEAD_DECL void handover::on_connection(int socket) {
  // The last to come is the one that counts: one before it that has not begun may never do.
  successor_.emplace(loop_.executor(), socket);
  if (!is_of_same_user(socket) || !send_offer(socket, listening_socket_)) return successor_.reset();
  await_successor();
}

FAIRLEAD_DECL void handover::await_successor() {
  successor_->async_wait(asio::posix::descriptor_base::wait_read, [this](std::error_code ec) {
    if (ec) return;  // another came, or `this` is gone
    std::array<char, handover_answer.size() + 1> text{};
    const ssize_t size = ::recv(successor_->native_handle(), text.data(), text.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return await_successor();
    if (size <= 0 || std::string_view(text.data(), static_cast<std::size_t>(size)) != handover_answer) {
      return successor_.reset();  // it died, or is something else: nothing has changed
    }
    // Its end tells the successor that the path is free, so it is the last to go.
    const stream_descriptor connection = std::move(*successor_);
    file_.remove();
    door_.reset();
    const auto on_replaced = std::move(on_replaced_);
    on_replaced();
  });
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif

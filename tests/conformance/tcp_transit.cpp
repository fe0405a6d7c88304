#include "tcp_transit.hpp"

// Not <netinet/tcp.h>: glibc's tcp_info ends before the counters of bytes.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cstring>

namespace conformance {
namespace {

constexpr int established = 1;
constexpr int fin_wait_1 = 4;

struct side_info {
  bool is_open = false;
  tcp_info info{};

  explicit side_info(int socket) {
    socklen_t size = sizeof info;
    is_open = ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
  }
};

bool is_under_way(const tcp_info& from, const tcp_info& to) {
  if (from.tcpi_notsent_bytes != 0) return true;
  if (from.tcpi_bytes_sent - from.tcpi_bytes_retrans > to.tcpi_bytes_received) return true;
  return from.tcpi_state == fin_wait_1 && to.tcpi_state == established;
}

sockaddr_in address_of(int socket, bool of_peer) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  const auto get = of_peer ? ::getpeername : ::getsockname;
  if (get(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) address.sin_family = AF_UNSPEC;
  return address;
}

bool operator==(const sockaddr_in& a, const sockaddr_in& b) {
  return a.sin_family == AF_INET && b.sin_family == AF_INET && a.sin_port == b.sin_port &&
         a.sin_addr.s_addr == b.sin_addr.s_addr;
}

}  // namespace

int other_end_of(int socket) {
  const sockaddr_in here = address_of(socket, false), there = address_of(socket, true);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  for (int other = 0; other < static_cast<int>(limit.rlim_cur); ++other) {
    if (address_of(other, false) == there && address_of(other, true) == here) return other;
  }
  return -1;
}

bool are_in_transit(int one, int other) {
  const side_info a(one), b(other);
  return a.is_open && b.is_open && (is_under_way(a.info, b.info) || is_under_way(b.info, a.info));
}

}  // namespace conformance

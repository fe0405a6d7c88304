#ifndef FAIRLEAD_NET_SERVER_IMPL_INHERITED_SOCKETS_IPP
#define FAIRLEAD_NET_SERVER_IMPL_INHERITED_SOCKETS_IPP

#include <fairlead/net/server/inherited_sockets.hpp>

#include <charconv>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

// A whole decimal number and nothing else.
inline std::optional<int> number_in_environment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  const std::string_view text(value);
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace detail

FAIRLEAD_DECL std::vector<inherited_socket> inherited_sockets() {
  constexpr int first = 3;  // SD_LISTEN_FDS_START
  const auto process = detail::number_in_environment("LISTEN_PID");
  const auto count = detail::number_in_environment("LISTEN_FDS");
  if (!process || *process != ::getpid() || !count || *count <= 0) return {};
  if (*count > std::numeric_limits<int>::max() - first) return {};

  const char* const names = std::getenv("LISTEN_FDNAMES");
  std::string_view rest = names != nullptr ? names : "";
  std::vector<inherited_socket> sockets;
  for (int descriptor = first; descriptor < first + *count; ++descriptor) {
    const int flags = ::fcntl(descriptor, F_GETFD);
    if (flags < 0 || ::fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC) != 0) return {};
    const std::string_view name = rest.substr(0, rest.find(':'));
    rest.remove_prefix(name.size() < rest.size() ? name.size() + 1 : rest.size());
    sockets.push_back({descriptor, std::string(name.empty() ? "unknown" : name)});
  }
  return sockets;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

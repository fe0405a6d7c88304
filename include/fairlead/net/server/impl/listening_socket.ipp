#ifndef FAIRLEAD_NET_SERVER_IMPL_LISTENING_SOCKET_IPP
#define FAIRLEAD_NET_SERVER_IMPL_LISTENING_SOCKET_IPP

#include <fairlead/net/server/detail/listening_socket.hpp>

#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

inline listening_socket given_socket(const server_options& o) {
  const std::string where = "listen on descriptor " + std::to_string(o.listening_socket);
  if (!o.handover_path.empty()) {
    throw std::invalid_argument(where + ": and pass it on at " + o.handover_path.string());
  }
  if (!is_listening(o.listening_socket)) {
    throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                            where + ", which is no stream socket that listens");
  }
  set_non_blocking(o.listening_socket);
  return {owned_socket(o.listening_socket), {}};
}

inline listening_socket new_socket(const server_options& o) {
  if (o.local_path.empty()) return {owned_socket(listen_tcp(o.address, o.port, o.backlog)), {}};
  local_listener made = listen_local(o.local_path, o.local_permissions, o.backlog);
  return {owned_socket(made.socket), std::move(made.file)};
}

inline bool is_as_asked(int socket, const server_options& o) noexcept {
  return o.local_path.empty() ? is_bound_to(socket, o.address, o.port) : is_bound_to(socket, o.local_path);
}

FAIRLEAD_DECL listening_socket open_listening_socket(const server_options& o, handover* predecessor) {
  if (o.listening_socket >= 0) return given_socket(o);
  if (predecessor == nullptr) return new_socket(o);
  owned_socket claimed(predecessor->claim());
  if (claimed.get() >= 0 && is_as_asked(claimed.get(), o)) {
    set_non_blocking(claimed.get());
    return {std::move(claimed), o.local_path.empty() ? local_socket_file() : file_of_local(o.local_path)};
  }
  if (claimed.get() >= 0) predecessor->give_back("its socket is bound to another address");
  claimed = owned_socket();
  try {
    return new_socket(o);
  } catch (const std::system_error& e) {
    if (predecessor->refusal().empty()) throw;
    std::string text = o.handover_path.string();
    text.append(" did not pass a socket on (").append(predecessor->refusal()).append("); ").append(e.what());
    throw std::system_error(e.code(), text);
  }
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif

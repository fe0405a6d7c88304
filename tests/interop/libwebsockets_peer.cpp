// libwebsockets as either side of the table; see interop.py.
//
//   libwebsockets_peer server [--certificate FILE --key FILE] [--deflate]
//   libwebsockets_peer client --url ws[s]://HOST:PORT [--ca FILE] [--deflate]
#include "interop.hpp"

#include <libwebsockets.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using options = std::map<std::string, std::string>;

bool compresses = false;

/// A message to send, one frame at each call. In front of each there is the room that libwebsockets wants.
class sender {
 public:
  void begin(std::string_view payload, bool is_text, bool in_fragments) {
    frames_.clear();
    next_ = 0;
    is_text_ = is_text;
    // It cannot compress an empty fragment.
    const bool is_split = in_fragments && (!compresses || payload.size() >= interop::fragment_count);
    for (std::size_t i = 0; i < (is_split ? interop::fragment_count : 1); ++i) {
      frames_.emplace_back(LWS_PRE, '\0');
      frames_.back() += is_split ? interop::fragment_of(payload, i) : payload;
    }
  }

  bool has_more() const { return next_ < frames_.size(); }

  void send_next(lws* wsi) {
    std::string& frame = frames_[next_];
    const bool first = next_ == 0, last = ++next_ == frames_.size();
    const int flags = lws_write_ws_flags(is_text_ ? LWS_WRITE_TEXT : LWS_WRITE_BINARY, first, last);
    auto* const payload = reinterpret_cast<unsigned char*>(frame.data()) + LWS_PRE;
    const int n = lws_write(wsi, payload, frame.size() - LWS_PRE, static_cast<lws_write_protocol>(flags));
    interop::expect(n >= 0, "lws_write() fails");
  }

 private:
  std::vector<std::string> frames_;
  std::size_t next_ = 0;
  bool is_text_ = true;
};

/// Appends what was received to `message`, and takes it from there when it is whole. lws_is_first_fragment() does not
/// tell where a message begins: a compressed fragment that is empty is not reported.
std::optional<std::string> receive(lws* wsi, std::string& message, const void* in, std::size_t size) {
  message.append(static_cast<const char*>(in), size);
  if (lws_is_final_fragment(wsi) == 0 || lws_remaining_packet_payload(wsi) != 0) return std::nullopt;
  return std::exchange(message, {});
}

/// For the callback to return.
int close_with(lws* wsi, int code) {
  std::string reason = "a reason";
  lws_close_reason(wsi, static_cast<lws_close_status>(code), reinterpret_cast<unsigned char*>(reason.data()),
                   reason.size());
  return -1;
}

// --- The server ---------------------------------------------------------------------------------------------

/// A connection to the server.
struct visitor {
  std::string path;
  std::string message;
  sender reply;
  int close_code = 0;
};

int serve(lws* wsi, lws_callback_reasons reason, void* user, void* in, std::size_t size) {
  auto*& v = *static_cast<visitor**>(user);
  switch (reason) {
    case LWS_CALLBACK_ESTABLISHED: {
      char path[64] = "";
      lws_hdr_copy(wsi, path, sizeof path, WSI_TOKEN_GET_URI);
      v = new visitor{path, {}, {}, 0};
      break;
    }
    case LWS_CALLBACK_RECEIVE:
      if (const auto message = receive(wsi, v->message, in, size)) {
        if (v->path.rfind("/close/", 0) == 0) {
          v->close_code = std::stoi(v->path.substr(7));
        } else {
          v->reply.begin(*message, lws_frame_is_binary(wsi) == 0, v->path == "/fragments");
        }
        lws_callback_on_writable(wsi);
      }
      break;
    case LWS_CALLBACK_SERVER_WRITEABLE:
      if (v->close_code != 0) return close_with(wsi, v->close_code);
      if (!v->reply.has_more()) break;
      v->reply.send_next(wsi);
      lws_callback_on_writable(wsi);
      break;
    case LWS_CALLBACK_CLOSED: delete v; break;
    default: break;
  }
  return 0;
}

// --- The client ---------------------------------------------------------------------------------------------

/// What one connection is for.
struct task {
  const char* cell;
  std::string path;
  std::vector<bool> kinds{};  ///< Text, for each time that all sizes are exchanged.
  bool in_fragments = false;
  int close_code = 1000;  ///< With which it closes.
  int closed_with = 0;    ///< Or is to be closed.
};

std::vector<task> all_tasks() {
  std::vector<task> tasks{{"text", "/echo", {true}},
                          {"binary", "/echo", {false}},
                          {"fragments_sent", "/echo", {true, false}, true},
                          {"fragments_received", "/fragments", {true, false}}};
  for (const int code : interop::close_codes) tasks.push_back({"client_closes", "/echo", {}, false, code});
  for (const int code : interop::close_codes) {
    tasks.push_back({"server_closes", "/close/" + std::to_string(code), {}, false, 0, code});
  }
  return tasks;
}

class client {
 public:
  explicit client(const options& o) : secure_(o.count("--ca") != 0), deflate_(o.count("--deflate") != 0) {
    port_ = std::stoi(o.at("--url").substr(o.at("--url").rfind(':') + 1));
  }

  bool is_done() const { return at_ == tasks_.size(); }

  void connect(lws_context* context) {
    agreed_ = false;
    was_closed_with_ = 0;
    exchanged_ = 0;
    lws_client_connect_info info{};
    info.context = context;
    info.address = "127.0.0.1";
    info.host = "localhost";
    info.port = port_;
    info.path = tasks_[at_].path.c_str();
    info.ssl_connection = secure_ ? LCCSCF_USE_SSL : 0;
    info.alpn = "http/1.1";
    info.local_protocol_name = "client";
    interop::expect(lws_client_connect_via_info(&info) != nullptr, "no connection");
  }

  int on_event(lws* wsi, lws_callback_reasons reason, const void* in, std::size_t size) {
    switch (reason) {
      case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH: {
        char extensions[256] = "";
        lws_hdr_copy(wsi, extensions, sizeof extensions, WSI_TOKEN_EXTENSIONS);
        agreed_ = std::string_view(extensions).find("permessage-deflate") != std::string_view::npos;
        break;
      }
      case LWS_CALLBACK_CLIENT_ESTABLISHED:
        interop::expect(agreed_ == deflate_, "permessage-deflate is not agreed on as it was offered");
        begin_next(wsi);
        break;
      case LWS_CALLBACK_CLIENT_RECEIVE:
        if (const auto message = receive(wsi, message_, in, size)) on_message(wsi, *message);
        break;
      case LWS_CALLBACK_CLIENT_WRITEABLE: return on_writable(wsi);
      case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        on_peer_close(static_cast<const unsigned char*>(in), size);
        break;
      case LWS_CALLBACK_CLIENT_CLOSED: on_closed(lws_get_context(wsi)); break;
      case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        throw std::runtime_error(in != nullptr ? static_cast<const char*>(in) : "no connection");
      default: break;
    }
    return 0;
  }

 private:
  bool sends_text() const { return tasks_[at_].kinds[exchanged_ / interop::sizes.size()]; }
  bool has_exchanged_all() const { return exchanged_ == tasks_[at_].kinds.size() * interop::sizes.size(); }

  void begin_next(lws* wsi) {
    const task& t = tasks_[at_];
    if (!has_exchanged_all()) {
      const std::size_t size = interop::sizes[exchanged_ % interop::sizes.size()];
      payload_ = sends_text() ? interop::text_of(size) : interop::bytes_of(size);
      sender_.begin(payload_, sends_text(), t.in_fragments);
    } else if (t.closed_with != 0) {
      sender_.begin("close", true, false);
    }
    lws_callback_on_writable(wsi);
  }

  void on_message(lws* wsi, const std::string& message) {
    interop::expect((lws_frame_is_binary(wsi) == 0) == sends_text(), "the echo is of another kind");
    interop::expect_echo(message, payload_);
    ++exchanged_;
    begin_next(wsi);
  }

  int on_writable(lws* wsi) {
    if (sender_.has_more()) {
      sender_.send_next(wsi);
      lws_callback_on_writable(wsi);
      return 0;
    }
    const task& t = tasks_[at_];
    return has_exchanged_all() && t.closed_with == 0 ? close_with(wsi, t.close_code) : 0;
  }

  void on_peer_close(const unsigned char* payload, std::size_t size) {
    interop::expect(size >= 2, "a close without a code");
    was_closed_with_ = payload[0] << 8 | payload[1];
    reason_.assign(reinterpret_cast<const char*>(payload) + 2, size - 2);
  }

  void on_closed(lws_context* context) {
    const task& t = tasks_[at_];
    interop::expect(has_exchanged_all(), "closed where a message was expected");
    if (t.closed_with != 0) interop::expect_close(was_closed_with_, reason_, t.closed_with);
    ++at_;
    if (is_done() || std::strcmp(tasks_[at_].cell, t.cell) != 0) {
      std::printf("{\"cell\": \"%s\"}\n", t.cell);
      std::fflush(stdout);
    }
    if (!is_done()) connect(context);
  }

  int port_ = 0;
  bool secure_;
  bool deflate_;
  std::vector<task> tasks_ = all_tasks();
  std::size_t at_ = 0;
  std::size_t exchanged_ = 0;  // messages of the task
  bool agreed_ = false;
  std::string payload_;
  std::string message_;
  sender sender_;
  int was_closed_with_ = 0;
  std::string reason_;
};

client* the_client = nullptr;

void fail(const char* what) {
  std::fprintf(stderr, "libwebsockets_peer: %s\n", what);
  std::_Exit(1);
}

/// No exception may pass through libwebsockets.
template <auto Callback>
int guarded(lws* wsi, lws_callback_reasons reason, void* user, void* in, std::size_t size) noexcept try {
  return Callback(wsi, reason, user, in, size);
} catch (const std::exception& e) {
  fail(e.what());
  return -1;
}

int to_client(lws* wsi, lws_callback_reasons reason, void*, void* in, std::size_t size) {
  return the_client->on_event(wsi, reason, in, size);
}

volatile std::sig_atomic_t stopped = 0;

void run(bool is_server, const options& o) {
  const lws_protocols protocols[] = {
      is_server ? lws_protocols{"server", guarded<serve>, sizeof(visitor*), 65536, 0, nullptr, 0}
                : lws_protocols{"client", guarded<to_client>, 0, 65536, 0, nullptr, 0},
      lws_protocols{}};
  const lws_extension extensions[] = {
      {"permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate; client_max_window_bits"},
      {nullptr, nullptr, nullptr}};
  lws_context_creation_info info{};
  info.protocols = protocols;
  info.port = is_server ? 0 : CONTEXT_PORT_NO_LISTEN;
  info.iface = is_server ? "127.0.0.1" : nullptr;
  info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
  info.alpn = "http/1.1";
  compresses = o.count("--deflate") != 0;
  if (compresses) info.extensions = extensions;
  if (o.count("--certificate") != 0) {
    info.ssl_cert_filepath = o.at("--certificate").c_str();
    info.ssl_private_key_filepath = o.at("--key").c_str();
  }
  if (o.count("--ca") != 0) info.client_ssl_ca_filepath = o.at("--ca").c_str();
  lws_context* const context = lws_create_context(&info);
  interop::expect(context != nullptr, "lws_create_context() fails");
  lws_vhost* const vhost = lws_create_vhost(context, &info);
  interop::expect(vhost != nullptr, "lws_create_vhost() fails");
  std::printf("{\"peer\": \"libwebsockets %d.%d.%d\", \"port\": %d}\n", LWS_LIBRARY_VERSION_MAJOR,
              LWS_LIBRARY_VERSION_MINOR, LWS_LIBRARY_VERSION_PATCH, lws_get_vhost_listen_port(vhost));
  std::fflush(stdout);
  if (!is_server) {
    static client c(o);
    the_client = &c;
    c.connect(context);
  }
  while (stopped == 0 && (is_server || !the_client->is_done())) {
    if (lws_service(context, 0) < 0) break;
  }
  lws_context_destroy(context);
}

}  // namespace

int main(int argc, char** argv) try {
  interop::expect(argc >= 2, "the role has to be given");
  options o;
  for (int i = 2; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--deflate") {
      o[option];
    } else if (i + 1 < argc) {
      o[option] = argv[++i];
    }
  }
  lws_set_log_level(LLL_ERR, nullptr);
  std::signal(SIGTERM, [](int) { stopped = 1; });
  run(argv[1] == std::string_view("server"), o);
} catch (const std::exception& e) {
  fail(e.what());
}

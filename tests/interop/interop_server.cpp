// The server that the other implementations' clients meet, and that theirs do the same as; see interop.py.
//
//   interop_server [--certificate FILE --key FILE] [--deflate [--compress-all]]
//
// --compress-all compresses each message, with what was before it.
//
//   /             an empty page
//   /echo         sends each message back, as one frame; prints with which code the peer closed
//   /fragments    sends each message back in four
//   /close/CODE   closes with that code and a reason, at the first message
#include "interop.hpp"

#include <fairlead.hpp>
#include <fairlead/json_writer.hpp>

#include <cstdio>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

void print(fairlead::json_writer& line) {
  std::puts(line.end_object().text().c_str());
  std::fflush(stdout);
}

const fairlead::handlers echo{
    .on_message = [](fairlead::session& ws, fairlead::message_view m) { ws.try_send(m); },
    .on_close =
        [](fairlead::session&, const fairlead::close_info& info) {
          print(fairlead::json_writer().begin_object().member("closed_with", static_cast<int>(info.code)));
        },
};

asio::awaitable<void> echo_in_fragments(fairlead::session ws) {
  while (auto message = co_await ws.receive()) {
    for (std::size_t i = 0; i < interop::fragment_count; ++i) {
      const std::string_view fragment = interop::fragment_of(message->text(), i);
      co_await ws.send_part({message->kind(), std::as_bytes(std::span(fragment))},
                            i + 1 == interop::fragment_count);
    }
  }
}

asio::awaitable<void> close_with(fairlead::session ws, fairlead::request head) {
  co_await ws.receive();
  const int code = std::stoi(std::string(head.param("code")));
  co_await ws.close(static_cast<fairlead::close_code>(code), "a reason");
}

fairlead::server_options options_of(int argc, char** argv) {
  fairlead::server_options options{.address = "127.0.0.1"};
  options.session.connection.max_message_size = interop::max_message_size;
  fairlead::tls_certificate certificate;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--deflate") {
      options.session.deflate.enabled = true;
    } else if (option == "--compress-all") {
      options.session.deflate.send_takeover = true;
      options.session.deflate.min_size = 0;
    } else if (option == "--certificate" && i + 1 < argc) {
      certificate.chain = argv[++i];
    } else if (option == "--key" && i + 1 < argc) {
      certificate.key = argv[++i];
    } else {
      throw std::invalid_argument("cannot do anything with " + std::string(option));
    }
  }
  if (!certificate.chain.empty()) options.tls = fairlead::tls_server_context({.certificates = {certificate}});
  return options;
}

}  // namespace

int main(int argc, char** argv) try {
  fairlead::server server(options_of(argc, argv));
  server.route("/echo", echo);
  server.route("/fragments", echo_in_fragments);
  server.route("/close/{code}", close_with);
  server.get("/", [](const fairlead::request&) {
    return fairlead::text_response(fairlead::http_status::ok, "<!doctype html>\n",
                                   "text/html; charset=utf-8");
  });
  server.listen();
  print(fairlead::json_writer().begin_object().member("peer", "fairlead").member("port", server.port()));
  server.run();
} catch (const std::exception& e) {
  std::fprintf(stderr, "interop_server: %s\n", e.what());
  return 1;
}

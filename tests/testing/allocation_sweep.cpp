#include <fairlead/net/link/epoll_set.hpp>
#include <fairlead/net/server/server.hpp>

#include <net/link/link_support.hpp>
#include <net/session/session_support.hpp>
#include <support/catch.hpp>
#include <support/heap.hpp>
#include <testing/scene.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>

// TRUST R08: each allocation that the library makes fails once. Its peers are bare sockets, whose buffers are there
// before, so that nothing but the library and Asio takes from the heap while it may fail.
//
// Routes with coroutines are left out: Asio begins an awaited operation where nothing may throw, so that a coroutine
// that finds no memory ends in std::terminate, whatever the operation is (docs/design/net.md).

using namespace fairlead;
using namespace testing_test;
using net_test::frame;
using net_test::text_frame;

namespace {

/// A client's socket, and what came out of it.
class bare_peer {
 public:
  explicit bare_peer(link_support::descriptor socket) : socket_(std::move(socket)) {
    received_.reserve(1 << 20);
  }

  void write(std::string_view bytes) {
    if (::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) is_over = true;
  }

  /// Takes what there is. True when it has `wanted` in it, and then forgets it.
  bool reads(std::string_view wanted) {
    static std::array<char, 65'536> buffer;
    ssize_t n = 0;
    while ((n = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0) {
      received_.append(buffer.data(), static_cast<std::size_t>(n));
      read_size += static_cast<std::size_t>(n);
    }
    if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) is_over = true;
    const bool found = received_.find(wanted) != std::string::npos;
    received_.clear();
    return found;
  }

  void hang_up() { socket_.reset(); }

  bool is_over = false;
  std::size_t read_size = 0;

 private:
  link_support::descriptor socket_;
  std::string received_;
};

/// A scene whose sessions are on sockets.
struct stage final : scene {
  explicit stage(bool deflate) : scene(deflate, false) { neighbour = join_others(); }

  /// Null when the server could not take the connection, and said so.
  std::unique_ptr<bare_peer> connect() {
    link_support::socket_pair sockets = link_support::make_local_pair();
    auto c = std::make_unique<bare_peer>(std::move(sockets.far));
    try {
      const heap_failure::window open;
      s.serve(asio::use_service<epoll_set>(context).make_link(sockets.near.release()));
    } catch (const std::bad_alloc&) {
      ++refused;
      return nullptr;
    }
    return c;
  }

  std::unique_ptr<bare_peer> join_others() {
    auto c = connect();
    if (c == nullptr) return nullptr;
    c->write(net_test::upgrade_request_for("/others"));
    pass(moment);
    c->reads("HTTP/1.1 101");
    return c;
  }

  /// Calls again what threw, as a program does that wants to go on.
  void pass(duration d) {
    const time_point end = time.now() + d;
    while (time.now() != end) {
      try {
        const heap_failure::window open;
        time.advance(end - time.now());
      } catch (const std::bad_alloc&) {
        ++thrown;
      }
    }
    time.run_ready();
  }

  bool echoes(bare_peer& c, std::string_view text) {
    c.write(text_frame(text));
    pass(moment);
    return c.reads(text);
  }

  int refused = 0;  ///< By serve().
  int thrown = 0;   ///< Out of run().
  std::unique_ptr<bare_peer> neighbour;
  std::unique_ptr<bare_peer> victim;
};

struct scenario {
  std::string_view name;
  std::function<bool(stage&)> play;  ///< Whether all of it succeeded.
  bool compressed = false;
};

bool join(stage& on, std::string_view target = "/", std::string_view fields = {}) {
  on.victim = on.connect();
  if (on.victim == nullptr) return false;
  on.victim->write(net_test::upgrade_request_for(target, fields));
  on.pass(moment);
  return on.victim->reads("HTTP/1.1 101");
}

const std::string large(100'000, 'x');

const std::array scenarios{
    scenario{.name = "a request for a page",
             .play =
                 [](stage& on) {
                   on.victim = on.connect();
                   if (on.victim == nullptr) return false;
                   on.victim->write("GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n");
                   on.pass(moment);
                   return on.victim->reads("a page");
                 }},
    scenario{.name = "a connection to a port",
             .play =
                 [](stage& on) {
                   on.victim = std::make_unique<bare_peer>(link_support::connect_to(on.s.port()));
                   on.victim->write(net_test::upgrade_request_for("/"));
                   on.pass(moment);
                   on.pass(moment);
                   return on.victim->reads("HTTP/1.1 101") && on.echoes(*on.victim, "hello");
                 }},
    scenario{.name = "handshake", .play = [](stage& on) { return join(on); }},
    scenario{.name = "echo",
             .play =
                 [](stage& on) {
                   return join(on) && on.echoes(*on.victim, "one") && on.echoes(*on.victim, "two");
                 }},
    scenario{.name = "fragmented message with a ping in it",
             .play =
                 [](stage& on) {
                   if (!join(on)) return false;
                   on.victim->write(frame(0x01, "frag"));
                   on.pass(moment);
                   on.victim->write(frame(0x00, "men"));
                   on.pass(moment);
                   on.victim->write(frame(0x89, "ping"));
                   on.pass(moment);
                   on.victim->write(frame(0x80, "ted"));
                   on.pass(moment);
                   return on.victim->reads("fragmented");
                 }},
    scenario{.name = "large message",
             .play =
                 [](stage& on) {
                   if (!join(on)) return false;
                   const std::string bytes = text_frame(large);
                   for (std::size_t at = 0; at < bytes.size(); at += 30'000) {
                     on.victim->write(std::string_view(bytes).substr(at, 30'000));
                     on.pass(moment);
                   }
                   return on.victim->reads(large);
                 }},
    scenario{.name = "message that its peer does not read",
             .play =
                 [](stage& on) {
                   if (!join(on)) return false;
                   for (int i = 0; i < 6; ++i) {
                     on.victim->write(text_frame(large));
                     on.pass(moment);
                   }
                   for (int i = 0; i < 20; ++i) {
                     on.victim->reads("");
                     on.pass(moment);
                   }
                   return on.victim->read_size > 6 * large.size();
                 }},
    scenario{.name = "compressed message",
             .play =
                 [](stage& on) {
                   if (!join(on, "/", "Sec-WebSocket-Extensions: permessage-deflate\r\n")) return false;
                   on.victim->write(text_frame(std::string_view(large).substr(0, 1000)));
                   on.pass(moment);
                   return on.victim->reads("\xc1");
                 },
             .compressed = true},
    scenario{.name = "publish",
             .play =
                 [](stage& on) {
                   if (!join(on)) return false;
                   const auto first = on.join_others();
                   const auto second = on.join_others();
                   on.victim->write(text_frame("publish"));
                   on.pass(moment);
                   bool all = true;
                   for (bare_peer* each : {on.victim.get(), on.neighbour.get(), first.get(), second.get()}) {
                     all = each != nullptr && each->reads("published") && all;
                   }
                   return all;
                 }},
    scenario{.name = "close by the client",
             .play =
                 [](stage& on) {
                   if (!join(on)) return false;
                   on.victim->write(net_test::close_frame(1000));
                   on.pass(moment);
                   return on.victim->reads("\x88") && on.victim->is_over;
                 }},
    scenario{.name = "close by the server",
             .play =
                 [](stage& on) {
                   if (!join(on)) return false;
                   on.victim->write(text_frame("bye"));
                   on.pass(moment);
                   const bool asked = on.victim->reads("bye");
                   on.victim->write(net_test::close_frame(1000));
                   on.pass(moment);
                   on.victim->reads("");
                   return asked && on.victim->is_over;
                 }},
};

// False when a message from another session no longer reaches the neighbour.
bool leave(stage& on) {
  if (on.victim != nullptr) on.victim->hang_up();
  on.pass(all_timeouts);
  CHECK(on.s.connection_count() == 1);
  CHECK(on.tried.opens == on.tried.closes);
  CHECK(on.tried.opens <= 1);
  CHECK(on.tried.wrong + on.others.wrong == 0);
  CHECK(on.echoes(*on.neighbour, "still here"));
  const auto publisher = on.join_others();
  publisher->write(text_frame("publish"));
  on.pass(moment);
  const bool heard = on.neighbour->reads("published");
  publisher->hang_up();
  on.neighbour->hang_up();
  on.pass(all_timeouts);
  CHECK(on.s.connection_count() == 0);
  CHECK(on.others.opens == on.others.closes);
  CHECK(detail::event_loop::of(on.context).next_timer() == time_point::max());
  return heard;
}

struct outcome {
  bool struck;
  bool succeeded;
  int thrown;
  bool neighbour_hears;
};

outcome try_failure(const scenario& s, std::size_t k) {
  stage on(s.compressed);
  on.s.listen();
  outcome seen{};
  {
    const heap_failure failure(k);
    seen.succeeded = s.play(on);
    seen.struck = failure.has_struck();
  }
  seen.thrown = on.thrown;
  seen.neighbour_hears = leave(on);
  return seen;
}

}  // namespace

TEST_CASE("every_allocation_of_a_server_may_fail") {
  const scenario& s = scenarios[GENERATE(range(std::size_t{0}, scenarios.size()))];
  CAPTURE(s.name);
  REQUIRE(try_failure(s, 1'000'000).succeeded);  // and what stays allocated for good is there now
  const int descriptors = link_support::open_descriptors();
  std::size_t k = 1;
  for (;; ++k) {
    CAPTURE(k);
    const heap_watch heap;
    const outcome seen = try_failure(s, k);
    CHECK(heap.growth() == 0);
    CHECK(link_support::open_descriptors() == descriptors);
    if (!seen.struck) {
      CHECK(seen.succeeded);
      break;
    }
    CHECK(seen.thrown == 0);
    CHECK(seen.neighbour_hears);
  }
  CHECK(k > 10);
}

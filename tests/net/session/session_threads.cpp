#include <fairlead/net/session/session.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <asio/bind_executor.hpp>

#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <random>
#include <thread>

using namespace net_test;

// Handles are safe from any thread (L03, L04, L05). Run these under the thread sanitizer.

namespace {

/// The sessions that are open, for everybody.
class registry {
 public:
  void add(const session& ws) {
    const std::lock_guard lock(mutex_);
    all_.push_back(ws);
  }
  void remove(const session& ws) {
    const std::lock_guard lock(mutex_);
    std::erase(all_, ws);
  }
  session pick(std::size_t n) const {
    const std::lock_guard lock(mutex_);
    return all_.empty() ? session() : all_[n % all_.size()];
  }

 private:
  mutable std::mutex mutex_;
  std::vector<session> all_;
};

/// Sessions with a server of their own on two threads.
struct running {
  explicit running(link_kind kind, handlers callbacks)
      : server({.address = "127.0.0.1", .threads = 2, .link = kind}) {
    server.route("/", std::move(callbacks));
    server.listen();
    thread = std::thread([this] { server.run(); });
  }
  running(const running&) = delete;
  ~running() {
    server.stop();
    thread.join();
  }

  fairlead::server server;
  std::thread thread;
};

std::unique_ptr<client> connect_to(asio::io_context& context, std::uint16_t port) {
  asio::ip::tcp::socket socket(context);
  socket.connect({asio::ip::address_v4::loopback(), port});
  const int descriptor = socket.native_handle();
  auto peer = std::make_unique<client>(make_asio_link(std::move(socket)), descriptor);
  peer->upgrade();
  return peer;
}

/// A message of `sender`, the `n`th to that session: says what it is, and is filled to a size that differs
/// each time.
std::string numbered(std::size_t sender, std::size_t n) {
  std::string text = std::to_string(sender) + " " + std::to_string(n) + " ";
  text.append(n * 37 % (n % 100 == 0 ? 60'000 : 200), static_cast<char>('a' + sender));
  return text;
}

/// Every message is as it was sent, and each sender's come in its order, with gaps only at the end.
bool is_in_order(const std::vector<message>& messages) {
  std::map<std::size_t, std::size_t> next;
  for (const message& m : messages) {
    const std::string text(m.text());
    const std::size_t sender = std::stoul(text);
    if (text != numbered(sender, next[sender]++)) return false;
  }
  return true;
}

}  // namespace

// L05.
TEST_CASE("messages_of_several_threads_arrive_whole_and_in_each_threads_order", "[threads]") {
  constexpr std::size_t senders = 8;
  constexpr std::size_t count = 10'000;
  std::promise<session> opened;
  running s(GENERATE(link_kind::epoll, link_kind::asio),
            {.on_open = [&](session& ws, const request&) { opened.set_value(ws); }});
  asio::io_context context;
  const auto peer = connect_to(context, s.server.port());
  const auto run_until = [&](auto done) {
    const time_point give_up = clock::now() + patience;
    while (!done() && clock::now() < give_up) context.run_one_for(10ms);
    return done();
  };
  REQUIRE(run_until([&] { return peer->upgraded; }));
  const session ws = opened.get_future().get();
  std::atomic<std::size_t> refused = 0;
  std::vector<std::thread> threads;
  for (std::size_t sender = 0; sender < senders; ++sender) {
    threads.emplace_back([&, sender, own = ws] {
      for (std::size_t n = 0; n < count; ++n) {
        // The queue has its limit: half of the senders wait for it by send(), the others by watching.
        if (sender % 2 == 0) {
          if (auto sent = own.send(numbered(sender, n), asio::use_future);
              sent.wait_for(patience) != std::future_status::ready) {
            ++refused;
          }
        } else if (own.try_send(numbered(sender, n)) != send_result::posted) {
          ++refused;
        } else if (n % 16 == 15) {
          own.send(message(message_kind::binary, {}), asio::use_future).wait_for(patience);
        }
      }
    });
  }
  const std::size_t markers = senders / 2 * (count / 16);
  CHECK(run_until([&] { return peer->messages.size() == senders * count + markers; }));
  for (std::thread& t : threads) t.join();
  CHECK(refused == 0);
  std::erase_if(peer->messages, [](const message& m) { return m.kind() == message_kind::binary; });
  CHECK(is_in_order(peer->messages));
}

// L03, L04.
TEST_CASE("handles_are_used_from_every_thread_while_clients_come_and_go", "[threads]") {
  constexpr std::size_t users = 4;
  const auto length = 1400ms;
  registry open;
  std::atomic<std::size_t> opens = 0;
  std::atomic<std::size_t> closes = 0;
  std::atomic<std::size_t> broken = 0;
  {
    running s(GENERATE(link_kind::epoll, link_kind::asio),
              {.on_open =
                   [&](session& ws, const request&) {
                     ++opens;
                     open.add(ws);
                   },
               .on_message =
                   [&](session&, message_view m) {
                     open.pick(m.size()).try_send(m);  // often a session of the other thread
                   },
               .on_close =
                   [&](session& ws, const close_info&) {
                     ++closes;
                     open.remove(ws);
                   }});
    const time_point end = clock::now() + length;
    std::vector<std::thread> threads;
    for (std::size_t user = 0; user < users; ++user) {
      threads.emplace_back([&, user] {
        std::minstd_rand random(static_cast<unsigned>(user));
        std::vector<session> kept;
        while (clock::now() < end) {
          const session ws = open.pick(random());
          switch (random() % 16) {
            case 0: ws.try_close(); break;
            case 1: ws.close(close_code::normal, "", [](std::error_code) {}); break;
            case 2: kept.push_back(ws); break;
            case 3: kept.clear(); break;
            case 4:
              ws.receive([&](std::error_code ec, std::optional<message>) {
                if (ec != errc::busy && ec != errc::closed) ++broken;
              });
              break;
            case 5:
            case 6: ws.send(std::string(500, 'x'), [](std::error_code) {}); break;
            case 7:
              if (ws.subprotocol() != "") ++broken;
              break;
            default: ws.try_send("from a user"); break;
          }
          if (random() % 8 == 0) std::this_thread::yield();
        }
      });
    }
    std::thread clients([&] {
      asio::io_context context;
      std::minstd_rand random;
      std::vector<std::unique_ptr<client>> peers;
      while (clock::now() < end) {
        if (peers.size() < 12) peers.push_back(connect_to(context, s.server.port()));
        const std::size_t one = random() % peers.size();
        if (peers[one]->upgraded) {
          switch (random() % 8) {
            case 0: peers[one]->close(); break;
            case 1: peers[one]->hang_up(); break;
            case 2: peers[one]->reset(); break;
            default: peers[one]->send(std::string(random() % 300, 'y')); break;
          }
        }
        context.restart();
        context.poll();
        for (const auto& p : peers) {
          if (p->failure && *p->failure != errc::connection_lost) ++broken;
        }
        std::erase_if(peers, [](const auto& p) { return p->is_over() || p->is_gone(); });
      }
      peers.clear();
      context.restart();
      context.poll();
    });
    for (std::thread& t : threads) t.join();
    clients.join();
  }
  CHECK(opens > 20);
  CHECK(opens == closes);
  CHECK(broken == 0);
}

TEST_CASE("handles_are_used_while_their_server_and_its_contexts_are_destroyed", "[threads]") {
  for (int round = 0; round < 20; ++round) {
    registry open;
    std::atomic<bool> is_over = false;
    std::vector<std::thread> threads;
    std::atomic<std::size_t> opens = 0;
    {
      running s(round % 2 == 0 ? link_kind::epoll : link_kind::asio,
                {.on_open = [&](session& ws, const request&) {
                  ++opens;
                  open.add(ws);
                }});
      asio::io_context context;
      std::vector<std::unique_ptr<client>> peers;
      for (int i = 0; i < 4; ++i) peers.push_back(connect_to(context, s.server.port()));
      const time_point give_up = clock::now() + patience;
      while (opens != 4 && clock::now() < give_up) context.run_one_for(1ms);
      REQUIRE(opens == 4);
      for (std::size_t user = 0; user < 3; ++user) {
        threads.emplace_back([&, user] {
          for (std::size_t n = user; !is_over; ++n) {
            const session ws = open.pick(n);
            ws.try_send("a");
            if (n % 100 == 0) ws.try_close();
            static_cast<void>(ws.is_open());
          }
        });
      }
      peers.clear();
    }
    is_over = true;
    for (std::thread& t : threads) t.join();
    CHECK(open.pick(0).try_send("a") == send_result::closed);
  }
}

TEST_CASE("receive_works_for_a_thread_that_is_not_the_sessions_own", "[threads]") {
  std::promise<session> opened;
  running s(link_kind::epoll, {.on_open = [&](session& ws, const request&) { opened.set_value(ws); }});
  constexpr int count = 2000;
  std::thread peer_thread([port = s.server.port()] {
    asio::io_context context;
    const auto peer = connect_to(context, port);
    const time_point give_up = clock::now() + patience;
    while (!peer->upgraded && clock::now() < give_up) context.run_one_for(10ms);
    for (int i = 0; i < count; ++i) {
      peer->send(std::to_string(i) + std::string(200, 'x'));  // more than the inbox holds
      context.restart();
      context.poll();
    }
    peer->close();
    while (!peer->is_over() && clock::now() < give_up) {
      context.restart();
      context.run_one_for(10ms);
    }
  });
  const session ws = opened.get_future().get();
  int received = 0;
  bool ended = false;
  for (; received <= count; ++received) {
    auto next = ws.receive(asio::use_future);
    if (next.wait_for(patience) != std::future_status::ready) break;
    const auto m = next.get();
    ended = !m;
    if (ended || m->text() != std::to_string(received) + std::string(200, 'x')) break;
  }
  peer_thread.join();
  CHECK(received == count);
  CHECK(ended);
}

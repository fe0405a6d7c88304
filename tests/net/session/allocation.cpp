#include <fairlead/net/server/server.hpp>

#include <support/catch.hpp>

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <future>
#include <string>
#include <thread>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace fairlead;

// No allocation for each message with handlers. A program of its own, since it stands in
// for malloc; what the C library hands out is counted on the one thread that runs the server.

namespace {

thread_local bool is_counting = false;
std::size_t allocations = 0;

void count() noexcept {
  if (is_counting) ++allocations;
}

}  // namespace

extern "C" {

void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);

void* malloc(std::size_t size) {
  count();
  return __libc_malloc(size);
}
void* calloc(std::size_t n, std::size_t size) {
  count();
  return __libc_calloc(n, size);
}
void* realloc(void* memory, std::size_t size) {
  count();
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  count();
  *out = __libc_memalign(alignment, size);
  return *out != nullptr ? 0 : ENOMEM;
}
void free(void* memory) { __libc_free(memory); }

}  // extern "C"

namespace {

/// A blocking client that allocates nothing after its making; its own thread is not the one that is counted.
class blocking_client {
 public:
  explicit blocking_client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    write(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    std::string head;
    for (char c = 0; !head.ends_with("\r\n\r\n");) {
      REQUIRE(::recv(socket_, &c, 1, 0) == 1);
      head += c;
    }
  }
  blocking_client(const blocking_client&) = delete;
  ~blocking_client() { ::close(socket_); }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      REQUIRE(n > 0);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  void read(std::size_t size) {
    std::array<char, 64 * 1024> room;
    while (size != 0) {
      const ssize_t n = ::recv(socket_, room.data(), std::min(size, room.size()), 0);
      REQUIRE(n > 0);
      size -= static_cast<std::size_t>(n);
    }
  }

 private:
  int socket_;
};

// A binary message masked with nothing, and the size of its echo.
std::string masked_frame(std::size_t payload_size) {
  std::string frame("\x82");
  if (payload_size < 126) {
    frame += static_cast<char>(0x80 | payload_size);
  } else if (payload_size < 65'536) {
    frame += static_cast<char>(0xfe);
    frame += static_cast<char>(payload_size >> 8);
    frame += static_cast<char>(payload_size & 0xff);
  } else {
    frame += static_cast<char>(0xff);
    for (int shift = 56; shift >= 0; shift -= 8) {
      frame += static_cast<char>((std::uint64_t{payload_size} >> shift) & 0xff);
    }
  }
  return frame + std::string(4, '\0') + std::string(payload_size, 'x');
}

std::size_t echo_size(std::size_t payload_size) { return masked_frame(payload_size).size() - 4; }

struct counted {
  std::size_t allocations;
  std::size_t messages;
};

/// Echoes `messages` messages after some to warm up, `outstanding` at a time, and counts.
counted count_echoes(std::size_t payload_size, std::size_t outstanding) {
  constexpr std::size_t warm_up = 50;
  constexpr std::size_t messages = 500;
  server_options options;
  options.address = "127.0.0.1";
  asio::io_context context(1);
  server s(context, options);
  s.route("/", handlers{.on_message = [](session& ws, message_view m) { ws.try_send(m); }});
  s.listen();
  allocations = 0;
  const auto work = asio::make_work_guard(context);
  // In one run(), as a server does: between two, Asio gives up the memory that it keeps for its handlers.
  std::thread server_thread([&] { context.run(); });
  const auto set_counting = [&](bool on) {
    std::promise<void> done;
    asio::post(context, [&] {
      is_counting = on;
      done.set_value();
    });
    done.get_future().get();
  };
  {
    blocking_client client(s.port());
    std::string burst;
    for (std::size_t i = 0; i < outstanding; ++i) burst += masked_frame(payload_size);
    for (std::size_t i = 0; i < warm_up + messages; ++i) {
      if (i == warm_up) set_counting(true);
      client.write(burst);
      client.read(outstanding * echo_size(payload_size));
    }
    set_counting(false);
  }
  context.stop();
  server_thread.join();
  return {allocations, messages * outstanding};
}

}  // namespace

TEST_CASE("the_count_sees_an_allocation") {
  allocations = 0;
  is_counting = true;
  void* volatile memory = std::malloc(100);
  is_counting = false;
  std::free(memory);
  CHECK(allocations == 1);
}

TEST_CASE("an_echo_by_handlers_allocates_nothing_for_each_message") {
  const std::size_t size = GENERATE(0, 16, 125, 256, 4096, 16'384);
  const std::size_t outstanding = GENERATE(1, 16);
  // More than the kernel is sure to hand over in one read: what a read cuts in two has to be kept.
  if (size * outstanding > 16'384) return;
  const counted c = count_echoes(size, outstanding);
  CAPTURE(size, outstanding, c.messages);
  CHECK(c.allocations == 0);
}

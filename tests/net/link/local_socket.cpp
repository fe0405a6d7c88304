#include <fairlead/net/client/client.hpp>
#include <fairlead/net/server/server.hpp>

#include <net/client/client_support.hpp>
#include <support/catch.hpp>

#include <filesystem>
#include <fstream>
#include <optional>

#include <sys/stat.h>
#include <sys/un.h>

using namespace net_test;

// A server that listens on a local socket, and clients that connect to it.

namespace {

using certificates::temporary_folder;

server_options at(const std::filesystem::path& path, bool with_tls = false) {
  server_options o;
  o.local_path = path;
  if (with_tls) o.tls = certificates::usual::instance().server();
  return o;
}

std::string url_of(const std::filesystem::path& path, bool with_tls = false) {
  return (with_tls ? "wss+unix:" : "ws+unix:") + path.string() + ":/echo";
}

/// Why a server cannot listen there; nothing when it can.
std::optional<std::system_error> refusal_at(const std::filesystem::path& path) {
  asio::io_context context(1);
  server s(context, at(path));
  try {
    s.listen();
  } catch (const std::system_error& e) {
    return e;
  }
  return std::nullopt;
}

/// A socket that was listened on until its server was killed.
void leave_behind(const std::filesystem::path& path) {
  const link_support::descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener.get(), 1) == 0);
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat file {};
  REQUIRE(::lstat(path.c_str(), &file) == 0);
  return file.st_mode;
}

}  // namespace

TEST_CASE("messages_go_over_a_local_socket") {
  const link_form form = GENERATE(link_form::epoll, link_form::asio);
  const bool with_tls = GENERATE(false, true);
  CAPTURE(form, with_tls);
  const temporary_folder folder;
  const auto path = folder.path() / "chat.sock";
  client_stage s(form, with_tls, at(path, with_tls));
  s.server().listen();
  CHECK(s.server().port() == 0);
  s.server().listen();  // it does
  outcome o = s.connect(url_of(path, with_tls), s.options());
  REQUIRE_FALSE(o.error);
  const std::string large(60'000, 'x');
  CHECK(s.echo(o.ws, "hello") == "hello");
  CHECK((s.echo(o.ws, large) == large));
}

TEST_CASE("a_server_with_several_threads_listens_on_a_local_socket", "[threads]") {
  const link_kind link = GENERATE(link_kind::epoll, link_kind::asio);
  const temporary_folder folder;
  const auto path = folder.path() / "s";
  server_options options = at(path);
  options.threads = 3;
  options.link = link;
  server s(options);
  s.route("/echo", handlers{.on_message = [](session& ws, message_view m) { ws.try_send(m); }});
  s.listen();
  std::thread running([&] { s.run(); });
  asio::io_context context(1);
  int answers = 0;
  for (int i = 0; i < 6; ++i) {
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
          session ws = co_await connect(co_await asio::this_coro::executor, url_of(path));
          co_await ws.send("hello");
          answers += (co_await ws.receive()).value().text() == "hello";
          co_await ws.close(close_code::normal, "");
        },
        asio::detached);
  }
  context.run();
  CHECK(answers == 6);
  s.stop();
  running.join();
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a_local_socket_has_the_mode_that_is_asked_for") {
  using std::filesystem::perms;
  const temporary_folder folder;
  const auto path = folder.path() / "s";
  asio::io_context context(1);
  server_options options = at(path);
  SECTION("its owner's alone by default") {
    server s(context, options);
    s.listen();
    CHECK(mode_of(path) == (S_IFSOCK | 0600));
  }
  SECTION("whatever the umask is") {
    options.local_permissions =
        perms::owner_read | perms::owner_write | perms::group_read | perms::group_write;
    const mode_t before = ::umask(0077);
    server s(context, options);
    s.listen();
    ::umask(before);
    CHECK(mode_of(path) == (S_IFSOCK | 0660));
  }
}

TEST_CASE("the_file_of_a_local_socket_goes_when_its_server_stops_listening") {
  const link_form form = GENERATE(link_form::epoll, link_form::asio);
  const temporary_folder folder;
  const auto path = folder.path() / "s";
  client_stage s(form, false, at(path));
  s.server().listen();
  REQUIRE(std::filesystem::exists(path));
  SECTION("with stop()") {
    s.server().stop();
    CHECK(s.run_until([&] { return !std::filesystem::exists(path); }));
  }
  SECTION("with the server") {
    s.destroy_server();
    CHECK_FALSE(std::filesystem::exists(path));
  }
  SECTION("but not another that stands in its place") {
    std::filesystem::rename(path, folder.path() / "moved");
    std::ofstream(path) << "another";
    s.destroy_server();
    CHECK(std::filesystem::is_regular_file(path));
  }
}

TEST_CASE("a_socket_that_a_dead_server_left_behind_is_replaced") {
  const temporary_folder folder;
  const auto path = folder.path() / "s";
  leave_behind(path);
  client_stage s(link_form::epoll, false, at(path));
  s.server().listen();
  outcome o = s.connect(url_of(path), s.options());
  REQUIRE_FALSE(o.error);
  CHECK(s.echo(o.ws, "alive") == "alive");
}

TEST_CASE("a_local_socket_in_use_is_left_to_its_server") {
  const temporary_folder folder;
  const auto path = folder.path() / "s";
  client_stage s(link_form::epoll, false, at(path));
  s.server().listen();
  const auto e = refusal_at(path);
  REQUIRE(e);
  CHECK(e->code() == std::errc::address_in_use);
  CHECK(std::string(e->what()).find(path.string()) != std::string::npos);
  outcome o = s.connect(url_of(path), s.options());
  REQUIRE_FALSE(o.error);
  CHECK(s.echo(o.ws, "still here") == "still here");
}

TEST_CASE("a_file_that_is_no_socket_is_not_touched") {
  const temporary_folder folder;
  const auto path = folder.path() / "s";
  const std::string kind = GENERATE("file", "folder", "link to nothing", "link to a dead socket");
  CAPTURE(kind);
  if (kind == "file") std::ofstream(path) << "precious";
  if (kind == "folder") std::filesystem::create_directory(path);
  if (kind == "link to nothing") std::filesystem::create_symlink(folder.path() / "nothing", path);
  if (kind == "link to a dead socket") {
    leave_behind(folder.path() / "dead");
    std::filesystem::create_symlink(folder.path() / "dead", path);
  }
  const auto before = std::filesystem::symlink_status(path);
  const auto e = refusal_at(path);
  REQUIRE(e);
  CHECK(e->code() == std::errc::address_in_use);
  CHECK(std::filesystem::symlink_status(path).type() == before.type());
  if (kind == "file") CHECK(std::filesystem::file_size(path) == 8);
}

TEST_CASE("a_path_that_no_local_socket_can_have_is_an_error") {
  const temporary_folder folder;
  const auto of_size = [&](std::size_t size) {
    const std::string start = folder.path().string() + "/";
    return start + std::string(size - start.size(), 'x');
  };
  CHECK_FALSE(refusal_at(of_size(107)));
  const auto too_long = refusal_at(of_size(108));
  REQUIRE(too_long);
  CHECK(too_long->code() == std::errc::filename_too_long);
  CHECK(std::string(too_long->what()).find(of_size(108)) != std::string::npos);
  const auto no_folder = refusal_at(folder.path() / "none" / "s");
  REQUIRE(no_folder);
  CHECK(no_folder->code() == std::errc::no_such_file_or_directory);
  const auto with_nul = refusal_at(folder.path() / std::string("a\0b", 3));
  REQUIRE(with_nul);
  CHECK(with_nul->code() == std::errc::invalid_argument);
}

TEST_CASE("a_client_is_told_what_is_wrong_with_a_local_socket") {
  const temporary_folder folder;
  const auto path = folder.path() / "s";
  client_stage s;
  const auto error_of = [&](const std::filesystem::path& where) {
    const outcome o = s.connect(url_of(where), s.options());
    CHECK(stage_of(o.error) == connect_stage::connect);
    return o.error;
  };
  CHECK(error_of(path) == std::errc::no_such_file_or_directory);
  leave_behind(path);
  CHECK(error_of(path) == std::errc::connection_refused);
  CHECK(error_of(folder.path() / std::string(108, 'x')) == std::errc::filename_too_long);
}

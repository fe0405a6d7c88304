#include <fairlead/net/server/detail/static_files.hpp>

#include <net/session/session_support.hpp>
#include <support/catch.hpp>

#include <filesystem>
#include <fstream>
#include <system_error>

#include <stdlib.h>
#include <sys/stat.h>

using namespace net_test;
namespace fs = std::filesystem;

namespace {

/// A folder with a web site in it, and things beside it that are nobody's business.
class site {
 public:
  site() {
    std::string name = (fs::temp_directory_path() / "fairlead-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    base_ = fs::canonical(name);
    fs::create_directories(root() / "folder");
    fs::create_directories(root() / "bare");
    fs::create_directories(root() / ".git");
    fs::create_directories(base_ / "root-of-another");
    put("index.html", "<p>index</p>");
    put("folder/index.html", "<p>folder</p>");
    put("folder/page.html", "<p>page</p>");
    put("bare/file.txt", "text");
    put("empty.txt", "");
    put(".hidden", "secret");
    put(".git/config", "secret");
    put("../secret.txt", "secret");
    put("../root-of-another/secret.txt", "secret");
    put("with space.txt", "space");
  }
  site(const site&) = delete;
  ~site() {
    std::error_code ignored;
    fs::remove_all(base_, ignored);
  }

  fs::path root() const { return base_ / "root"; }

  void put(const std::string& name, std::string_view content) const {
    std::ofstream(root() / name, std::ios::binary) << content;
  }

  /// The body of the file that the path names; "nothing" when there is none to be shown.
  std::string body(std::string_view path) const {
    const auto r = detail::file_response(root(), path);
    return r ? r->body : "nothing";
  }

 private:
  fs::path base_;
};

std::string field_of(const response& r, std::string_view name) {
  for (const header_field& f : r.fields) {
    if (f.name == name) return f.value;
  }
  return {};
}

/// The status and body of a GET, or of another method.
std::string ask(stage& s, std::string_view target, std::string_view method = "GET") {
  const auto peer = s.connect();
  peer->write(std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(s.run_until([&] { return peer->is_over(); }));
  return std::to_string(peer->status()) + " " + peer->body;
}

}  // namespace

TEST_CASE("files_of_the_folder_are_served_and_a_folder_by_its_index") {
  const site here;
  CHECK(here.body("") == "<p>index</p>");
  CHECK(here.body("index.html") == "<p>index</p>");
  CHECK(here.body("folder/") == "<p>folder</p>");
  CHECK(here.body("folder/page.html") == "<p>page</p>");
  CHECK(here.body("with space.txt") == "space");
  CHECK(here.body("empty.txt").empty());
  for (const char* path : {"folder", "bare", "bare/", "missing", "index.html/", "folder/missing"}) {
    CAPTURE(path);
    CHECK(here.body(path) == "nothing");
  }
}

TEST_CASE("no_path_leads_out_of_the_folder_or_to_a_hidden_file") {
  const site here;
  using namespace std::string_view_literals;
  for (const std::string_view path : {"../secret.txt"sv,
                                      "folder/../../secret.txt"sv,
                                      "folder/../index.html"sv,
                                      ".."sv,
                                      "../"sv,
                                      "."sv,
                                      "./index.html"sv,
                                      "folder/./page.html"sv,
                                      "/etc/passwd"sv,
                                      "//etc/passwd"sv,
                                      "folder//page.html"sv,
                                      "..\\secret.txt"sv,
                                      "folder\\page.html"sv,
                                      "\\"sv,
                                      ".hidden"sv,
                                      ".git/config"sv,
                                      "folder/.."sv,
                                      "../root-of-another/secret.txt"sv,
                                      "index.html\0.txt"sv,
                                      "\0"sv,
                                      "..."sv,
                                      ".../secret"sv}) {
    CAPTURE(path);
    CHECK(here.body(path) == "nothing");
  }
}

TEST_CASE("links_are_followed_inside_the_folder_and_not_out_of_it") {
  const site here;
  fs::create_symlink("folder/page.html", here.root() / "inside.html");
  fs::create_symlink("../secret.txt", here.root() / "outside.txt");
  fs::create_symlink("/etc/passwd", here.root() / "absolute.txt");
  fs::create_directory_symlink("..", here.root() / "up");
  fs::create_directory_symlink("../root-of-another",
                               here.root() / "sibling");  // begins like our folder's name
  fs::create_symlink("loop", here.root() / "loop");
  fs::create_symlink("missing", here.root() / "dangling");
  CHECK(here.body("inside.html") == "<p>page</p>");
  for (const char* path :
       {"outside.txt", "absolute.txt", "up/secret.txt", "sibling/secret.txt", "loop", "dangling"}) {
    CAPTURE(path);
    CHECK(here.body(path) == "nothing");
  }
}

TEST_CASE("only_regular_files_are_read") {
  const site here;
  REQUIRE(::mkfifo((here.root() / "pipe").c_str(), 0600) == 0);
  CHECK(here.body("pipe") == "nothing");
}

TEST_CASE("the_type_follows_the_extension_and_nothing_is_sniffed") {
  const site here;
  const std::vector<std::pair<std::string, std::string>> types = {{"a.html", "text/html; charset=utf-8"},
                                                                  {"a.css", "text/css; charset=utf-8"},
                                                                  {"a.js", "text/javascript; charset=utf-8"},
                                                                  {"a.mjs", "text/javascript; charset=utf-8"},
                                                                  {"a.json", "application/json"},
                                                                  {"a.txt", "text/plain; charset=utf-8"},
                                                                  {"a.svg", "image/svg+xml"},
                                                                  {"a.png", "image/png"},
                                                                  {"a.jpg", "image/jpeg"},
                                                                  {"a.ico", "image/x-icon"},
                                                                  {"a.webp", "image/webp"},
                                                                  {"a.wasm", "application/wasm"},
                                                                  {"a.woff2", "font/woff2"},
                                                                  {"a.html.exe", "application/octet-stream"},
                                                                  {"a", "application/octet-stream"}};
  for (const auto& [name, type] : types) {
    CAPTURE(name);
    here.put(name, "x");
    const auto r = detail::file_response(here.root(), name);
    REQUIRE(r);
    CHECK(field_of(*r, "Content-Type") == type);
    CHECK(field_of(*r, "X-Content-Type-Options") == "nosniff");
  }
}

TEST_CASE("a_file_of_64_mib_is_served_and_one_byte_more_is_not") {
  const site here;
  constexpr std::uintmax_t limit = 64 * 1024 * 1024;
  here.put("large", "");
  fs::resize_file(here.root() / "large", limit);  // sparse
  const auto r = detail::file_response(here.root(), "large");
  REQUIRE(r);
  CHECK(r->body.size() == limit);
  fs::resize_file(here.root() / "large", limit + 1);
  CHECK_FALSE(detail::file_response(here.root(), "large"));
}

TEST_CASE("a_folder_that_cannot_be_read_is_refused_by_its_name") {
  const site here;
  CHECK(detail::readable_folder(here.root() / "folder" / "..") == here.root());
  for (const char* name : {"missing-folder", "empty.txt"}) {
    stage s;
    try {
      s.server().files("/", here.root() / name);
      FAIL("not refused");
    } catch (const std::system_error& e) {
      CHECK(std::string_view(e.what()).find(name) != std::string_view::npos);
    }
  }
}

TEST_CASE("the_server_serves_files_below_the_prefix_for_get_and_head") {
  const site here;
  stage s(GENERATE(link_form::memory, link_form::epoll, link_form::asio));
  CHECK_THROWS_AS(s.server().files("no-slash", here.root()), std::invalid_argument);
  CHECK_THROWS_AS(s.server().files("", here.root()), std::invalid_argument);
  s.server().files("/static", here.root());
  CHECK(ask(s, "/static/") == "200 <p>index</p>");
  CHECK(ask(s, "/static/folder/page.html?v=1") == "200 <p>page</p>");
  CHECK(ask(s, "/static/with%20space.txt") == "200 space");
  CHECK(ask(s, "/static/empty.txt") == "200 ");
  CHECK(ask(s, "/static/index.html", "HEAD") == "200 ");
  CHECK(ask(s, "/static/index.html", "POST").substr(0, 3) == "405");
  CHECK(ask(s, "/static").substr(0, 3) == "404");
  CHECK(ask(s, "/staticindex.html").substr(0, 3) == "404");
  for (const char* path :
       {"/static/../secret.txt", "/static/%2e%2e/secret.txt", "/static/%2E%2E%2Fsecret.txt",
        "/static/..%2fsecret.txt", "/static/folder/%2e%2e/%2e%2e/secret.txt", "/static//etc/passwd",
        "/static/%2Fetc%2Fpasswd", "/static/..%5csecret.txt", "/static/%2ehidden", "/static/.git/config",
        "/static/bare/"}) {
    CAPTURE(path);
    CHECK(ask(s, path).substr(0, 3) == "404");
  }
  CHECK(ask(s, "/static/index.html%00.txt").substr(0, 3) == "400");
}

#ifndef FAIRLEAD_NET_SERVER_IMPL_STATIC_FILES_IPP
#define FAIRLEAD_NET_SERVER_IMPL_STATIC_FILES_IPP

#include <fairlead/net/server/detail/static_files.hpp>

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

// A file is read whole, so it has a limit; larger ones are for a web server.
inline constexpr std::uintmax_t max_file_size = 64 * 1024 * 1024;

constexpr std::string_view content_type_of(std::string_view extension) noexcept {
  constexpr std::array types{
      std::pair<std::string_view, std::string_view>{".html", "text/html; charset=utf-8"},
      std::pair<std::string_view, std::string_view>{".css", "text/css; charset=utf-8"},
      std::pair<std::string_view, std::string_view>{".js", "text/javascript; charset=utf-8"},
      std::pair<std::string_view, std::string_view>{".mjs", "text/javascript; charset=utf-8"},
      std::pair<std::string_view, std::string_view>{".json", "application/json"},
      std::pair<std::string_view, std::string_view>{".txt", "text/plain; charset=utf-8"},
      std::pair<std::string_view, std::string_view>{".svg", "image/svg+xml"},
      std::pair<std::string_view, std::string_view>{".png", "image/png"},
      std::pair<std::string_view, std::string_view>{".jpg", "image/jpeg"},
      std::pair<std::string_view, std::string_view>{".ico", "image/x-icon"},
      std::pair<std::string_view, std::string_view>{".webp", "image/webp"},
      std::pair<std::string_view, std::string_view>{".wasm", "application/wasm"},
      std::pair<std::string_view, std::string_view>{".woff2", "font/woff2"},
  };
  for (const auto& [known, type] : types) {
    if (known == extension) return type;
  }
  return "application/octet-stream";
}

// Every segment is a plain visible name: no `..`, no hidden file, and nothing that only some systems take
// apart.
constexpr bool is_visible_path(std::string_view path) noexcept {
  bool at_start = true;
  for (const char c : path) {
    if (at_start && (c == '.' || c == '/')) return false;
    if (c == '\\' || c == '\0') return false;
    at_start = c == '/';
  }
  return true;
}

FAIRLEAD_DECL std::optional<response> file_response(const std::filesystem::path& folder,
                                                    std::string_view path) {
  if (!is_visible_path(path)) return std::nullopt;
  std::filesystem::path file = folder / path;
  if (path.empty() || path.back() == '/') file /= "index.html";

  std::error_code error;
  file = std::filesystem::canonical(file, error);
  if (error || !std::filesystem::is_regular_file(file, error)) return std::nullopt;
  const auto [end, ignored] = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  if (end != folder.end()) return std::nullopt;  // a link that leads out
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  if (error || size > max_file_size) return std::nullopt;

  std::ifstream in(file, std::ios::binary);
  std::string body(static_cast<std::size_t>(size), '\0');
  if (!in.read(body.data(), static_cast<std::streamsize>(size))) return std::nullopt;
  response r = text_response(http_status::ok, std::move(body),
                             std::string(content_type_of(file.extension().string())));
  r.add("X-Content-Type-Options", "nosniff");
  r.add("Cache-Control", "no-cache");
  return r;
}

FAIRLEAD_DECL std::filesystem::path readable_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::canonical(folder, error);
  if (!error) std::filesystem::directory_iterator(absolute, error);
  if (error) throw std::system_error(error, "serve files from " + folder.string());
  return absolute;
}

}  // namespace fairlead

#endif

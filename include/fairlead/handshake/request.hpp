#ifndef FAIRLEAD_HANDSHAKE_REQUEST_HPP
#define FAIRLEAD_HANDSHAKE_REQUEST_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/detail/request_data.hpp>
#include <fairlead/handshake/http_field.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

/// The head of an HTTP/1.1 request that passed request_parser. Owns its bytes, the size of one pointer.
///
/// Views that it returns live as long as the bytes, which stay where they are when the request is moved. An
/// empty request, made by the default constructor or moved from, answers every question with nothing. Not
/// thread-safe while set_params() runs; otherwise readable from any thread.
class request {
 public:
  request() noexcept = default;

  /// What request_parser made.
  explicit request(std::unique_ptr<detail::request_data> data) noexcept : data_(std::move(data)) {}

  /// As sent; methods depend on case (RFC 9110 section 9.1).
  std::string_view method() const noexcept { return data().method; }

  /// Path and query as sent, still percent-encoded; begins with `/`.
  std::string_view target() const noexcept { return data().target; }

  /// The path, percent-decoded, without the query. Holds no NUL, but whatever else the peer encoded: control
  /// bytes, `..` segments, or a `/` that was `%2F`.
  std::string_view path() const noexcept { return data().path; }

  /// What follows the first `?` of the target, still encoded; empty without one.
  std::string_view query_string() const noexcept { return data().query_string; }

  /// The decoded value of the first `name=value` in the query, `+` read as a space; empty for a name without
  /// `=`, nothing if the name is not there. Throws std::bad_alloc.
  FAIRLEAD_DECL std::optional<std::string> query(std::string_view name) const;

  /// The value of the first cookie of that name, in any Cookie field (RFC 6265 section 5.4), as sent; names depend on
  /// case. Nothing if there is none.
  FAIRLEAD_DECL std::optional<std::string_view> cookie(std::string_view name) const noexcept;

  /// All fields, in the order sent.
  std::span<const http_field> fields() const noexcept { return data().fields; }

  /// The value of the first field of that name, whatever its case. A field that may appear once needs count()
  /// too.
  std::optional<std::string_view> field(std::string_view name) const noexcept {
    return find_field(fields(), name);
  }

  /// How many fields have that name, whatever its case.
  std::size_t count(std::string_view name) const noexcept { return count_fields(fields(), name); }

  /// The one Host field: name or address, and the port if there is one.
  std::string_view host() const noexcept { return data().host; }

  /// What the matched route's pattern found under that name, percent-decoded; empty if it has none.
  FAIRLEAD_DECL std::string_view param(std::string_view name) const noexcept;

  /// Set by the router once it found a route; earlier views from param() end. Must not be called on an empty
  /// request.
  FAIRLEAD_DECL void set_params(std::vector<path_param> params) noexcept;

 private:
  FAIRLEAD_DECL const detail::request_data& data() const noexcept;

  std::unique_ptr<detail::request_data> data_;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/request.ipp>
#endif

#endif

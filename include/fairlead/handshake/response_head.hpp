#ifndef FAIRLEAD_HANDSHAKE_RESPONSE_HEAD_HPP
#define FAIRLEAD_HANDSHAKE_RESPONSE_HEAD_HPP

#include <fairlead/config.hpp>
#include <fairlead/handshake/detail/response_data.hpp>
#include <fairlead/handshake/http_field.hpp>
#include <fairlead/handshake/http_status.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {

/// The head of an HTTP/1.1 response that passed response_parser: a client's view of what `response` is to a
/// server. Owns its bytes, the size of one pointer.
///
/// Views that it returns live as long as the bytes, which stay where they are when the head is moved. An
/// empty one, made by the default constructor or moved from, has status 0 and answers every other question
/// with nothing. Readable from any thread.
class response_head {
 public:
  response_head() noexcept = default;

  /// What response_parser made.
  explicit response_head(std::unique_ptr<detail::response_data> data) noexcept : data_(std::move(data)) {}

  /// 100 to 599, listed in http_status or not. As a std::error_code it says why there is no connection.
  http_status status() const noexcept { return data().status; }

  /// The words behind the status, as sent; often empty, and never to be relied on (RFC 9112 section 4).
  std::string_view reason() const noexcept { return data().reason; }

  /// All fields, in the order sent.
  std::span<const http_field> fields() const noexcept { return data().fields; }

  /// The value of the first field of that name, whatever its case. A field that may appear once needs count()
  /// too.
  std::optional<std::string_view> field(std::string_view name) const noexcept {
    return find_field(fields(), name);
  }

  /// How many fields have that name, whatever its case.
  std::size_t count(std::string_view name) const noexcept { return count_fields(fields(), name); }

 private:
  FAIRLEAD_DECL const detail::response_data& data() const noexcept;

  std::unique_ptr<detail::response_data> data_;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/response_head.ipp>
#endif

#endif

#ifndef FAIRLEAD_HANDSHAKE_DETAIL_HEAD_READER_HPP
#define FAIRLEAD_HANDSHAKE_DETAIL_HEAD_READER_HPP

#include <fairlead/config.hpp>
#include <fairlead/errc.hpp>
#include <fairlead/handshake/detail/head_data.hpp>
#include <fairlead/handshake/head_limits.hpp>
#include <fairlead/handshake/parse_result.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI::detail {

/// The two heads that HTTP/1.1 has. They differ in their first line.
enum class head_kind : std::uint8_t { request, response };

/// Reads the lines of one head in pieces of any size: what request_parser and response_parser have in common.
/// Knows the limits, the ends of lines and the bytes that none may hold; what the lines say is the affair of
/// two functions for each kind of data:
///
///     errc check_start_line(const Data&) noexcept;     // once the first line is there
///     errc read_head(Data&, std::size_t field_count);  // once all is
///
/// Holds no memory before the first byte and after a fault, and never more than `max_head_size` of input.
class head_reader {
 public:
  head_reader(head_kind kind, const head_limits& limits) noexcept : limits_(limits), kind_(kind) {}

  /// Takes the next bytes and keeps them in `data`, which it makes when the first comes. After `done` or
  /// `failed` it says the same again and uses nothing.
  template <class Data>
  parse_result feed(std::span<const std::byte> in, std::unique_ptr<Data>& data) {
    if (state_ != parse_state::need_more || in.empty()) return {state_, error_, 0};
    if (data == nullptr) data = std::make_unique<Data>();
    std::string_view rest(reinterpret_cast<const char*>(in.data()), in.size());
    while (state_ == parse_state::need_more && !rest.empty()) {
      switch (read_line(rest, data->head)) {
        case line::unfinished: break;
        case line::start: judge(check_start_line(*data)); break;
        case line::end:
          data->head.shrink_to_fit();
          state_ = parse_state::done;
          judge(read_head(*data, field_count_));
          break;
      }
    }
    if (state_ == parse_state::failed) data.reset();
    return {state_, error_, in.size() - rest.size()};
  }

  parse_state state() const noexcept { return state_; }

  /// Ends the reading with that error, which is not `ok`.
  void fail(errc error) noexcept { judge(error); }

  /// Begins with another head, of the same kind and under the same limits.
  void restart() noexcept { *this = head_reader(kind_, limits_); }

 private:
  enum class position : std::uint8_t { start, start_line, fields };

  /// What read_line() came upon.
  enum class line : std::uint8_t { unfinished, start, end };

  FAIRLEAD_DECL line read_line(std::string_view& rest, std::vector<char>& head);
  FAIRLEAD_DECL std::size_t skip_plain(std::string_view text) noexcept;
  FAIRLEAD_DECL errc examine(char c) noexcept;
  FAIRLEAD_DECL void keep(std::string_view bytes, std::vector<char>& head) const;
  FAIRLEAD_DECL line end_line(std::vector<char>& head) noexcept;
  FAIRLEAD_DECL void judge(errc error) noexcept;

  head_limits limits_;
  std::size_t head_size_ = 0;
  std::size_t line_size_ = 0;
  std::size_t field_count_ = 0;
  errc error_ = errc::ok;
  head_kind kind_;
  parse_state state_ = parse_state::need_more;
  position position_ = position::start;
  bool after_carriage_return_ = false;
};

/// The first line of a head that has one, without its CRLF.
FAIRLEAD_DECL std::string_view start_line_of(const head_data& data) noexcept;

/// Fills `data.fields` from `data.head`: a whole head with its empty line, whose lines hold no control byte
/// but tabs. Fails with errc::bad_field.
FAIRLEAD_DECL errc read_fields(head_data& data, std::size_t field_count);

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/handshake/impl/head_reader.ipp>
#endif

#endif

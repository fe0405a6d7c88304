#ifndef FAIRLEAD_HANDSHAKE_IMPL_RESPONSE_PARSER_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_RESPONSE_PARSER_IPP

#include <fairlead/handshake/response_parser.hpp>

#include <fairlead/handshake/detail/status_line.hpp>

#include <cassert>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL parse_result response_parser::feed(std::span<const std::byte> in) {
  std::size_t consumed = 0;
  while (true) {
    parse_result result = reader_.feed(in.subspan(consumed), data_);
    consumed += result.consumed;
    if (result.state != parse_state::done || !has_interim()) return {result.state, result.error, consumed};
    data_.reset();
    if (++interim_count_ <= max_interim_responses) {
      reader_.restart();
    } else {
      reader_.fail(errc::head_too_large);
    }
  }
}

FAIRLEAD_DECL response_head response_parser::take() noexcept {
  assert(reader_.state() == parse_state::done && data_ != nullptr);
  return response_head(std::move(data_));
}

/// RFC 9110 section 15.2: "A client MUST be able to parse one or more 1xx responses received prior to a final
/// response, even if the client does not expect one." But a 101 is what we wait for.
FAIRLEAD_DECL bool response_parser::has_interim() const noexcept {
  return data_ != nullptr && static_cast<int>(data_->status) < 200 &&
         data_->status != http_status::switching_protocols;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

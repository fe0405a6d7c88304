#ifndef FAIRLEAD_HANDSHAKE_IMPL_REQUEST_PARSER_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_REQUEST_PARSER_IPP

#include <fairlead/handshake/request_parser.hpp>

#include <fairlead/handshake/detail/request_head.hpp>

#include <cassert>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL parse_result request_parser::feed(std::span<const std::byte> in) {
  return reader_.feed(in, data_);
}

FAIRLEAD_DECL request request_parser::take() noexcept {
  assert(reader_.state() == parse_state::done && data_ != nullptr);
  return request(std::move(data_));
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

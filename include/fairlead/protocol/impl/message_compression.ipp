#ifndef FAIRLEAD_PROTOCOL_IMPL_MESSAGE_COMPRESSION_IPP
#define FAIRLEAD_PROTOCOL_IMPL_MESSAGE_COMPRESSION_IPP

#include <fairlead/protocol/detail/message_compression.hpp>

#include <algorithm>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI::detail {

FAIRLEAD_DECL message_compression::message_compression(role r, const deflate_params& agreed,
                                                       const deflate_options& options,
                                                       compression_workspace& workspace) noexcept
    : workspace_(workspace), options_(options) {
  const bool is_server = r == role::server;
  const std::uint8_t ours = is_server ? agreed.server_max_window_bits : agreed.client_max_window_bits;
  receive_window_bits_ = is_server ? agreed.client_max_window_bits : agreed.server_max_window_bits;
  send_window_bits_ = std::min(ours, options.send_window_bits);
  // We may do without what the peer allows; what the peer does, only the agreement says.
  const bool may_take_over =
      !(is_server ? agreed.server_no_context_takeover : agreed.client_no_context_takeover);
  send_takeover_ = options.send_takeover && may_take_over;
  // Behind a block that says it is the last, a peer that may need what came before reads no further message.
  use_libdeflate_ = options.use_libdeflate && !may_take_over && whole_deflater::is_there();
  receive_takeover_ = !(is_server ? agreed.client_no_context_takeover : agreed.server_no_context_takeover);
}

FAIRLEAD_DECL message_compression::~message_compression() {
  if (inflater_ != nullptr && !receive_takeover_) workspace_.give_back(std::move(inflater_));
}

FAIRLEAD_DECL std::optional<message_view> message_compression::compress(const message_view& m) {
  if (m.compression() == compression::never) return std::nullopt;
  if (m.size() < std::max<std::size_t>(options_.min_size, 1)) return std::nullopt;
  if (send_takeover_) {
    own_deflater().deflate(m.bytes(), true, workspace_.deflated_);
    return message_view(m.kind(), workspace_.deflated_);  // smaller or not: the compressor will refer to it
  }
  const std::uint32_t key = form_key(m.size());
  const shared_bytes* form = m.owner() != nullptr ? m.owner()->form(key) : nullptr;
  if (form == nullptr) {
    const std::span<const std::byte> alone = compress_alone(m.bytes());
    if (m.owner() != nullptr && m.owner()->is_shared()) {
      form = m.owner()->keep_form(key, shared_bytes::copy_of(alone));
    }
    if (form == nullptr) {
      return alone.empty() ? std::nullopt : std::optional(message_view(m.kind(), alone));
    }
  }
  return form->empty() ? std::nullopt : std::optional(message_view(m.kind(), *form));
}

FAIRLEAD_DECL std::optional<message_view> message_compression::compress_part(const message_view& part,
                                                                             piece p) {
  // The size of the message is not known; its first part stands for it.
  if (p == piece::first) {
    compresses_parts_ = part.compression() == compression::allowed && part.size() >= options_.min_size;
  }
  if (!compresses_parts_) return std::nullopt;
  const bool last = p == piece::last;
  own_deflater().deflate(part.bytes(), last, workspace_.deflated_);
  if (last && !send_takeover_) deflater_.reset();
  return message_view(part.kind(), workspace_.deflated_);
}

FAIRLEAD_DECL deflater& message_compression::own_deflater() {
  if (deflater_ == nullptr) {
    deflater_ = std::make_unique<deflater>(send_window_bits_, options_.level, options_.memory_level,
                                           workspace_.memory_size_);
  }
  return *deflater_;
}

// libdeflate's window is the largest: only a message that is no larger than a smaller one stays within it.
FAIRLEAD_DECL bool message_compression::is_for_libdeflate(std::size_t message_size) const noexcept {
  return use_libdeflate_ &&
         (send_window_bits_ == max_window_bits || message_size <= std::size_t{1} << send_window_bits_);
}

// Empty when the bytes do not become fewer.
FAIRLEAD_DECL std::span<const std::byte> message_compression::compress_alone(
    std::span<const std::byte> bytes) {
  std::vector<std::byte>& out = workspace_.deflated_;
  if (is_for_libdeflate(bytes.size())) {
    return workspace_.whole_deflater_for(options_.level).deflate(bytes, out);
  }
  deflater& shared = workspace_.deflater_for(send_window_bits_, options_.level, options_.memory_level);
  shared.deflate(bytes, true, out);
  shared.reset();
  if (out.size() >= bytes.size()) return {};
  return out;
}

// All that decides what a message compressed by itself looks like.
FAIRLEAD_DECL std::uint32_t message_compression::form_key(std::size_t message_size) const noexcept {
  constexpr std::uint32_t by_libdeflate = 1 << 24;
  if (is_for_libdeflate(message_size)) return by_libdeflate | static_cast<std::uint32_t>(options_.level);
  return static_cast<std::uint32_t>(send_window_bits_ << 16 | options_.level << 8 | options_.memory_level);
}

FAIRLEAD_DECL message_compression::inflated message_compression::inflate(std::span<const std::byte>& in,
                                                                         bool last, std::size_t max_size) {
  if (workspace_.inflated_ == nullptr) {
    workspace_.inflated_.reset(new std::byte[compression_workspace::inflate_room_size]);
  }
  if (inflater_ == nullptr) {
    inflater_ = receive_takeover_ ? std::make_unique<inflater>(receive_window_bits_, workspace_.memory_size_)
                                  : workspace_.take_inflater();
  }
  std::span<std::byte> room(workspace_.inflated_.get(),
                            std::min(max_size, compression_workspace::inflate_room_size));
  const inflate_result result = inflater_->inflate(in, last, room);
  if (result == inflate_result::done && last && !receive_takeover_) {
    workspace_.give_back(std::exchange(inflater_, nullptr));
  }
  return {result, room};
}

}  // namespace fairlead::inline FAIRLEAD_ABI::detail

#endif

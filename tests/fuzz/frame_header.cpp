// What is demanded of frame headers (RFC 6455 section 5.2), for any bytes:
// - the decoder finds what a plain reading of the RFC finds, and refuses what that refuses;
// - it needs more on every proper prefix of a header, and never takes back an error;
// - what it decoded encodes to the same bytes;
// - a server and a client refuse, beyond that, the wrong masking and reserved bits, and nothing else.
// And any header that may be encoded decodes to itself.
//
// Aims at: wire/impl/frame_header.hpp

#include <fairlead/protocol/connection.hpp>
#include <fairlead/wire/frame_header.hpp>

#include <fuzz/support/input.hpp>
#include <fuzz/support/plain_frame.hpp>

#include <optional>

using namespace fairlead;
using fuzz::demand;

namespace {

class failure_sink final : public event_sink {
 public:
  errc why = errc::ok;
  flow on_message(message_view) override { return flow::proceed; }
  void on_ping(std::span<const std::byte>) override {}
  void on_pong(std::span<const std::byte>) override {}
  void on_close(close_code, std::string_view) override {}
  void on_failure(errc error, close_code) override { why = error; }
};

class fixed_key final : public mask_key_source {
  mask_key next() override { return {}; }
};

/// Why a connection of that role refuses the header, as its first, when it knows no limit.
errc fault_in(role own, std::span<const std::byte> header) {
  connection_options options;
  options.max_message_size = SIZE_MAX;
  output_workspace workspace;
  fixed_key key;
  connection ws(own, options, workspace, own == role::client ? &key : nullptr);
  failure_sink sink;
  const fuzz::exact_copy copy(header);
  ws.receive(copy.bytes(), time_point(std::chrono::hours(1)), sink);
  return sink.why;
}

void check_roles(const fuzz::plain_header& plain, std::span<const std::byte> header) {
  for (const role own : {role::server, role::client}) {
    const bool right_mask = plain.masked == (own == role::server);
    const errc fault = fault_in(own, header);
    // An empty close frame is whole here, and ends the connection without a fault.
    if (plain.rsv != 0) {
      demand(fault == errc::reserved_bits, "a reserved bit is refused");
    } else if (!right_mask) {
      demand(fault == (own == role::server ? errc::mask_missing : errc::mask_unexpected),
             "the wrong masking is refused");
    } else {
      demand(fault == (plain.opcode == 0 ? errc::unexpected_continuation : errc::ok),
             "what is allowed to the role is not refused");
    }
  }
}

void check_decoded(std::span<const std::byte> in) {
  const fuzz::plain_header plain = fuzz::read_plain_header(in);
  const decoded_frame_header decoded = decode_frame_header(in);
  if (!plain.whole) {
    demand(decoded.size == 0, "a prefix is no header");
    return;
  }
  demand((decoded.error == errc::ok) == plain.valid, "a header is refused if and only if it breaks a rule");
  errc before = errc::ok;
  for (std::size_t size = 0; size < plain.size; ++size) {
    const fuzz::exact_copy prefix(in.first(size));
    const decoded_frame_header part = decode_frame_header(prefix.bytes());
    demand(part.size == 0, "a prefix needs more");
    demand(before == errc::ok || part.error == before, "an error stays");
    demand(part.error == errc::ok || part.error == decoded.error, "the first error is the header's");
    before = part.error;
  }
  if (!plain.valid) return;

  const frame_header& h = decoded.header;
  demand(decoded.size == plain.size && h.fin == plain.fin && static_cast<unsigned>(h.op) == plain.opcode &&
             (unsigned{h.rsv1} << 2 | unsigned{h.rsv2} << 1 | unsigned{h.rsv3}) == plain.rsv &&
             h.payload_size == plain.payload_size &&
             h.mask == (plain.masked ? std::optional(plain.key) : std::nullopt),
         "the header is what the RFC says it is");
  std::array<std::byte, max_frame_header_size> out;
  const std::size_t size = encode_frame_header(h, out);
  demand(fuzz::text_of(std::span(out).first(size)) == fuzz::text_of(in.first(plain.size)),
         "it encodes to the bytes it came from");
  check_roles(plain, in.first(plain.size));
}

void check_encoded(fuzz::input in) {
  constexpr opcode known[] = {opcode::continuation, opcode::text, opcode::binary,
                              opcode::close,        opcode::ping, opcode::pong};
  frame_header h;
  h.op = known[in.number(std::size(known) - 1)];
  const std::uint8_t bits = in.byte();
  h.fin = (bits & 1) != 0 || is_control(h.op);
  h.rsv1 = (bits & 2) != 0;
  h.rsv2 = (bits & 4) != 0;
  h.rsv3 = (bits & 8) != 0;
  if ((bits & 16) != 0) h.mask = mask_key{std::byte{in.byte()}, std::byte{1}, std::byte{2}, std::byte{3}};
  h.payload_size = in.number(SIZE_MAX) >> 1 >> in.number(62);
  if (is_control(h.op)) h.payload_size %= max_control_payload + 1;

  std::array<std::byte, max_frame_header_size> out;
  const std::size_t size = encode_frame_header(h, out);
  const decoded_frame_header decoded = decode_frame_header(std::span(out).first(size));
  demand(decoded.error == errc::ok && decoded.size == size && decoded.header == h, "it decodes to itself");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check_decoded(std::as_bytes(std::span(data, size)));
  check_encoded({data, size});
  return 0;
}

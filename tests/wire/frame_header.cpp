#include <fairlead/wire/frame_header.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

using namespace fairlead;

namespace {

template <class... Values>
constexpr auto bytes(Values... values) {
  return std::array<std::byte, sizeof...(values)>{static_cast<std::byte>(values)...};
}

constexpr mask_key rfc_key = bytes(0x37, 0xfa, 0x21, 0x3d);
constexpr std::uint64_t largest_payload = 0x7FFF'FFFF'FFFF'FFFF;

/// A header and its bytes; both directions must agree.
struct example {
  frame_header header;
  std::array<std::byte, max_frame_header_size> encoded{};
  std::size_t size = 0;

  template <std::size_t N>
  constexpr example(const frame_header& h, const std::array<std::byte, N>& b) : header(h), size(N) {
    std::copy(b.begin(), b.end(), encoded.begin());
  }

  constexpr std::span<const std::byte> bytes_view() const { return std::span(encoded).first(size); }
};

constexpr frame_header make(opcode op, std::uint64_t payload_size,
                            std::optional<mask_key> mask = std::nullopt, bool fin = true) {
  frame_header h;
  h.op = op;
  h.payload_size = payload_size;
  h.mask = mask;
  h.fin = fin;
  return h;
}

constexpr frame_header reserved(bool rsv1, bool rsv2, bool rsv3) {
  frame_header h;
  h.rsv1 = rsv1;
  h.rsv2 = rsv2;
  h.rsv3 = rsv3;
  return h;
}

constexpr example examples[] = {
    // RFC 6455 section 5.7
    {make(opcode::text, 5), bytes(0x81, 0x05)},
    {make(opcode::text, 5, rfc_key), bytes(0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d)},
    {make(opcode::text, 3, std::nullopt, false), bytes(0x01, 0x03)},
    {make(opcode::continuation, 2), bytes(0x80, 0x02)},
    {make(opcode::ping, 5), bytes(0x89, 0x05)},
    {make(opcode::pong, 5, rfc_key), bytes(0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d)},
    {make(opcode::binary, 256), bytes(0x82, 0x7E, 0x01, 0x00)},
    {make(opcode::binary, 65536), bytes(0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0)},
    // Section 5.2: both sides of every change of the length's form
    {make(opcode::binary, 0), bytes(0x82, 0)},
    {make(opcode::binary, 0, rfc_key), bytes(0x82, 0x80, 0x37, 0xfa, 0x21, 0x3d)},
    {make(opcode::binary, 125), bytes(0x82, 125)},
    {make(opcode::binary, 126), bytes(0x82, 126, 0x00, 0x7E)},
    {make(opcode::binary, 127), bytes(0x82, 126, 0x00, 0x7F)},
    {make(opcode::binary, 255), bytes(0x82, 126, 0x00, 0xFF)},
    {make(opcode::binary, 65535), bytes(0x82, 126, 0xFF, 0xFF)},
    {make(opcode::binary, 65535, rfc_key), bytes(0x82, 0xFE, 0xFF, 0xFF, 0x37, 0xfa, 0x21, 0x3d)},
    {make(opcode::binary, 65537), bytes(0x82, 127, 0, 0, 0, 0, 0, 1, 0, 1)},
    {make(opcode::binary, 0x0102'0304'0506'0708), bytes(0x82, 127, 1, 2, 3, 4, 5, 6, 7, 8)},
    {make(opcode::binary, 0x7FFF'FFFF), bytes(0x82, 127, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF)},
    {make(opcode::binary, 0x8000'0000), bytes(0x82, 127, 0, 0, 0, 0, 0x80, 0, 0, 0)},
    {make(opcode::binary, 0xFFFF'FFFF), bytes(0x82, 127, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF)},
    {make(opcode::binary, 0x1'0000'0000), bytes(0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0)},
    {make(opcode::binary, largest_payload), bytes(0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF)},
    {make(opcode::binary, largest_payload, rfc_key),
     bytes(0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x37, 0xfa, 0x21, 0x3d)},
    // Section 5.5: the largest control frames
    {make(opcode::close, 125), bytes(0x88, 125)},
    {make(opcode::ping, 125, rfc_key), bytes(0x89, 0xFD, 0x37, 0xfa, 0x21, 0x3d)},
    {make(opcode::pong, 0), bytes(0x8A, 0)},
    // RSV bits are the business of the protocol layer (TRUST F06); here they only pass.
    {reserved(true, false, false), bytes(0xC2, 0)},
    {reserved(false, true, false), bytes(0xA2, 0)},
    {reserved(false, false, true), bytes(0x92, 0)},
    {reserved(true, true, true), bytes(0xF2, 0)},
};

constexpr bool decodes(const example& e) {
  const decoded_frame_header got = decode_frame_header(e.bytes_view());
  return got.error == errc::ok && got.size == e.size && got.header == e.header;
}

constexpr bool encodes(const example& e) {
  std::array<std::byte, max_frame_header_size> out;
  out.fill(std::byte{0xCC});
  const std::size_t size = encode_frame_header(e.header, out);
  return size == e.size &&
         std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size), e.encoded.begin()) &&
         std::all_of(out.begin() + static_cast<std::ptrdiff_t>(size), out.end(),
                     [](std::byte b) { return b == std::byte{0xCC}; });
}

constexpr bool needs_more_on_every_prefix(const example& e) {
  for (std::size_t n = 0; n < e.size; ++n) {
    const decoded_frame_header got = decode_frame_header(e.bytes_view().first(n));
    if (got.error != errc::ok || got.size != 0) return false;
  }
  return true;
}

static_assert(std::all_of(std::begin(examples), std::end(examples), decodes));
static_assert(std::all_of(std::begin(examples), std::end(examples), encodes));
static_assert(std::all_of(std::begin(examples), std::end(examples), needs_more_on_every_prefix));

static_assert(noexcept(decode_frame_header({})));
static_assert(noexcept(encode_frame_header({}, std::declval<std::span<std::byte, max_frame_header_size>>())));

/// Decodes from a block that ends where the input does, so that a sanitizer sees a byte too many.
decoded_frame_header decode(std::span<const std::byte> in) {
  const auto block = std::make_unique<std::byte[]>(in.size());
  std::copy(in.begin(), in.end(), block.get());
  return decode_frame_header({block.get(), in.size()});
}

std::string hex(std::span<const std::byte> in) {
  std::string text;
  for (const std::byte b : in) {
    text += "0123456789abcdef"[std::to_integer<unsigned>(b) >> 4];
    text += "0123456789abcdef"[std::to_integer<unsigned>(b) & 15u];
    text += ' ';
  }
  return text;
}

/// `in` needs more up to `at` bytes, and is refused with `error` from there on.
void check_refused_at(std::size_t at, errc error, const std::vector<std::byte>& in) {
  INFO(hex(in));
  for (std::size_t n = 0; n <= in.size(); ++n) {
    const decoded_frame_header got = decode(std::span(in).first(n));
    INFO(n << " bytes");
    CHECK(got.error == (n < at ? errc::ok : error));
    CHECK(got.size == 0);
  }
}

std::vector<std::byte> with_length_64(std::uint64_t length) {
  std::vector<std::byte> in{std::byte{0x82}, std::byte{0xFF}};
  for (int shift = 56; shift >= 0; shift -= 8) in.push_back(static_cast<std::byte>(length >> shift & 0xFF));
  in.insert(in.end(), rfc_key.begin(), rfc_key.end());
  return in;
}

}  // namespace

TEST_CASE("frame_headers_decode_and_encode_as_in_the_table") {
  for (const example& e : examples) {
    INFO(hex(e.bytes_view()));
    CHECK(decodes(e));
    CHECK(encodes(e));
    CHECK(decode(e.bytes_view()).header == e.header);
  }
}

TEST_CASE("decoder_needs_more_on_every_prefix") {
  for (const example& e : examples) {
    for (std::size_t n = 0; n < e.size; ++n) {
      INFO(hex(e.bytes_view().first(n)));
      const decoded_frame_header got = decode(e.bytes_view().first(n));
      CHECK(got.error == errc::ok);
      CHECK(got.size == 0);
    }
  }
}

TEST_CASE("decoder_leaves_what_follows_the_header") {
  for (const example& e : examples) {
    std::vector<std::byte> in(e.bytes_view().begin(), e.bytes_view().end());
    in.resize(in.size() + 20, std::byte{0xFF});
    const decoded_frame_header got = decode(in);
    CHECK(got.size == e.size);
    CHECK(got.header == e.header);
  }
}

// Section 5.2. TRUST F09.
TEST_CASE("decoder_refuses_reserved_opcodes_at_the_first_byte") {
  for (const unsigned op : {3u, 4u, 5u, 6u, 7u, 11u, 12u, 13u, 14u, 15u}) {
    for (const unsigned upper : {0x00u, 0x80u, 0xF0u}) {
      check_refused_at(1, errc::reserved_opcode,
                       {static_cast<std::byte>(upper | op), std::byte{0}, std::byte{0}});
    }
  }
}

// Section 5.5. TRUST F05.
TEST_CASE("decoder_refuses_fragmented_control_frames_at_the_first_byte") {
  for (const unsigned op : {8u, 9u, 10u}) {
    for (const unsigned rsv : {0x00u, 0x40u, 0x20u, 0x10u, 0x70u}) {
      check_refused_at(1, errc::fragmented_control, {static_cast<std::byte>(rsv | op), std::byte{0}});
    }
  }
}

// Section 5.5. TRUST F05.
TEST_CASE("decoder_refuses_oversized_control_frames_at_the_second_byte") {
  for (const unsigned op : {0x88u, 0x89u, 0x8Au}) {
    for (const unsigned length : {126u, 127u, 0xFEu, 0xFFu}) {
      check_refused_at(
          2, errc::oversized_control,
          {static_cast<std::byte>(op), static_cast<std::byte>(length), std::byte{0}, std::byte{126}});
    }
  }
}

// Section 5.2: "the minimal number of bytes MUST be used to encode the length". TRUST F04.
TEST_CASE("decoder_refuses_a_16_bit_length_that_fits_in_7_bits") {
  for (unsigned length = 0; length <= 125; ++length) {
    for (const unsigned second : {126u, 0xFEu}) {
      check_refused_at(
          4, errc::length_not_minimal,
          {std::byte{0x82}, static_cast<std::byte>(second), std::byte{0}, static_cast<std::byte>(length),
           std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}});
    }
  }
}

// TRUST F04. Six zeros tell it; the last two bytes of the length do not matter.
TEST_CASE("decoder_refuses_a_64_bit_length_that_fits_in_16_bits_at_the_eighth_byte") {
  for (const std::uint64_t length : {0u, 1u, 125u, 126u, 255u, 256u, 65534u, 65535u}) {
    check_refused_at(8, errc::length_not_minimal, with_length_64(length));
  }
}

// Section 5.2: "the most significant bit MUST be 0". TRUST F01, F16.
TEST_CASE("decoder_refuses_a_length_with_the_top_bit_at_its_first_byte") {
  constexpr std::uint64_t top = 0x8000'0000'0000'0000;
  for (const std::uint64_t length : {top, top + 1, top + 65536, ~std::uint64_t{0}, ~std::uint64_t{0} - 9}) {
    check_refused_at(3, errc::length_out_of_range, with_length_64(length));
  }
}

// TRUST F16: every byte of the length takes every value, run under the undefined sanitizer.
TEST_CASE("each_byte_of_a_64_bit_length_has_its_place") {
  for (unsigned place = 0; place < 8; ++place) {
    for (std::uint64_t value = 0; value < 256; ++value) {
      const std::uint64_t length = (value << (8 * place)) | 0x0001'0000'0000'0000;
      const decoded_frame_header got = decode(with_length_64(length));
      if (place == 7 && value >= 0x80) {
        CHECK(got.error == errc::length_out_of_range);
      } else {
        CHECK(got.header.payload_size == length);
      }
    }
  }
}

TEST_CASE("every_first_two_bytes_are_judged_by_the_rfc") {
  unsigned wrong = 0;
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      const unsigned op = first & 0x0F;
      const bool control = op >= 8;
      errc expected = errc::ok;
      if ((op > 2 && op < 8) || op > 10) {
        expected = errc::reserved_opcode;
      } else if (control && first < 0x80) {
        expected = errc::fragmented_control;
      } else if (control && (second & 0x7F) > 125) {
        expected = errc::oversized_control;
      }
      const auto in = bytes(first, second);
      const decoded_frame_header got = decode_frame_header(in);
      wrong += got.error != expected;
      wrong += got.size != (expected == errc::ok && second <= 125 ? 2u : 0u);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("a_verdict_on_random_bytes_never_changes_with_more_of_them") {
  std::mt19937 random(6455);
  unsigned changed = 0;
  unsigned whole = 0;
  for (int round = 0; round < 20000; ++round) {
    std::array<std::byte, max_frame_header_size> in;
    for (std::byte& b : in) b = static_cast<std::byte>(random() & 0xFF);
    // Most random bytes are refused at once; these reach the lengths.
    in[0] = static_cast<std::byte>((random() & 0xF0) | (random() % 3));
    if (round % 2 == 0) in[1] = static_cast<std::byte>(0x7E | (random() & 0x81));
    if (round % 3 == 0)
      std::fill(in.begin() + 2, in.begin() + 4 + static_cast<int>(random() % 6), std::byte{0});

    const decoded_frame_header all = decode_frame_header(in);
    whole += all.size != 0;
    bool settled = false;
    for (std::size_t n = 0; n <= in.size(); ++n) {
      const decoded_frame_header got = decode_frame_header(std::span(in).first(n));
      const bool now = got.size != 0 || got.error != errc::ok;
      if (settled && !now) ++changed;
      if (now && (got.error != all.error || got.size != all.size)) ++changed;
      if (got.size != 0 && (got.size > n || got.header != all.header)) ++changed;
      settled = now;
    }
    if (!settled) ++changed;  // the largest header always suffices
  }
  CHECK(changed == 0);
  CHECK(whole > 1000);
}

TEST_CASE("random_headers_survive_the_round_trip") {
  std::mt19937_64 random(6455);
  unsigned wrong = 0;
  for (int round = 0; round < 20000; ++round) {
    frame_header h;
    h.fin = (random() & 1) != 0;
    h.rsv1 = (random() & 1) != 0;
    h.rsv2 = (random() & 1) != 0;
    h.rsv3 = (random() & 1) != 0;
    h.op = static_cast<opcode>(random() % 3);
    h.payload_size = random() >> (1 + random() % 63);
    if ((random() & 1) != 0) {
      h.mask.emplace();
      for (std::byte& b : *h.mask) b = static_cast<std::byte>(random() & 0xFF);
    }
    std::array<std::byte, max_frame_header_size> out{};
    const std::size_t size = encode_frame_header(h, out);
    const decoded_frame_header got = decode_frame_header(std::span(out).first(size));
    wrong += got.error != errc::ok || got.size != size || got.header != h;
  }
  CHECK(wrong == 0);
}

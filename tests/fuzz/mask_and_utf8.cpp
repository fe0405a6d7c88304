// What is demanded of the two fast paths over payloads, for any bytes at any alignment and in any pieces:
// - apply_mask() is what RFC 6455 section 5.3 says byte by byte, touches nothing beside its piece, and undoes itself;
// - the validator of pieces fails at the first impossible byte, for ever after, and else ends where text may end, as
//   the machine that goes byte by byte does; and so does that of whole texts.
//
// Aims at: wire/impl/mask.ipp wire/impl/utf8.ipp wire/impl/utf8.hpp

#include <fairlead/wire/mask.hpp>
#include <fairlead/wire/utf8.hpp>

#include <fuzz/support/input.hpp>

#include <array>
#include <string>

using namespace fairlead;
using fuzz::demand;

namespace {

/// A copy that begins `shift` bytes into its block and ends with it.
class shifted_copy {
 public:
  shifted_copy(std::span<const std::byte> bytes, std::size_t shift)
      : padded_(std::string(shift, '#').append(fuzz::text_of(bytes))),
        block_(fuzz::bytes_of(padded_)),
        shift_(shift) {}

  std::span<std::byte> bytes() const noexcept { return block_.bytes().subspan(shift_); }
  std::string_view with_padding() const noexcept { return block_.text(); }

 private:
  std::string padded_;
  fuzz::exact_copy block_;
  std::size_t shift_;
};

void check_mask(std::span<const std::byte> payload, const mask_key& key, std::size_t shift,
                std::size_t key_offset, fuzz::splits pieces) {
  const shifted_copy whole(payload, shift);
  std::string expected(whole.with_padding());
  for (std::size_t i = 0; i < payload.size(); ++i) {
    expected[shift + i] = static_cast<char>(payload[i] ^ key[(key_offset + i) % key.size()]);
  }
  apply_mask(whole.bytes(), key, key_offset);
  demand(whole.with_padding() == expected, "the mask is applied byte by byte");

  const shifted_copy cut(payload, shift);
  for (std::size_t at = 0; at < payload.size();) {
    const std::size_t size = pieces.next(payload.size() - at);
    apply_mask(cut.bytes().subspan(at, size), key, key_offset + at);
    at += size;
    demand(cut.with_padding().substr(shift + at) == fuzz::text_of(payload.subspan(at)),
           "nothing behind the piece is touched");
  }
  demand(cut.with_padding() == expected, "pieces are masked as the whole is");

  apply_mask(cut.bytes(), key, key_offset);
  demand(fuzz::text_of(cut.bytes()) == fuzz::text_of(payload), "the mask undoes itself");
}

void check_utf8(std::span<const std::byte> text, std::size_t shift, fuzz::splits pieces) {
  detail::utf8_machine machine;
  std::size_t good = 0;  // bytes up to the first impossible one
  while (good < text.size() && machine.feed(text[good])) ++good;
  const bool valid = good == text.size();
  demand(machine.failed() == !valid, "the machine says when it failed");

  const shifted_copy copy(text, shift);
  demand(is_valid_utf8(copy.bytes()) == (valid && machine.complete()), "the whole is judged as byte by byte");

  utf8_validator validator;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = pieces.next(text.size() - at);
    const shifted_copy piece(text.subspan(at, size), shift);
    at += size;
    demand(validator.feed(piece.bytes()) == (at <= good), "pieces fail at the first impossible byte");
  }
  demand(validator.complete() == machine.complete(), "pieces end as the machine does");
  validator.reset();
  demand(validator.feed({}) && validator.complete(), "a new text begins");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const std::size_t shift = in.number(63);
  const std::size_t key_offset = in.number(255);
  mask_key key;
  for (std::byte& byte : key) byte = std::byte{in.byte()};
  const fuzz::splits pieces(in);
  const auto bytes = in.rest();
  check_mask(bytes, key, shift, key_offset, pieces);
  check_utf8(bytes, shift, pieces);
  return 0;
}

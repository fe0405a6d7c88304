#include <fairlead/wire/mask.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <new>
#include <random>
#include <vector>

using namespace fairlead;

namespace {

constexpr mask_key key{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}};
constexpr std::size_t max_length = 256;

/// The plain loop (RFC 6455 section 5.3): "transformed-octet-i = original-octet-i XOR masking-key-octet-(i
/// MOD 4)".
std::vector<std::byte> masked(std::span<const std::byte> in, std::size_t key_offset) {
  std::vector<std::byte> out(in.begin(), in.end());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = out[i] ^ key[(i + key_offset) % 4];
  return out;
}

std::vector<std::byte> random_bytes(std::size_t size) {
  std::mt19937 random(static_cast<std::uint32_t>(size));
  std::vector<std::byte> bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random() & 0xFF);
  return bytes;
}

/// A block on a cache line's boundary, of exactly the size asked for: a sanitizer sees a byte too many.
class exact_block {
 public:
  explicit exact_block(std::size_t size)
      : bytes_(static_cast<std::byte*>(::operator new(size, alignment))), size_(size) {}
  exact_block(const exact_block&) = delete;
  exact_block& operator=(const exact_block&) = delete;
  ~exact_block() { ::operator delete(bytes_, alignment); }

  std::span<std::byte> bytes() { return {bytes_, size_}; }

 private:
  static constexpr std::align_val_t alignment{64};
  std::byte* bytes_;
  std::size_t size_;
};

bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

void fill(std::span<std::byte> out, std::span<const std::byte> from) {
  if (!from.empty()) std::memcpy(out.data(), from.data(), from.size());
}

/// Masks `text` where the compiler evaluates it.
template <std::size_t N>
constexpr std::array<std::byte, N> masked_by_the_compiler(std::array<std::byte, N> payload,
                                                          std::size_t key_offset) {
  apply_mask(payload, key, key_offset);
  return payload;
}

constexpr std::array hello{std::byte{'H'}, std::byte{'e'}, std::byte{'l'}, std::byte{'l'}, std::byte{'o'}};
constexpr std::array masked_hello{std::byte{0x7f}, std::byte{0x9f}, std::byte{0x4d}, std::byte{0x51},
                                  std::byte{0x58}};

// RFC 6455 section 5.7: "A single-frame masked text message"
static_assert(masked_by_the_compiler(hello, 0) == masked_hello);
static_assert(masked_by_the_compiler(masked_hello, 0) == hello);
static_assert(masked_by_the_compiler(hello, 4) == masked_hello);
static_assert(masked_by_the_compiler(hello, 1) != masked_hello);
static_assert(noexcept(apply_mask({}, key)));

}  // namespace

TEST_CASE("hello_is_masked_as_in_the_rfc") {
  auto payload = hello;
  apply_mask(payload, key);
  CHECK(payload == masked_hello);
  apply_mask(payload, key);
  CHECK(payload == hello);
}

// TRUST F10, M08.
TEST_CASE("mask_equals_the_plain_loop_at_every_length_alignment_and_key_offset") {
  for (std::size_t key_offset = 0; key_offset < 4; ++key_offset) {
    unsigned wrong = 0;
    for (std::size_t length = 0; length <= max_length; ++length) {
      const std::vector<std::byte> in = random_bytes(length);
      const std::vector<std::byte> expected = masked(in, key_offset);
      for (std::size_t alignment = 0; alignment < 64; ++alignment) {
        exact_block block(alignment + length);
        std::fill_n(block.bytes().begin(), alignment, std::byte{0xA5});
        const auto payload = block.bytes().subspan(alignment);
        fill(payload, in);
        apply_mask(payload, key, key_offset);
        wrong += !same(payload, expected);
        wrong += static_cast<unsigned>(alignment) -
                 static_cast<unsigned>(std::count(block.bytes().data(), payload.data(), std::byte{0xA5}));
      }
    }
    INFO("key offset " << key_offset);
    CHECK(wrong == 0);
  }
}

// TRUST F10.
TEST_CASE("bytes_behind_the_payload_stay_as_they_are") {
  unsigned wrong = 0;
  for (std::size_t length = 0; length <= max_length; ++length) {
    std::vector<std::byte> bytes(length + 64, std::byte{0xA5});
    apply_mask(std::span(bytes).first(length), key, length);
    wrong += std::count(bytes.end() - 64, bytes.end(), std::byte{0xA5}) != 64;
  }
  CHECK(wrong == 0);
}

// TRUST F10: a payload that arrives in two pieces, cut anywhere.
TEST_CASE("two_pieces_are_masked_as_one") {
  for (std::size_t key_offset = 0; key_offset < 4; ++key_offset) {
    unsigned wrong = 0;
    for (std::size_t length = 0; length <= max_length; ++length) {
      const std::vector<std::byte> in = random_bytes(length);
      const std::vector<std::byte> expected = masked(in, key_offset);
      std::vector<std::byte> payload(length);
      for (std::size_t cut = 0; cut <= length; ++cut) {
        fill(payload, in);
        apply_mask(std::span(payload).first(cut), key, key_offset);
        apply_mask(std::span(payload).subspan(cut), key, key_offset + cut);
        wrong += !same(payload, expected);
      }
    }
    INFO("key offset " << key_offset);
    CHECK(wrong == 0);
  }
}

TEST_CASE("key_offset_counts_modulo_four_up_to_the_largest") {
  const std::vector<std::byte> in = random_bytes(67);
  for (const std::size_t offset :
       {std::size_t{4}, std::size_t{65537}, std::size_t{0} - 1, std::size_t{0} - 2}) {
    std::vector<std::byte> payload = in;
    apply_mask(payload, key, offset);
    CHECK(payload == masked(in, offset % 4));
  }
}

TEST_CASE("large_payloads_are_masked_whole") {
  for (const std::size_t length : {std::size_t{65535}, std::size_t{65536}, std::size_t{1'000'003}}) {
    const std::vector<std::byte> in = random_bytes(length);
    std::vector<std::byte> payload = in;
    apply_mask(payload, key, 3);
    CHECK(same(payload, masked(in, 3)));
  }
}

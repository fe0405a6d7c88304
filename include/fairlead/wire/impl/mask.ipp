#ifndef FAIRLEAD_WIRE_IMPL_MASK_IPP
#define FAIRLEAD_WIRE_IMPL_MASK_IPP

#include <fairlead/wire/mask.hpp>

#include <bit>
#include <cstdint>
#include <cstring>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

/// XORs the word at `at`, which needs no alignment.
template <class Word>
void xor_word(std::byte* at, Word key) noexcept {
  Word word;
  std::memcpy(&word, at, sizeof word);
  word ^= key;
  std::memcpy(at, &word, sizeof word);
}

/// `key` for a word that begins `offset` bytes further on.
template <class Word>
Word advanced(Word key, std::size_t offset) noexcept {
  const int bits = static_cast<int>(offset % sizeof(mask_key)) * 8;
  return std::endian::native == std::endian::little ? std::rotr(key, bits) : std::rotl(key, bits);
}

/// Masks `size` bytes, at least one word. The end is one more word that overlaps what came before, so it is
/// read first and written last; that is cheaper than a loop over single bytes.
template <class Word>
void xor_words(std::byte* at, std::size_t size, Word key) noexcept {
  std::byte* const last = at + size - sizeof(Word);
  Word last_word;
  std::memcpy(&last_word, last, sizeof last_word);
  last_word ^= advanced(key, size);

  // Four at a time and without a branch between, so that compilers join them in vectors.
  std::size_t left = size;
  for (; left >= 4 * sizeof(Word); left -= 4 * sizeof(Word), at += 4 * sizeof(Word)) {
    xor_word(at, key);
    xor_word(at + sizeof(Word), key);
    xor_word(at + 2 * sizeof(Word), key);
    xor_word(at + 3 * sizeof(Word), key);
  }
  for (; left >= sizeof(Word); left -= sizeof(Word), at += sizeof(Word)) xor_word(at, key);
  std::memcpy(last, &last_word, sizeof last_word);
}

FAIRLEAD_DECL void apply_mask_in_words(std::span<std::byte> payload, const mask_key& key,
                                       std::size_t key_offset) noexcept {
  const auto word = advanced(std::bit_cast<std::uint32_t>(key), key_offset);
  if (payload.size() >= sizeof(std::uint64_t)) {
    xor_words(payload.data(), payload.size(), std::uint64_t{word} << 32 | word);
  } else if (payload.size() >= sizeof(std::uint32_t)) {
    xor_words(payload.data(), payload.size(), word);
  } else {
    const auto turned = std::bit_cast<mask_key>(word);
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] ^= turned[i];
  }
}

}  // namespace detail
}  // namespace fairlead

#endif

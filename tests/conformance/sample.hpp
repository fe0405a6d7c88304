#ifndef FAIRLEAD_TESTS_CONFORMANCE_SAMPLE_HPP
#define FAIRLEAD_TESTS_CONFORMANCE_SAMPLE_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What the cases about compression send: five files of the kinds and sizes that the published list has, made
// here, the same at every run.
namespace conformance {

class sample {
 public:
  sample(std::string name, std::string bytes, bool is_text);

  const std::string& name() const { return name_; }
  const std::string& bytes() const { return bytes_; }
  bool is_text() const { return is_text_; }

  /// Bytes, or characters of text.
  std::size_t size() const { return is_text_ ? starts_.size() : bytes_.size(); }

  /// `count` bytes or characters from `begin` on; behind the last comes the first again.
  std::string cut(std::size_t begin, std::size_t count) const;

 private:
  std::size_t offset(std::size_t i) const;

  std::string name_;
  std::string bytes_;
  bool is_text_;
  std::vector<std::uint32_t> starts_;  // of each character
};

const sample& json_sample();    ///< Records with names in several scripts; text, 190 KB.
const sample& bitmap_sample();  ///< A picture of 512 x 512 grey pixels with noise, 263 KB.
const sample& prose_sample();   ///< Sentences in one byte a character, not UTF-8, 222 KB.
const sample& page_sample();    ///< An HTML table; text, 264 KB.
const sample& packed_sample();  ///< Mostly data that does not compress, as in a PDF, 1 MB.

}  // namespace conformance

#endif

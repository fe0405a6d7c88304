#include "sample.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <utility>

namespace conformance {
namespace {

// A generator that is the same everywhere (splitmix64).
class dice {
 public:
  explicit dice(std::uint64_t seed) : state_(seed) {}

  std::uint64_t roll() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(roll() % n); }

 private:
  std::uint64_t state_;
};

std::string make_json() {
  static constexpr std::array names{"Ada", "Grace", "Zoë", "Łukasz", "Ελένη", "Наталья", "美咲", "José"};
  static constexpr std::array places{"Kiel", "Malmö", "Gdańsk", "Πειραιάς", "横浜", "Porto"};
  dice d(1);
  std::string out = "[";
  while (out.size() < 194'056) {
    out += R"({"id": )" + std::to_string(d.below(1'000'000)) + R"(, "name": ")" +
           names[d.below(names.size())] + R"(", "harbour": ")" + places[d.below(places.size())] +
           R"(", "position": [)" + std::to_string(d.below(180)) + "." + std::to_string(d.below(10'000)) +
           ", " + std::to_string(d.below(90)) + "." + std::to_string(d.below(10'000)) + R"(], "moored": )" +
           (d.below(2) == 0 ? "true" : "false") + "},\n";
  }
  return out;
}

std::string make_bitmap() {
  dice d(2);
  std::string out = "BM";
  for (std::size_t i = out.size(); i < 1'078; ++i) out += static_cast<char>(i < 54 ? 0 : (i - 54) / 4);
  for (int y = 0; y < 512; ++y) {
    for (int x = 0; x < 512; ++x) {
      const double light = 128 + 60 * std::sin(x / 37.0) + 50 * std::cos(y / 23.0 + x / 90.0);
      out += static_cast<char>(static_cast<int>(light) + static_cast<int>(d.below(7)));
    }
  }
  return out;
}

std::string make_prose() {
  std::vector<std::string> words;
  std::istringstream list(
      "der und die ein zu nicht mit Hafen Schiff Leine Wind n\xf6tig sch\xf6n gr\xfcn k\xfchl Welle Nacht "
      "ziehen fahren ruhig Segel Anker weit wo");
  for (std::string word; list >> word;) words.push_back(word);
  dice d(3);
  std::string out;
  for (std::size_t i = 1; out.size() < 222'218; ++i) {
    // Few words often and many rarely, as in a language.
    out += words[std::min(d.below(words.size()), d.below(words.size()))];
    out += i % 9 == 0 ? ".\r\n" : i % 5 == 0 ? ", " : " ";
  }
  return out;
}

std::string make_page() {
  dice d(4);
  std::string out = "<!DOCTYPE html>\n<html lang=\"en\"><head><title>Arrivals</title></head><body><table>\n";
  while (out.size() < 263'647) {
    out += "  <tr class=\"" + std::string(d.below(2) == 0 ? "odd" : "even") + "\"><td>" +
           std::to_string(d.below(24)) + ":" + std::to_string(10 + d.below(50)) +
           "</td><td><a href=\"/ship/" + std::to_string(d.below(100'000)) + "\">Nº " +
           std::to_string(d.below(1'000)) + " – Zürich</a></td></tr>\n";
  }
  return out;
}

std::string make_packed() {
  dice d(5);
  std::string out = "%PDF-1.4\n";
  for (std::size_t object = 1; out.size() < 1'042'328; ++object) {
    out += std::to_string(object) + " 0 obj\n<< /Length 6000 /Filter /FlateDecode >>\nstream\n";
    for (int i = 0; i < 6'000; ++i) out += static_cast<char>(d.roll());
    out += "\nendstream\nendobj\n";
  }
  return out;
}

}  // namespace

sample::sample(std::string name, std::string bytes, bool is_text)
    : name_(std::move(name)), bytes_(std::move(bytes)), is_text_(is_text) {
  if (!is_text) return;
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    if ((static_cast<unsigned char>(bytes_[i]) & 0xc0) != 0x80)
      starts_.push_back(static_cast<std::uint32_t>(i));
  }
}

std::size_t sample::offset(std::size_t i) const { return is_text_ ? starts_[i] : i; }

std::string sample::cut(std::size_t begin, std::size_t count) const {
  if (begin + count < size()) return bytes_.substr(offset(begin), offset(begin + count) - offset(begin));
  return bytes_.substr(offset(begin)) + bytes_.substr(0, offset(begin + count - size()));
}

const sample& json_sample() {
  static const sample s("JSON", make_json(), true);
  return s;
}

const sample& bitmap_sample() {
  static const sample s("bitmap", make_bitmap(), false);
  return s;
}

const sample& prose_sample() {
  static const sample s("prose", make_prose(), false);
  return s;
}

const sample& page_sample() {
  static const sample s("HTML", make_page(), true);
  return s;
}

const sample& packed_sample() {
  static const sample s("packed data", make_packed(), false);
  return s;
}

}  // namespace conformance

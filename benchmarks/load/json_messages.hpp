#ifndef FAIRLEAD_BENCHMARKS_LOAD_JSON_MESSAGES_HPP
#define FAIRLEAD_BENCHMARKS_LOAD_JSON_MESSAGES_HPP

// JSON as servers send it: one shape, fields that change from message to message. The same in every run.

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace load {

class json_messages {
 public:
  /// `count` messages of exactly `size` bytes: quotes of a market, and a remark that fills what is left.
  static std::vector<std::string> make(std::size_t count, std::size_t size) {
    json_messages source;
    std::vector<std::string> messages;
    for (std::size_t i = 0; i < count; ++i) messages.push_back(source.next(size));
    return messages;
  }

 private:
  std::string next(std::size_t size) {
    at_ += 20 + below(200);
    std::string text = R"({"type":"quotes","seq":)" + std::to_string(++seq_) + R"(,"at":)" +
                       std::to_string(at_) + R"(,"quotes":[)";
    constexpr std::string_view remark = R"(],"remark":")", end = R"("})";
    // A quote has about 100 bytes.
    for (bool first = true; text.size() + remark.size() + end.size() + 220 < size; first = false) {
      if (!first) text += ",";
      add_quote(text);
    }
    text += remark;
    while (text.size() + end.size() < size) text.append(words_[below(words_.size())]).append(" ");
    text.resize(size - end.size());
    return text.append(end);
  }

  void add_quote(std::string& text) {
    const std::size_t instrument = below(symbols_.size());
    prices_[instrument] += static_cast<std::uint32_t>(below(21)) - 10;
    const std::uint32_t bid = prices_[instrument];
    text.append(R"({"symbol":")").append(symbols_[instrument]).append(R"(","bid":)").append(price(bid));
    text.append(R"(,"ask":)").append(price(bid + 1 + static_cast<std::uint32_t>(below(5))));
    text.append(R"(,"bid_size":)").append(std::to_string(100 * (1 + below(50))));
    text.append(R"(,"ask_size":)").append(std::to_string(100 * (1 + below(50))));
    text.append(R"(,"venue":")").append(venues_[below(venues_.size())]).append(R"("})");
  }

  static std::string price(std::uint32_t cents) {
    const std::string rest = std::to_string(cents % 100);
    return std::to_string(cents / 100) + (rest.size() < 2 ? ".0" : ".") + rest;
  }

  std::size_t below(std::size_t limit) { return source_() / 16 % limit; }

  static constexpr std::array<std::string_view, 16> symbols_{"AAPL", "MSFT", "AMZN", "NVDA", "TSLA", "GOOG",
                                                             "META", "ORCL", "ADBE", "INTC", "CSCO", "QCOM",
                                                             "SAP",  "ASML", "SHEL", "NESN"};
  static constexpr std::array<std::string_view, 6> venues_{"XNAS", "XNYS", "ARCX", "BATS", "IEXG", "XLON"};
  static constexpr std::array<std::string_view, 32> words_{
      "the",   "order", "book",  "is",     "thin", "on",    "this",  "side", "after", "a",     "large",
      "trade", "at",    "open",  "price",  "and",  "moves", "with",  "news", "from",  "rates", "while",
      "most",  "of",    "today", "volume", "was",  "done",  "early", "in",   "quiet", "hours"};

  std::minstd_rand source_{7692};
  std::uint64_t seq_ = 48'120;
  std::uint64_t at_ = 1'763'712'000'000;
  std::array<std::uint32_t, 16> prices_{18'944, 41'520, 17'893, 49'518, 21'011, 14'102, 50'127, 12'588,
                                        55'310, 3'104,  5'012,  16'730, 19'425, 88'210, 6'644,  9'871};
};

}  // namespace load

#endif

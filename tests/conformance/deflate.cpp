#include "deflate.hpp"

#include <zlib.h>

#include <algorithm>
#include <stdexcept>

namespace conformance {
namespace {

constexpr std::string_view extension_name = "permessage-deflate";

// What ends a flushed deflate block, and is left out of each message (RFC 7692 section 7.2.1).
constexpr std::string_view flush_marker{"\x00\x00\xff\xff", 4};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

int bits_of(const std::string& value) {
  const bool is_number =
      !value.empty() && value.size() <= 2 && value.find_first_not_of("0123456789") == std::string::npos;
  const int bits = is_number ? std::stoi(value) : 0;
  if (bits < 8 || bits > 15) throw std::runtime_error("max_window_bits is '" + value + "'");
  return bits;
}

// The parameters of one direction, `server` or `client`.
deflate_side side_of(const extension& e, const std::string& direction) {
  deflate_side side;
  side.no_context_takeover = e.parameters.contains(direction + "_no_context_takeover");
  const auto bits = e.parameters.find(direction + "_max_window_bits");
  if (bits != e.parameters.end() && !bits->second.empty()) side.window_bits = bits_of(bits->second);
  return side;
}

std::string parameters_of(const deflate_side& side, const std::string& direction) {
  std::string text;
  if (side.no_context_takeover) text += "; " + direction + "_no_context_takeover";
  if (side.window_bits != 15)
    text += "; " + direction + "_max_window_bits=" + std::to_string(side.window_bits);
  return text;
}

bool satisfies(const deflate_side& side, const deflate_wish& wish) {
  return (side.no_context_takeover || !wish.no_context_takeover) &&
         (wish.max_window_bits == 0 || side.window_bits <= wish.max_window_bits);
}

}  // namespace

std::vector<extension> parse_extensions(std::string_view field) {
  std::vector<extension> all;
  for (const std::string_view element : split(field, ',')) {
    if (element.empty()) continue;
    const auto parts = split(element, ';');
    extension e{std::string(parts.front()), {}};
    for (std::size_t i = 1; i < parts.size(); ++i) {
      const auto pair = split(parts[i], '=');
      std::string value(pair.size() == 2 ? pair[1] : "");
      std::erase(value, '"');
      if (!e.parameters.emplace(pair[0], std::move(value)).second)
        throw std::runtime_error("a parameter comes twice");
    }
    all.push_back(std::move(e));
  }
  return all;
}

std::string deflate_offer(const std::vector<deflate_wish>& wishes) {
  std::string field;
  for (const deflate_wish& wish : wishes) {
    if (!field.empty()) field += ", ";
    field += extension_name;
    field += "; client_no_context_takeover; client_max_window_bits";
    if (wish.no_context_takeover) field += "; server_no_context_takeover";
    if (wish.max_window_bits != 0)
      field += "; server_max_window_bits=" + std::to_string(wish.max_window_bits);
  }
  return field;
}

std::optional<deflate_agreement> read_deflate_answer(std::string_view field,
                                                     const std::vector<deflate_wish>& wishes) {
  const auto answers = parse_extensions(field);
  if (answers.empty()) return std::nullopt;
  if (answers.size() > 1 || answers.front().name != extension_name) {
    throw std::runtime_error("the answer names an extension that was not offered");
  }
  const deflate_agreement agreed{side_of(answers.front(), "server"), side_of(answers.front(), "client")};
  if (std::ranges::none_of(wishes,
                           [&](const deflate_wish& wish) { return satisfies(agreed.server, wish); })) {
    throw std::runtime_error("the answer accepts none of the offers");
  }
  return agreed;
}

std::optional<deflate_answer> answer_deflate_offer(std::string_view field,
                                                   const std::vector<deflate_wish>& wishes) {
  for (const deflate_wish& wish : wishes) {
    for (const extension& offer : parse_extensions(field)) {
      if (offer.name != extension_name) continue;
      // "client_max_window_bits" may stand in the answer only when the offer has it (RFC 7692
      // section 7.1.2.2).
      if (wish.max_window_bits != 0 && !offer.parameters.contains("client_max_window_bits")) continue;
      deflate_agreement agreed{side_of(offer, "server"), side_of(offer, "client")};
      agreed.client.no_context_takeover = wish.no_context_takeover;
      agreed.client.window_bits =
          std::min(agreed.client.window_bits, wish.max_window_bits == 0 ? 15 : wish.max_window_bits);
      return deflate_answer{std::string(extension_name) + parameters_of(agreed.server, "server") +
                                parameters_of(agreed.client, "client"),
                            agreed};
    }
  }
  return std::nullopt;
}

void deflater::closer::operator()(z_stream* stream) const {
  deflateEnd(stream);
  delete stream;
}

deflater::deflater(deflate_side side) : side_(side), stream_(new z_stream{}) {
  // zlib makes no raw stream with a window of 256 bytes; one of 512 would break the agreement.
  if (side.window_bits < 9) throw std::runtime_error("zlib cannot compress with a window of 256 bytes");
  if (deflateInit2(stream_.get(), Z_BEST_SPEED, Z_DEFLATED, -side.window_bits, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    throw std::runtime_error("deflateInit2 failed");
  }
}

std::string deflater::compress(std::string_view message) {
  if (side_.no_context_takeover) deflateReset(stream_.get());
  std::string out(deflateBound(stream_.get(), static_cast<uLong>(message.size())) + 16, '\0');
  stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
  stream_->avail_in = static_cast<uInt>(message.size());
  stream_->next_out = reinterpret_cast<Bytef*>(out.data());
  stream_->avail_out = static_cast<uInt>(out.size());
  deflate(stream_.get(), Z_SYNC_FLUSH);
  out.resize(out.size() - stream_->avail_out - flush_marker.size());
  return out;
}

void inflater::closer::operator()(z_stream* stream) const {
  inflateEnd(stream);
  delete stream;
}

inflater::inflater(deflate_side side) : side_(side), stream_(new z_stream{}) {
  if (inflateInit2(stream_.get(), -side.window_bits) != Z_OK) throw std::runtime_error("inflateInit2 failed");
}

std::optional<std::string> inflater::inflate(std::string_view payload) {
  if (side_.no_context_takeover) inflateReset(stream_.get());
  const std::string in = std::string(payload).append(flush_marker);
  std::string out(std::max<std::size_t>(4 * in.size(), 1024), '\0');
  std::size_t size = 0;
  stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  stream_->avail_in = static_cast<uInt>(in.size());
  while (true) {
    stream_->next_out = reinterpret_cast<Bytef*>(out.data() + size);
    stream_->avail_out = static_cast<uInt>(out.size() - size);
    const int status = ::inflate(stream_.get(), Z_SYNC_FLUSH);
    size = out.size() - stream_->avail_out;
    if (status != Z_OK && status != Z_BUF_ERROR) return std::nullopt;
    if (stream_->avail_out != 0) break;
    out.resize(2 * out.size());
  }
  if (stream_->avail_in != 0) return std::nullopt;
  out.resize(size);
  return out;
}

}  // namespace conformance

#ifndef FAIRLEAD_TESTS_CONFORMANCE_DEFLATE_HPP
#define FAIRLEAD_TESTS_CONFORMANCE_DEFLATE_HPP

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct z_stream_s;

// permessage-deflate (RFC 7692) as the tester speaks it, on zlib alone.
namespace conformance {

/// What the tester asks of the peer's compressor: as a client in its offer, as a server in its response.
struct deflate_wish {
  bool no_context_takeover = false;
  int max_window_bits = 0;  ///< 9 to 15; 0 asks for nothing.
};

/// What was agreed about one direction.
struct deflate_side {
  bool no_context_takeover = false;
  int window_bits = 15;
};

struct deflate_agreement {
  deflate_side server;  ///< How the server compresses.
  deflate_side client;
};

/// One element of a Sec-WebSocket-Extensions field.
struct extension {
  std::string name;
  std::map<std::string, std::string> parameters;
};

std::vector<extension> parse_extensions(std::string_view field);

/// The offer of a client that wants one of `wishes`, the preferred one first, and will do what the server
/// asks of it.
std::string deflate_offer(const std::vector<deflate_wish>& wishes);

/// What a server's answer to deflate_offer() means; nothing when it declined. Throws std::runtime_error for
/// an answer that the offer does not allow.
std::optional<deflate_agreement> read_deflate_answer(std::string_view field,
                                                     const std::vector<deflate_wish>& wishes);

struct deflate_answer {
  std::string field;
  deflate_agreement agreement;
};

/// The answer of a server that asks the client for the first of `wishes` that its offer allows; nothing when
/// there is none.
std::optional<deflate_answer> answer_deflate_offer(std::string_view field,
                                                   const std::vector<deflate_wish>& wishes);

/// Compresses messages of one direction.
class deflater {
 public:
  explicit deflater(deflate_side side);

  /// Not for empty messages, for which a flush writes nothing.
  std::string compress(std::string_view message);

 private:
  struct closer {
    void operator()(z_stream_s* stream) const;
  };
  deflate_side side_;
  std::unique_ptr<z_stream_s, closer> stream_;
};

/// Inflates messages of one direction, and no more leniently than was agreed: what refers further back than
/// the window or, without context takeover, before the message, is an error.
class inflater {
 public:
  explicit inflater(deflate_side side);
  std::optional<std::string> inflate(std::string_view payload);

 private:
  struct closer {
    void operator()(z_stream_s* stream) const;
  };
  deflate_side side_;
  std::unique_ptr<z_stream_s, closer> stream_;
};

}  // namespace conformance

#endif

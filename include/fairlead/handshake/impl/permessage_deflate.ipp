#ifndef FAIRLEAD_HANDSHAKE_IMPL_PERMESSAGE_DEFLATE_IPP
#define FAIRLEAD_HANDSHAKE_IMPL_PERMESSAGE_DEFLATE_IPP

#include <fairlead/handshake/permessage_deflate.hpp>

#include <algorithm>
#include <cassert>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {
namespace detail {

// RFC 7692 section 7. Names and values depend on case: nobody writes them otherwise.
inline constexpr std::string_view deflate_name = "permessage-deflate";
inline constexpr std::string_view server_takeover_param = "server_no_context_takeover";
inline constexpr std::string_view client_takeover_param = "client_no_context_takeover";
inline constexpr std::string_view server_window_param = "server_max_window_bits";
inline constexpr std::string_view client_window_param = "client_max_window_bits";

/// The parameters of one permessage-deflate, as an offer or a response has them.
struct deflate_terms {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  bool names_client_window = false;           ///< client_max_window_bits is there, with a value or without.
  std::optional<std::uint8_t> server_window;  ///< Of server_max_window_bits.
  std::optional<std::uint8_t> client_window;  ///< Of client_max_window_bits.
};

/// RFC 7692 section 7.1.2.1: "a decimal integer value without leading zeroes between 8 to 15
/// inclusive".
constexpr std::optional<std::uint8_t> window_bits(std::string_view text) noexcept {
  if (text == "8") return std::uint8_t{8};
  if (text == "9") return std::uint8_t{9};
  if (text.size() != 2 || text[0] != '1' || text[1] < '0' || text[1] > '5') return std::nullopt;
  return static_cast<std::uint8_t>(10 + (text[1] - '0'));
}

inline bool read_takeover(const extension_param& param, bool& is_there) noexcept {
  if (is_there || param.value) return false;
  is_there = true;
  return true;
}

inline bool read_window(const extension_param& param, std::optional<std::uint8_t>& window) noexcept {
  if (window || !param.value) return false;
  window = window_bits(*param.value);
  return window.has_value();
}

inline bool read_client_window(const extension_param& param, deflate_terms& terms) noexcept {
  if (terms.names_client_window) return false;
  terms.names_client_window = true;
  return !param.value || read_window(param, terms.client_window);
}

/// RFC 7692 section 7: "A server MUST decline an extension negotiation offer for this extension if any of the
/// following conditions are met: The negotiation offer contains an extension parameter not defined for use in
/// an offer. [...] with an invalid value. [...] multiple extension parameters with the same name." A client
/// MUST fail the connection for the same in a response. So neither gets any terms here.
inline std::optional<deflate_terms> read_deflate_terms(const extension& element) noexcept {
  deflate_terms terms;
  const auto read = [&terms](const extension_param& param) {
    if (param.name == server_takeover_param) return read_takeover(param, terms.server_no_context_takeover);
    if (param.name == client_takeover_param) return read_takeover(param, terms.client_no_context_takeover);
    if (param.name == server_window_param) return read_window(param, terms.server_window);
    if (param.name == client_window_param) return read_client_window(param, terms);
    return false;
  };
  if (element.name != deflate_name || !std::all_of(element.params.begin(), element.params.end(), read)) {
    return std::nullopt;
  }
  return terms;
}

/// What a server with `options` makes of an offer; nothing if it declines.
inline std::optional<deflate_params> accept_terms(const deflate_terms& offer,
                                                  const deflate_options& options) noexcept {
  deflate_params agreed;
  agreed.server_no_context_takeover = offer.server_no_context_takeover || !options.send_takeover;
  agreed.client_no_context_takeover = offer.client_no_context_takeover || !options.receive_takeover;
  agreed.server_max_window_bits =
      std::min(offer.server_window.value_or(max_window_bits), options.send_window_bits);
  // RFC 7692 section 7.1.2.2: "If a received extension negotiation offer doesn't have the
  // "client_max_window_bits" extension parameter, the corresponding extension negotiation response to the
  // offer MUST NOT include the "client_max_window_bits" extension parameter."
  if (offer.names_client_window) {
    agreed.client_max_window_bits = std::min(offer.client_window.value_or(max_window_bits),
                                             std::max(options.receive_window_bits, min_send_window_bits));
  }
  const bool we_can_keep_to_it = agreed.server_max_window_bits >= min_send_window_bits;
  const bool memory_is_bounded =
      agreed.client_no_context_takeover || agreed.client_max_window_bits <= options.receive_window_bits;
  if (!we_can_keep_to_it || !memory_is_bounded) return std::nullopt;
  return agreed;
}

inline void append_param(std::string& element, std::string_view name) { element.append("; ").append(name); }

inline void append_param(std::string& element, std::string_view name, unsigned value) {
  element.append("; ").append(name).append("=").append(std::to_string(value));
}

inline std::string encode_response(const deflate_params& agreed, const deflate_terms& offer) {
  std::string element(deflate_name);
  if (agreed.server_no_context_takeover) append_param(element, server_takeover_param);
  if (agreed.client_no_context_takeover) append_param(element, client_takeover_param);
  // RFC 7692 section 7.1.2.1: "A server accepts an extension negotiation offer with this parameter by
  // including the "server_max_window_bits" extension parameter in the extension negotiation response to send
  // back to the client with the same or smaller value as the offer." So the largest must be said if it was
  // offered; else, and for the client, its absence says it.
  if (offer.server_window || agreed.server_max_window_bits < max_window_bits) {
    append_param(element, server_window_param, agreed.server_max_window_bits);
  }
  if (agreed.client_max_window_bits < max_window_bits) {
    append_param(element, client_window_param, agreed.client_max_window_bits);
  }
  return element;
}

/// Says whether offer_deflate() has an element with the server's window limited, which zlib can keep to.
constexpr bool limits_server_window(const deflate_options& options) noexcept {
  return options.receive_window_bits >= min_send_window_bits && options.receive_window_bits < max_window_bits;
}

/// One element of a client's offers. Where it does not limit the server's window though the options do, it
/// demands that the server takes nothing over.
inline void append_offer(std::string& offers, const deflate_options& options, bool limits_window) {
  const bool bounds_memory = limits_window || options.receive_window_bits == max_window_bits;
  if (!offers.empty()) offers.append(", ");
  offers.append(deflate_name);
  if (!options.receive_takeover || !bounds_memory) append_param(offers, server_takeover_param);
  if (!options.send_takeover) append_param(offers, client_takeover_param);
  if (limits_window) append_param(offers, server_window_param, options.receive_window_bits);
  if (options.send_window_bits < max_window_bits) {
    append_param(offers, client_window_param, options.send_window_bits);
  } else {
    append_param(offers, client_window_param);
  }
}

/// Says whether a response accepts one of the elements of offer_deflate(), and whether we can keep to it.
inline bool answers_offer(const deflate_terms& response, const deflate_options& options) noexcept {
  // RFC 7692 section 7.1.2.2: in a response the parameter has a value, "equal to or smaller than the received
  // value". We always offer it, so it may be there.
  const int client_window = response.client_window.value_or(0);
  if (response.names_client_window &&
      (client_window < min_send_window_bits || client_window > options.send_window_bits)) {
    return false;
  }
  // Every element allows that, and the one without a limit any window with it.
  if (response.server_no_context_takeover) return true;
  if (!options.receive_takeover || options.receive_window_bits < min_send_window_bits) return false;
  return response.server_window.value_or(max_window_bits) <= options.receive_window_bits;
}

}  // namespace detail

FAIRLEAD_DECL std::optional<accepted_deflate> accept_deflate(std::span<const extension> offers,
                                                             const deflate_options& options) {
  assert(is_valid(options));
  if (!options.enabled) return std::nullopt;
  for (const extension& element : offers) {
    const std::optional<detail::deflate_terms> offer = detail::read_deflate_terms(element);
    if (!offer) continue;
    const std::optional<deflate_params> agreed = detail::accept_terms(*offer, options);
    if (agreed) return accepted_deflate{*agreed, detail::encode_response(*agreed, *offer)};
  }
  return std::nullopt;
}

FAIRLEAD_DECL std::string offer_deflate(const deflate_options& options) {
  assert(is_valid(options));
  std::string offers;
  if (!options.enabled) return offers;
  if (detail::limits_server_window(options)) detail::append_offer(offers, options, true);
  detail::append_offer(offers, options, false);
  return offers;
}

FAIRLEAD_DECL deflate_agreement check_deflate_response(std::span<const extension> response,
                                                       const deflate_options& options) {
  assert(is_valid(options));
  if (response.empty()) return {};
  // RFC 6455 section 4.1: "If the response includes a |Sec-WebSocket-Extensions| header field and this header
  // field indicates the use of an extension that was not present in the client's handshake (the server has
  // indicated an extension not requested by the client), the client MUST _Fail the WebSocket Connection_."
  if (!options.enabled || response.size() > 1) return {errc::bad_extension_response, std::nullopt};
  // RFC 7692 section 7: "A client MUST _Fail the WebSocket Connection_ if the peer server accepted an
  // extension negotiation offer for this extension with an extension negotiation response meeting any of the
  // following conditions", of which the last is: "The client does not support the configuration that the
  // response represents."
  const std::optional<detail::deflate_terms> terms = detail::read_deflate_terms(response.front());
  if (!terms || !detail::answers_offer(*terms, options)) return {errc::bad_extension_response, std::nullopt};
  return {errc::ok, deflate_params{terms->server_no_context_takeover, terms->client_no_context_takeover,
                                   terms->server_window.value_or(max_window_bits),
                                   terms->client_window.value_or(max_window_bits)}};
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

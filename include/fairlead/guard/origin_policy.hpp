#ifndef FAIRLEAD_GUARD_ORIGIN_POLICY_HPP
#define FAIRLEAD_GUARD_ORIGIN_POLICY_HPP

#include <fairlead/config.hpp>
#include <fairlead/guard/detail/origin.hpp>
#include <fairlead/handshake/request.hpp>

#include <string>
#include <string_view>

namespace fairlead::inline FAIRLEAD_ABI {

/// What origin_policy thinks of an upgrade. All but `allowed` are answered with 403.
enum class origin_verdict : unsigned char {
  allowed,
  missing,    ///< No Origin field, and the policy demands one.
  several,    ///< More than one Origin field.
  malformed,  ///< What stands there is no origin, or longer than any is.
  foreign,    ///< The origin is neither the server's own nor allowed.
};

/// Which pages may open a WebSocket (RFC 6455 sections 4.2.2 and 10.2). Browsers let any page connect to any
/// server, send the server's cookies with the upgrade, and say in Origin whose page it is: a server that does not
/// compare it serves every page that its users visit.
///
/// By default the server's own pages may: those whose scheme, host and port are the ones under which the request
/// came. So may whoever sends no Origin, since browsers always do. The case of names, the dot at their end and a
/// port that is the scheme's own make no difference.
///
/// A value: copy it, and give each route its own. Readable from any thread while nobody changes it.
class origin_policy {
 public:
  /// Same origin only.
  origin_policy() = default;

  /// Pages of every origin may connect. Only for servers that give nothing to a browser because of its cookies,
  /// its network or its certificate.
  static origin_policy allow_any_origin() {
    origin_policy any;
    any.allows_any_ = true;
    return any;
  }

  /// Allows pages of one more origin: `https://app.example.com`, `http://localhost:3000`; or of all names one label
  /// below another: `https://*.example.com` allows `https://a.example.com`, neither `https://example.com` nor
  /// `https://a.b.example.com`; or `null`, which pages in sandboxes and files send, anybody's. Names beyond ASCII
  /// are written as `xn--`. Throws std::invalid_argument, which names the text, for what is no origin.
  origin_policy& allow(std::string_view origin) {
    list_.add(origin);
    return *this;
  }

  /// Refuses requests without Origin, so all but browsers.
  origin_policy& require_origin() noexcept {
    requires_origin_ = true;
    return *this;
  }

  /// Allows only what allow() names, not what the Host field says. A page that makes its own name point at this
  /// server is of the same origin (DNS rebinding): matters where being in the network is what gives access.
  origin_policy& listed_only() noexcept {
    listed_only_ = true;
    return *this;
  }

  /// \param secure  Whether the client came over TLS, to us or to our proxy: see client_side.
  FAIRLEAD_DECL origin_verdict check(const request& head, bool secure) const;

  /// Why check() refused, as a sentence for the answer's body: printable ASCII, under 1 KiB. What the peer sent is in
  /// it only where it was found to be an origin. Empty for `allowed`.
  FAIRLEAD_DECL static std::string explain(origin_verdict verdict, const request& head, bool secure);

 private:
  detail::origin_list list_;
  bool allows_any_ = false;
  bool requires_origin_ = false;
  bool listed_only_ = false;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/guard/impl/origin_policy.ipp>
#endif

#endif

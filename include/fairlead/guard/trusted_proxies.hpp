#ifndef FAIRLEAD_GUARD_TRUSTED_PROXIES_HPP
#define FAIRLEAD_GUARD_TRUSTED_PROXIES_HPP

#include <fairlead/config.hpp>
#include <fairlead/guard/ip_network.hpp>
#include <fairlead/handshake/http_field.hpp>
#include <fairlead/peer_address.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace fairlead::inline FAIRLEAD_ABI {

/// The one field in which proxies say whom they speak for.
enum class forwarded_header : unsigned char {
  x_forwarded_for,  ///< With X-Forwarded-Proto.
  forwarded,        ///< RFC 7239, `for` and `proto`.
  x_real_ip,        ///< One address, with X-Forwarded-Proto.
};

/// The other end of a request, behind whatever proxies there are.
struct client_side {
  peer_address address;  ///< Port 0 where no proxy names it.
  bool secure = false;   ///< It reached us, or the first proxy, over TLS.

  friend bool operator==(const client_side&, const client_side&) = default;
};

/// Whom to believe when a request says that it comes from somebody else. By default nobody: the fields count
/// for nothing then, since any client can send them.
///
/// Name the proxies that you run and the one field that they set. They must append to that field, or replace
/// it, and replace X-Forwarded-Proto: what a proxy passes on as the client sent it, no reader can tell from its
/// own words. Readable from any thread while nobody changes it.
class trusted_proxies {
 public:
  /// How many addresses of a request are looked at; those further left are not believed.
  static constexpr std::size_t max_hops = 16;

  /// Trusts nobody yet.
  explicit trusted_proxies(forwarded_header header = forwarded_header::x_forwarded_for) noexcept
      : header_(header) {}

  /// Trusts all addresses of the block, such as `10.0.0.0/8` or `::1`. Throws std::invalid_argument, which names
  /// the text, for what is none.
  FAIRLEAD_DECL trusted_proxies& trust(std::string_view network);

  /// Trusts peers on a local socket, where only processes of this machine are.
  trusted_proxies& trust_local_sockets() noexcept {
    trusts_local_sockets_ = true;
    return *this;
  }

  FAIRLEAD_DECL bool trusts(const peer_address& address) const noexcept;

  /// Whose request it is. From the peer on, as long as an address is trusted, the next to the left in the list
  /// is believed; the first that is not trusted is the client. Several fields of one name are one list.
  ///
  /// What is no address (`unknown`, a made-up identifier, junk, nothing) ends the search: the client is then
  /// whoever said so. A Forwarded field that breaks the grammar, or X-Real-IP twice, is not believed at all.
  ///
  /// The client is secure when the one who spoke to it says so: in Forwarded `proto` beside its address, else
  /// every value of X-Forwarded-Proto, with `wss` as good as `https`; where nobody says, when the peer is.
  ///
  /// \param peer    Who is connected to us.
  /// \param secure  Whether that connection is TLS.
  /// \param fields  Of the request.
  FAIRLEAD_DECL client_side client_of(const peer_address& peer, bool secure,
                                      std::span<const http_field> fields) const noexcept;

 private:
  FAIRLEAD_DECL bool believe(std::string_view text, client_side& client) const noexcept;
  FAIRLEAD_DECL void follow_list(std::span<const http_field> fields, client_side& client) const noexcept;
  FAIRLEAD_DECL void follow_forwarded(std::span<const http_field> fields, client_side& client) const noexcept;

  std::vector<ip_network> networks_;
  forwarded_header header_;
  bool trusts_local_sockets_ = false;
};

}  // namespace fairlead::inline FAIRLEAD_ABI

#if !defined(FAIRLEAD_SEPARATE_COMPILATION)
#include <fairlead/guard/impl/trusted_proxies.ipp>
#endif

#endif

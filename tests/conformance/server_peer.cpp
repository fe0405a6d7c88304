#include "bytewise_link.hpp"
#include "link_peer.hpp"

#include <fairlead/net/link/memory_link.hpp>
#include <fairlead/net/link/tls_link.hpp>
#include <fairlead/net/server/server.hpp>

#include <support/certificates.hpp>

#include <utility>

namespace conformance {
namespace {

class server_peer final : public link_peer {
 public:
  server_peer(delivery d, bool with_tls) : server_(context_, options(with_tls)) {
    server_.route("/", echo(), raised_limits());
    auto [theirs, ours] = fairlead::make_memory_pair(context_.get_executor());
    if (d == delivery::bytewise) theirs = bytewise_link::make(std::move(theirs));
    server_.serve(std::move(theirs));
    if (with_tls) {
      ours = fairlead::make_tls_link(context_.get_executor(), std::move(ours),
                                     certificates::usual::instance().client(), "localhost", 1);
    }
    start(std::move(ours));
    run();  // TLS takes bytes only after its handshake
  }

  bool is_gone() const override { return server_.connection_count() == 0; }

 private:
  static fairlead::server_options options(bool with_tls) {
    fairlead::server_options o;
    if (with_tls) o.tls = certificates::usual::instance().server();
    return o;
  }

  fairlead::server server_;
};

}  // namespace

peer_kind fairlead_server() {
  return {side::server, "", [](delivery d) { return std::make_unique<server_peer>(d, false); }};
}

peer_kind fairlead_server_over_tls() {
  return {side::server, "over TLS", [](delivery d) { return std::make_unique<server_peer>(d, true); }};
}

}  // namespace conformance

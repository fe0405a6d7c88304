#include <fairlead/guard/impl/forwarded.ipp>
#include <fairlead/guard/impl/ip_network.ipp>
#include <fairlead/guard/impl/origin.ipp>
#include <fairlead/guard/impl/origin_policy.ipp>
#include <fairlead/guard/impl/proxy_protocol.ipp>
#include <fairlead/guard/impl/sliding_window.ipp>
#include <fairlead/guard/impl/token_bucket.ipp>
#include <fairlead/guard/impl/trusted_proxies.ipp>

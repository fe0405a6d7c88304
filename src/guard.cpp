#include <fairlead/guard/impl/auth_message.ipp>
#include <fairlead/guard/impl/equal_secrets.ipp>
#include <fairlead/guard/impl/ip_network.ipp>
#include <fairlead/guard/impl/sliding_window.ipp>
#include <fairlead/guard/impl/token_bucket.ipp>

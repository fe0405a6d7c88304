#ifndef FAIRLEAD_HPP
#define FAIRLEAD_HPP

/// All of fairlead but the links that only a driver of its own needs.
#include <fairlead/guard/address_limits.hpp>
#include <fairlead/guard/cors_policy.hpp>
#include <fairlead/guard/equal_secrets.hpp>
#include <fairlead/guard/origin_policy.hpp>
#include <fairlead/guard/proxy_protocol.hpp>
#include <fairlead/guard/sliding_window.hpp>
#include <fairlead/guard/token_bucket.hpp>
#include <fairlead/guard/trusted_proxies.hpp>
#include <fairlead/net/client/client.hpp>
#include <fairlead/net/server/admission_checks.hpp>
#include <fairlead/net/server/inherited_sockets.hpp>
#include <fairlead/net/server/server.hpp>
#include <fairlead/net/session/session.hpp>
#include <fairlead/net/session/session_group.hpp>
#include <fairlead/net/session/shared_context.hpp>
#include <fairlead/version.hpp>

#endif

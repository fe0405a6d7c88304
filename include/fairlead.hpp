#ifndef FAIRLEAD_HPP
#define FAIRLEAD_HPP

/// All of fairlead but the links that only a driver of its own needs.
#include <fairlead/guard/equal_secrets.hpp>
#include <fairlead/net/client/client.hpp>
#include <fairlead/net/server/server.hpp>
#include <fairlead/net/session/session.hpp>
#include <fairlead/version.hpp>

#endif

#ifndef FAIRLEAD_HPP
#define FAIRLEAD_HPP

/// All of fairlead but the links that only a driver of its own needs.
#include <fairlead/net/client.hpp>
#include <fairlead/net/server.hpp>
#include <fairlead/net/session.hpp>
#include <fairlead/version.hpp>

#endif

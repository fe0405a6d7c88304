#ifndef FAIRLEAD_NET_IMPL_ASIO_CONFIGURATION_IPP
#define FAIRLEAD_NET_IMPL_ASIO_CONFIGURATION_IPP

#include <fairlead/net/detail/asio_configuration.hpp>

#define FAIRLEAD_QUOTED(name) #name
#define FAIRLEAD_SYMBOL_HERE(name) ".globl " FAIRLEAD_QUOTED(name) "\n" FAIRLEAD_QUOTED(name) ":"

// The linker keeps one copy of an inline function, and with it what is defined inside. So the program has the
// symbol of one unit's configuration, and the reference in a unit with another finds none. Never called. That
// the label is inside the function, and not in an asm statement of its own, is what makes it right with -flto
// too: there the copies are merged before the assembler sees them.
extern "C" [[gnu::used]] inline void fairlead_asio_configuration() {
  __asm__(FAIRLEAD_SYMBOL_HERE(FAIRLEAD_ASIO_CONFIGURATION));
}

#undef FAIRLEAD_SYMBOL_HERE
#undef FAIRLEAD_QUOTED

#endif

// Read by the layering test alone, which must refuse it: wire may not know protocol.
#include <fairlead/protocol/connection.hpp>

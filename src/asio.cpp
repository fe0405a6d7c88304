// Asio's own sources, once: FAIRLEAD_ASIO=compiled.
#include <asio/impl/src.hpp>

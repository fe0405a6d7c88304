#include <fairlead/protocol/impl/connection.ipp>
#include <fairlead/protocol/impl/output_queue.ipp>

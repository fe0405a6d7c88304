#include <fairlead/impl/errc.ipp>
#include <fairlead/impl/json_writer.ipp>
#include <fairlead/impl/peer_address.ipp>
#include <fairlead/impl/shared_bytes.ipp>

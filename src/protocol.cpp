#include <fairlead/protocol/impl/compression_workspace.ipp>
#include <fairlead/protocol/impl/connection.ipp>
#include <fairlead/protocol/impl/message_compression.ipp>
#include <fairlead/protocol/impl/output_queue.ipp>
#include <fairlead/protocol/impl/whole_deflater.ipp>
#include <fairlead/protocol/impl/zlib_stream.ipp>

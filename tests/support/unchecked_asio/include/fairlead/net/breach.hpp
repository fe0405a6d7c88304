// Includes Asio, and not the check of its configuration: tests/layering.cmake has to notice.
#include <asio/io_context.hpp>

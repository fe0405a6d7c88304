#include <fairlead/net/link/memory_link.hpp>

#include <asio/io_context.hpp>

bool second_makes_a_pair() {
  asio::io_context context;
  const auto links = fairlead::make_memory_pair(context.get_executor());
  return links.second != nullptr;
}

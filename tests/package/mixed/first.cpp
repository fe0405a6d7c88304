// One of two units, whose macros the tests choose.
#include <fairlead/net/link/memory_link.hpp>

#include <asio/io_context.hpp>

bool second_makes_a_pair();

int main() {
  asio::io_context context;
  const auto links = fairlead::make_memory_pair(context.get_executor());
  return links.first != nullptr && second_makes_a_pair() ? 0 : 1;
}

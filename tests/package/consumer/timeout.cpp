#include <fairlead/net/link/memory_link.hpp>
#include <fairlead/net/server/server.hpp>
#include <fairlead/testing/fault_link.hpp>
#include <fairlead/testing/virtual_clock.hpp>

#include <chrono>
#include <memory>

bool timeout_is_met() {
  asio::io_context context;
  fairlead::virtual_clock time(context);
  fairlead::server server(context);
  const auto plan = std::make_shared<fairlead::fault_plan>();
  auto [ours, servers] = fairlead::make_memory_pair(context.get_executor());
  server.serve(fairlead::make_fault_link(context, std::move(servers), plan));
  plan->stall();
  time.advance(std::chrono::seconds(10));
  const bool waits = server.connection_count() == 1;
  time.advance(fairlead::virtual_clock::resolution);
  return waits && server.connection_count() == 0;
}

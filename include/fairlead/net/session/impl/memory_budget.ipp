#ifndef FAIRLEAD_NET_SESSION_IMPL_MEMORY_BUDGET_IPP
#define FAIRLEAD_NET_SESSION_IMPL_MEMORY_BUDGET_IPP

#include <fairlead/net/session/memory_budget.hpp>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL const std::shared_ptr<memory_budget>& memory_budget::of_process() {
  static const auto instance = std::make_shared<memory_budget>();
  return instance;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

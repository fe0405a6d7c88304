#ifndef FAIRLEAD_PROTOCOL_IMPL_COMPRESSION_WORKSPACE_IPP
#define FAIRLEAD_PROTOCOL_IMPL_COMPRESSION_WORKSPACE_IPP

#include <fairlead/protocol/compression_workspace.hpp>

#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {

// A server has one or two sets of parameters, so a list is searched fastest.
FAIRLEAD_DECL detail::deflater& compression_workspace::deflater_for(std::uint8_t window_bits, int level,
                                                                    int memory_level) {
  for (const shared_deflater& shared : deflaters_) {
    if (shared.window_bits == window_bits && shared.level == level && shared.memory_level == memory_level) {
      return *shared.deflater;
    }
  }
  auto made = std::make_unique<detail::deflater>(window_bits, level, memory_level, memory_size_);
  deflaters_.push_back({window_bits, level, memory_level, std::move(made)});
  return *deflaters_.back().deflater;
}

FAIRLEAD_DECL detail::whole_deflater& compression_workspace::whole_deflater_for(int level) {
  auto& shared = whole_deflaters_[static_cast<std::size_t>(level - 1)];
  if (shared == nullptr) shared = detail::whole_deflater::make(level, memory_size_);
  return *shared;
}

FAIRLEAD_DECL std::unique_ptr<detail::inflater> compression_workspace::take_inflater() {
  if (idle_inflaters_.empty()) {
    idle_inflaters_.reserve(max_idle_inflaters);
    return std::make_unique<detail::inflater>(max_window_bits,
                                              memory_size_);  // reads every smaller window too
  }
  auto taken = std::move(idle_inflaters_.back());
  idle_inflaters_.pop_back();
  return taken;
}

FAIRLEAD_DECL void compression_workspace::give_back(std::unique_ptr<detail::inflater> used) noexcept {
  used->reset();
  if (idle_inflaters_.size() < max_idle_inflaters) idle_inflaters_.push_back(std::move(used));
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

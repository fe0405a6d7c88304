#ifndef FAIRLEAD_PROTOCOL_IMPL_OUTPUT_QUEUE_IPP
#define FAIRLEAD_PROTOCOL_IMPL_OUTPUT_QUEUE_IPP

#include <fairlead/protocol/output_queue.hpp>

#include <cassert>
#include <utility>

namespace fairlead::inline FAIRLEAD_ABI {

FAIRLEAD_DECL output_workspace::output_workspace() : scratch_(new std::byte[scratch_size]) {
  segments_.reserve(64);
  gather_.reserve(64);
}

FAIRLEAD_DECL output_queue::~output_queue() {
  if (!attached_) return;
  workspace_->segments_.clear();
  workspace_->scratch_used_ = 0;
  workspace_->in_use_ = false;
}

FAIRLEAD_DECL void output_queue::attach() {
  if (attached_) return;
  assert(!workspace_->in_use_ && "one connection of a workspace at a time: settle() the other first");
  attached_ = workspace_->in_use_ = true;
  if (backlog_ == nullptr) return;
  for (shared_bytes& bytes : *backlog_) {
    const std::span<const std::byte> view = bytes;
    workspace_->segments_.push_back({view, std::move(bytes)});
  }
  backlog_.reset();
}

FAIRLEAD_DECL std::span<std::byte> output_queue::append(std::size_t n) {
  attach();
  size_ += n;
  auto& w = *workspace_;
  if (n > output_workspace::scratch_size - w.scratch_used_) {
    // Control frames behind a full quantum, and what follows a quantum that the link took in part: the room
    // in front is free again once all is taken.
    growing_bytes own;
    own.reserve(n);
    own.commit(n);
    const std::span<std::byte> bytes = own.bytes();
    w.segments_.push_back({bytes, own.freeze()});
    return bytes;
  }
  const std::span<std::byte> bytes{w.scratch_.get() + w.scratch_used_, n};
  w.scratch_used_ += n;
  if (!w.segments_.empty()) {
    auto& last = w.segments_.back().bytes;
    if (last.data() + last.size() == bytes.data() && w.segments_.back().owner.data() == nullptr) {
      last = {last.data(), last.size() + n};
      return bytes;
    }
  }
  w.segments_.push_back({bytes, {}});
  return bytes;
}

FAIRLEAD_DECL void output_queue::append_shared(shared_bytes bytes) {
  attach();
  size_ += bytes.size();
  const std::span<const std::byte> view = bytes;
  workspace_->segments_.push_back({view, std::move(bytes)});
}

FAIRLEAD_DECL void output_queue::append_lent(std::span<const std::byte> bytes) {
  attach();
  size_ += bytes.size();
  workspace_->segments_.push_back({bytes, {}});
}

FAIRLEAD_DECL std::span<const std::span<const std::byte>> output_queue::output() {
  if (size_ == 0) return {};
  attach();
  auto& gather = workspace_->gather_;
  gather.clear();
  for (const auto& segment : workspace_->segments_) gather.push_back(segment.bytes);
  return gather;
}

FAIRLEAD_DECL void output_queue::consume(std::size_t n) {
  assert(n <= size_);
  if (n == 0) return;
  attach();
  auto& w = *workspace_;
  size_ -= n;
  if (size_ == 0) {
    front_written_ = 0;
    w.segments_.clear();
    w.scratch_used_ = 0;
    return;
  }
  auto segment = w.segments_.begin();
  while (n >= segment->bytes.size()) {
    n -= segment->bytes.size();
    ++segment;
    front_written_ = 0;
  }
  if (segment->owner.data() != nullptr) front_written_ += n;
  segment->bytes = segment->bytes.subspan(n);
  w.segments_.erase(w.segments_.begin(), segment);
}

FAIRLEAD_DECL void output_queue::settle() {
  auto& w = *workspace_;
  if (!attached_) return;
  if (size_ != 0) {
    backlog_ = std::make_unique<std::vector<shared_bytes>>();
    growing_bytes copies;
    for (auto& segment : w.segments_) {
      if (segment.owner.data() == nullptr) {
        copies.append(segment.bytes);
        continue;
      }
      if (!copies.empty()) backlog_->push_back(copies.freeze());
      segment.owner.remove_prefix(segment.owner.size() - segment.bytes.size());
      backlog_->push_back(std::move(segment.owner));
    }
    if (!copies.empty()) backlog_->push_back(copies.freeze());
  }
  w.segments_.clear();
  w.scratch_used_ = 0;
  attached_ = w.in_use_ = false;
}

}  // namespace fairlead::inline FAIRLEAD_ABI

#endif

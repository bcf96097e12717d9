// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/locks.h"

#include <algorithm>

namespace mcv {

std::optional<OperationId> Locks::blocker(const OperationId& operation, const std::vector<LockNeed>& needs) const {
  for (const LockNeed& need : needs) {
    const auto found = holders_.find(need.object);
    if (found == holders_.end()) continue;
    for (const Hold& hold : found->second) {
      if (hold.operation != operation && !(hold.shared && need.shared)) return hold.operation;
    }
  }
  return std::nullopt;
}

std::optional<OperationId> Locks::try_take(const OperationId& operation, const std::vector<LockNeed>& needs) {
  if (auto in_the_way = blocker(operation, needs)) return in_the_way;
  for (const LockNeed& need : needs) holders_[need.object].push_back(Hold{operation, need.shared});
  return std::nullopt;
}

void Locks::release(const OperationId& operation) {
  for (auto object = holders_.begin(); object != holders_.end();) {
    std::erase_if(object->second, [&](const Hold& hold) { return hold.operation == operation; });
    object = object->second.empty() ? holders_.erase(object) : std::next(object);
  }
}

bool conflict(const std::vector<LockNeed>& one, const std::vector<LockNeed>& other) {
  return std::any_of(one.begin(), one.end(), [&](const LockNeed& a) {
    return std::any_of(other.begin(), other.end(), [&](const LockNeed& b) { return a.object == b.object && !(a.shared && b.shared); });
  });
}

}  // namespace mcv

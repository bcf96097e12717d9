// SPDX-License-Identifier: Apache-2.0
// What each operation keeps others from touching. All or nothing: who waits holds nothing, so nobody waits in a circle;
// there is no global queue, operations on different objects never meet.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/names.h"
#include "cluster/plan/plan.h"

namespace mcv {

class Locks {
 public:
  /// Takes all or none; the operation that is in the way, or nothing when it has them now.
  std::optional<OperationId> try_take(const OperationId& operation, const std::vector<LockNeed>& needs);
  /// Who would be in the way, without taking anything.
  std::optional<OperationId> blocker(const OperationId& operation, const std::vector<LockNeed>& needs) const;
  /// Harmless when it holds none.
  void release(const OperationId& operation);
  bool empty() const { return holders_.empty(); }

 private:
  struct Hold {
    OperationId operation;
    bool shared = false;
  };
  std::map<std::string, std::vector<Hold>> holders_;
};

/// Whether both cannot hold theirs at once.
bool conflict(const std::vector<LockNeed>& one, const std::vector<LockNeed>& other);

}  // namespace mcv

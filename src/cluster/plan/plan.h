// SPDX-License-Identifier: Apache-2.0
// What an operation will do, decided before it begins: so specific that execution has no choice left to make.
#pragma once

#include <string>
#include <vector>

#include "cluster/core/json.h"
#include "cluster/core/names.h"
#include "cluster/core/result.h"

namespace mcv {

struct PlannedStep {
  std::string action;       ///< a name of the ActionTable
  NodeName node;            ///< where it runs
  Json params = Json::object();
  bool commits = false;     ///< the point of no return: before it failures undo, after it they are retried
  std::string text;         ///< for people: "create the logical volume mcv-vm1-0 (256 MiB)"

  friend bool operator==(const PlannedStep&, const PlannedStep&) = default;
};

/// What an operation keeps others from touching meanwhile: "vm/vm1", "cluster". Shared ones exclude only exclusive ones.
struct LockNeed {
  std::string object;
  bool shared = false;
  friend bool operator==(const LockNeed&, const LockNeed&) = default;
};

struct Plan {
  OperationId id;           ///< given by Operations::submit
  std::string kind;         ///< "vm-create"
  std::string object;       ///< "vm/vm1"; for people and, unless `locks` says otherwise, the one exclusive lock
  std::string summary;      ///< "create vm1"
  std::vector<PlannedStep> steps;
  std::vector<LockNeed> locks;
  std::string asked_by = {}; ///< the account that began it, root too; empty for what the daemons do themselves

  std::vector<LockNeed> lock_needs() const;
  /// No step, two committing steps, an empty action or node: a planner's defect, found before anything is journaled.
  Status check() const;

  Json to_json() const;
  static Result<Plan> from_json(const Json& json);
  friend bool operator==(const Plan&, const Plan&) = default;
};

/// One line per step: "1. A  create the logical volume …"; the committing step is marked.
std::string to_text(const Plan& plan);
/// [{"step", "node", "text"} …], what ?dry_run=true answers.
Json dry_run_json(const Plan& plan);

}  // namespace mcv

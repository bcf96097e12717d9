// SPDX-License-Identifier: Apache-2.0
// Operations on two nodes with actions whose whole effect is a name in a set: cheap enough to crash at every step.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/plan/local_steps.h"
#include "cluster/plan/operations.h"
#include "engine/run.h"
#include "engine/sim_clock.h"
#include "world/sim_store.h"

namespace mcv::sim {

struct PlanFaults {
  unsigned run_error_percent = 0;      ///< an action fails, before or after its effect
  unsigned undo_error_percent = 0;
  unsigned unreachable_percent = 0;    ///< a call to the peer that never leaves
  unsigned lost_percent = 0;           ///< a call to the peer whose request or answer is lost
  unsigned duplicate_percent = 0;      ///< a lost request that arrives later all the same
  /// Exactly one planned failure: the step, and whether its effect happens first.
  std::optional<std::size_t> fail_step;
  bool fail_after_effect = false;
  /// Each run happens twice, as after a lost answer.
  bool repeat = false;
};

class PlanSim {
 public:
  PlanSim(std::uint64_t seed, PlanFaults faults);
  ~PlanSim();

  void boot(std::size_t node);
  void crash(std::size_t node);
  bool up(std::size_t node) const { return daemons_[node] != nullptr; }
  /// It has read its journals; false as well when that failed, which `violations()` then says.
  bool ready(std::size_t node);
  Operations& operations(std::size_t node);
  TaskGroup& clients(std::size_t node);
  Scheduler& scheduler() { return scheduler_; }
  PlanFaults& faults() { return faults_; }
  StoreDisk& disk(std::size_t node) { return disks_[node]; }

  /// `steps` steps alternating over the nodes; `commit` is the committing one, or none.
  static Plan plan(const std::string& object, std::size_t steps, std::optional<std::size_t> commit);
  std::set<std::string> effects_of(const std::string& object) const;
  /// Broken rules seen while running: two actions of one operation at once, an effect at an impossible time.
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  friend class SetAction;
  friend class PlanSimDispatcher;
  struct Daemon;

  Scheduler scheduler_;
  PlanFaults faults_;
  std::array<StoreDisk, 2> disks_;
  std::array<std::unique_ptr<Daemon>, 2> daemons_;
  std::set<std::string> effects_;
  std::map<std::string, int> in_flight_;
  std::vector<std::string> violations_;
};

}  // namespace mcv::sim

// SPDX-License-Identifier: Apache-2.0
// What the VMM of a guest was started with, as its run record says (hv/run_record.h). The configuration may have been changed since:
// what differs is pending until the guest is stopped and started again. Compared whenever it is asked for, so that no flag can
// outlive the difference.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/core/json.h"
#include "cluster/core/result.h"
#include "cluster/core/units.h"
#include "cluster/model/records.h"

namespace mcv {

/// Of a VM's attributes those a VMM is given once, at its start, and that can be changed afterwards.
struct StartedWith {
  std::uint32_t cpus = 0;
  Bytes memory;
  BootRecord boot;

  Json to_json() const;
  static Result<StartedWith> from_json(const Json& json);
  friend bool operator==(const StartedWith&, const StartedWith&) = default;
};

/// One attribute that the running guest does not have as it is configured.
struct PendingChange {
  std::string name;  ///< "cpus", "memory", "kernel", ...
  Json running;
  Json configured;
  friend bool operator==(const PendingChange&, const PendingChange&) = default;
};

/// In a fixed order; empty when the guest has what is configured.
std::vector<PendingChange> pending_until_restart(const VmRecord& configured, const StartedWith& running);

}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
// What mcv asked of a VMM, kept beside it: /run/mcv/runs/<vm>.json, root's, on tmpfs. tmpfs is right: a reboot of the node
// ends every VMM, so the record must not outlive it. It lets a restarted mcvd tell "stopped as asked" from "crashed".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cluster/core/json.h"
#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/model/observation.h"
#include "cluster/model/started_with.h"
#include "hv/hypervisor.h"

namespace mcv::hv {

enum class Wish { run, stop, kill };

struct RunRecord {
  std::string hypervisor;             ///< driver id
  bool booted = false;                ///< the guest was let run at least once
  Wish wish = Wish::run;              ///< written before the button is pressed or the signal sent
  ExitReason last_exit = ExitReason::none;
  std::optional<StartedWith> started_with = {};  ///< of the VMM that runs; nothing in a record of an older build

  std::string to_text() const;
  static Result<RunRecord> parse(std::string_view text);
  friend bool operator==(const RunRecord&, const RunRecord&) = default;
};

/// Why a guest that does not run any more ended. `phase` is powered_off or failed (its VMM is still there) or absent.
///   wish kill -> killed_by_operator; wish stop -> stopped_by_operator;
///   powered_off unasked -> guest_power_off; VMM failed, or gone unasked -> crashed (exit code 0 proves nothing, both VMMs are run so
///   that a guest's power-off leaves the process); never booted -> none.
ExitReason classify_exit(const RunRecord& record, VmmPhase phase);

}  // namespace mcv::hv

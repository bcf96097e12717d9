// SPDX-License-Identifier: Apache-2.0
// "May this VM start here?" as a pure function. `vm start` runs it, `--dry-run` and `hvctl explain` show it, failover and
// the target side of a migration ask it again. The ids are stable: scripts and docs/operations.md use them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/model/cluster_state.h"
#include "cluster/model/observation.h"

namespace mcv::hv {

enum class CheckOutcome { ok, warn, refuse };
std::string_view to_text(CheckOutcome outcome);

struct StartCheck {
  std::string id;
  CheckOutcome outcome = CheckOutcome::ok;
  std::string text;  ///< what was found, with the numbers
  std::string fix;   ///< the next command; empty when ok
  friend bool operator==(const StartCheck&, const StartCheck&) = default;
};

/// The documented limits. A setting may change them later; until then these hold.
struct StartLimits {
  std::uint32_t cpu_ratio = 4;                ///< guest CPUs per CPU of the node before a warning
  Bytes memory_reserve = Bytes::mib(256);     ///< stays free for the node itself
  Bytes memory_per_vmm = Bytes::mib(48);      ///< what a VMM takes beside the guest's memory
};

/// Volumes whose last verify of this or the other node did not end and had found differences (node-owned records).
using SuspectVolumes = std::function<bool(const VolumeName&)>;
/// Volumes this node went on alone with, by its own durable record: after a reboot the kernel calls them Consistent only, and
/// Outdated one that was set aside before a person accepted it.
using OwnVolumes = std::function<bool(const VolumeName&)>;

struct StartQuestion {
  const ClusterState& state;
  const VmRecord& vm;
  const NodeFacts& here;
  const NodeFacts* peer = nullptr;          ///< nullptr: no peer, or it did not answer
  bool starts_at_target = false;            ///< a migration's target side: `owner-here` and `running-elsewhere` are the migration's
  bool takes_over = false;                  ///< from an owner that was confirmed down; the caller asked for authority
  OwnVolumes is_fresh_alone = {};           ///< may be empty
  bool override_verify_gate = false;        ///< the caller checked the permission and wrote the reason down
  SuspectVolumes is_suspect = {};           ///< may be empty
  StartLimits limits = {};
};

/// With the VMM's own need and what stays free for the node, on a node that runs nothing else.
Bytes memory_needed(const VmRecord& vm, const StartLimits& limits);

/// All checks, in a fixed order, one entry per id even where all is well:
///   locked, owner-here, running-elsewhere, hypervisor-installed, kvm, cpu-count, memory, kernel-present,
///   initramfs-present, firmware-present, network-present, mac-in-use, disk-in-use, volumes-present,
///   volumes-up-to-date, verify-gate.
std::vector<StartCheck> start_checks(const StartQuestion& question);

/// Of these, the ones a start asks a last time in the moment before its VMM, since others may have been started, or things
/// changed, after the plan was made: hypervisor-installed, kvm, memory, the files, network-present, mac-in-use, verify-gate.
/// Who owns the VM and whether its disks are current is decided by the log and by DRBD's promotion.
std::vector<StartCheck> last_checks(const StartQuestion& question);

/// The refusals of `checks` as one `start_refused` error (or the more precise code when there is one refusal only:
/// vm_locked, verify_gate, hypervisor_missing, not_up_to_date, guest_running), or success.
Status to_status(const VmName& vm, const std::vector<StartCheck>& checks);

}  // namespace mcv::hv

// SPDX-License-Identifier: Apache-2.0
// What a lock on a VM refuses. Pure: one table, asked by every planner, whoever asks it: a person, a script or mcv by itself.
//
// A lock says "hands off", and it holds for its owner as well: where everybody is root by sudo, an exception for the owner would be
// one for everybody. Who wants to go on takes it off first. What began before the lock was set goes to its end, but for a migration
// that still waits for its guest. Not refused is what only looks or compares, and what must not wait for a person: a machine that is shut down, a
// guest that ended, one whose VM the other node took over.
#pragma once

#include <string>
#include <string_view>

#include "cluster/core/result.h"
#include "cluster/model/records.h"

namespace mcv {

/// What is done with a VM that exists.
enum class VmUse {
  start,            ///< by a person, or on the other node after its owner was confirmed down
  stop,
  kill,
  reset,
  migrate,
  update,
  unlock,
  remove,
  resync,
  attach,           ///< a disk that DRBD gave up
  delete_snapshot,  ///< the copy of one of its disks that was kept before a repair
  retry,            ///< of an operation of it that failed
  cancel,           ///< of one that runs: it goes back to where it was
  console,          ///< of its guest
  verify,           ///< by a person or a timer: compares, changes no disk
  follow_resync,    ///< waits for a copy that runs already
  leave,            ///< its node is shut down: the guest is stopped
  release,          ///< the guest turned itself off: its disks and taps are given back
  end_lost,         ///< it runs on a node that it was taken from
};

bool lock_refuses(VmUse use);

/// "vm1 is locked by alice since 2026-11-30 13:00:00 UTC: disk check". The VM has a lock.
std::string lock_text(const VmRecord& vm);
/// The command that takes it off, and who can.
std::string unlock_next(const VmRecord& vm);

/// `vm_locked` when the VM has a lock and that refuses it.
Status check_lock(const VmRecord& vm, VmUse use);

}  // namespace mcv

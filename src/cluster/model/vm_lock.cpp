// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/vm_lock.h"

#include <fmt/format.h>

#include "cluster/core/wall_time.h"

namespace mcv {
namespace {

/// A build before this one did not write down when.
std::string since_text(const LockRecord& lock) {
  if (lock.since == 0) return "";
  return fmt::format(" since {} UTC", utc_text(lock.since));
}

}  // namespace

bool lock_refuses(VmUse use) {
  switch (use) {
    case VmUse::start:
    case VmUse::stop:
    case VmUse::kill:
    case VmUse::reset:
    case VmUse::migrate:
    case VmUse::update:
    case VmUse::remove:
    case VmUse::resync:
    case VmUse::attach:
    case VmUse::delete_snapshot:
    case VmUse::retry: return true;
    case VmUse::unlock:
    case VmUse::cancel:
    case VmUse::console:
    case VmUse::verify:
    case VmUse::follow_resync:
    case VmUse::leave:
    case VmUse::release:
    case VmUse::end_lost: return false;
  }
  return true;
}

std::string lock_text(const VmRecord& vm) { return fmt::format("{} is locked by {}{}: {}", vm.name.str(), vm.lock->by, since_text(*vm.lock), vm.lock->reason); }

std::string unlock_next(const VmRecord& vm) { return fmt::format("{} or an administrator types: hvctl vm update {} --unlock", vm.lock->by, vm.name.str()); }

Status check_lock(const VmRecord& vm, VmUse use) {
  if (!vm.lock || !lock_refuses(use)) return success();
  return Error(ErrorCode::vm_locked, lock_text(vm)).with_safe(fmt::format("{} was not touched", vm.name.str())).with_next(unlock_next(vm));
}

}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
#include "hv/choose_hypervisor.h"

#include <algorithm>
#include <fmt/format.h>

namespace mcv::hv {

Result<std::string> choose_hypervisor(HypervisorKind wished, const BootRecord& boot, const std::vector<std::string>& installed) {
  const auto has = [&installed](std::string_view id) { return std::find(installed.begin(), installed.end(), id) != installed.end(); };
  const bool direct = !boot.kernel.empty() || !boot.firmware.empty();
  const auto missing = [](std::string_view what, std::string_view next) {
    return Error(ErrorCode::hypervisor_missing, std::string(what)).with_safe("nothing was started").with_next(std::string(next));
  };
  switch (wished) {
    case HypervisorKind::cloud_hypervisor:
      if (!direct) return missing("cloud-hypervisor boots only from a kernel or firmware, and this VM has neither", "set --kernel or --firmware, or --hypervisor qemu");
      if (!has(cloud_hypervisor_id)) return missing("cloud-hypervisor (v53 or newer) is not installed here", "hvctl info");
      return std::string(cloud_hypervisor_id);
    case HypervisorKind::qemu:
      if (!has(qemu_id)) return missing("QEMU is not installed here", "apt install qemu-system-x86");
      return std::string(qemu_id);
    case HypervisorKind::automatic:
      break;
  }
  if (direct && has(cloud_hypervisor_id)) return std::string(cloud_hypervisor_id);
  if (has(qemu_id)) return std::string(qemu_id);
  return missing("no hypervisor that can boot this VM is installed here", "apt install qemu-system-x86");
}

}  // namespace mcv::hv

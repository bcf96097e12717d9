// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/result.h"
#include "cluster/model/records.h"

namespace mcv::hv {

inline constexpr std::string_view qemu_id = "qemu";
inline constexpr std::string_view cloud_hypervisor_id = "cloud-hypervisor";

/// Which VMM a VM gets: its own choice, or for `automatic` cloud-hypervisor when installed and able to boot it (it needs a
/// kernel or firmware), else QEMU. `installed` holds ids as NodeFacts.hypervisors does. `hypervisor_missing` otherwise.
Result<std::string> choose_hypervisor(HypervisorKind wished, const BootRecord& boot, const std::vector<std::string>& installed);

}  // namespace mcv::hv

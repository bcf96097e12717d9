// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "cluster/core/names.h"
#include "cluster/model/observation.h"
#include "cluster/model/records.h"

namespace mcv {

/// DRBD gave one of a volume's two disks up and goes on with the other one.
struct LostDisk {
  std::string node;  ///< that has it no more
  std::string text;  ///< "DRBD has no disk of vm1-0 on B: …"
  std::string next;
};

/// By what DRBD on `here` says of a volume that is configured there and connected; nullopt while both disks are there.
std::optional<LostDisk> lost_disk(const VolumeFacts& facts, const VolumeRecord& volume, const std::string& here, const std::string& peer);

}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
// What LVM reports, parsed from `--reportformat json --units b --nosuffix`. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/result.h"
#include "cluster/core/units.h"

namespace mcv::lvm {

struct VolumeGroup {
  std::string name;
  Bytes size;
  Bytes free;
  Bytes extent;
};

struct LogicalVolume {
  std::string name;
  std::string volume_group;
  std::string pool;                       ///< the thin pool it lives in, or empty
  Bytes size;
  std::vector<std::string> tags;
  bool thin_pool = false;
  bool thin = false;
  bool open = false;                      ///< something holds the device
  std::optional<double> data_percent;     ///< thin pools and thin volumes
  std::optional<double> metadata_percent; ///< thin pools
  bool zeroing = false;                   ///< thin pools: new blocks read as zero
  bool fails_when_full = false;           ///< thin pools: no waiting for space
  Bytes chunk;                            ///< thin pools
  std::int64_t created = 0;               ///< wall seconds; 0: not known

  bool has_tag(std::string_view tag) const;
  std::string path() const { return "/dev/" + volume_group + "/" + name; }
};

/// Points into `volumes`; nullptr when it is not there.
const LogicalVolume* find(const std::vector<LogicalVolume>& volumes, const std::string& volume_group, const std::string& name);

/// Output of `vgs` with the columns of commands::list_volume_groups().
Result<std::vector<VolumeGroup>> parse_volume_groups(std::string_view json);
/// Output of `lvs` with the columns of commands::list_logical_volumes().
Result<std::vector<LogicalVolume>> parse_logical_volumes(std::string_view json);

}  // namespace mcv::lvm

// SPDX-License-Identifier: Apache-2.0
// LVM's commands as data. Every LV made here carries the tag `mcv`; nothing without it is ever removed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/core/units.h"
#include "cluster/host/processes.h"

namespace mcv::lvm {

inline constexpr const char* tag = "mcv";
/// A thick LV that was overwritten with zeros from end to end after its creation.
inline constexpr const char* zeroed_tag = "mcv.zeroed";
/// "mcv.by.<token>": which operation created it. A retry of that operation may go on; another one may not take it.
std::string creator_tag(const std::string& token);

namespace commands {

host::Command list_volume_groups();
/// Those of all VGs: naming a VG that does not exist would be an error that only its text tells from others.
host::Command list_logical_volumes();

/// A thin pool whose new blocks read as zero. Without `size`: 90 % of what is free, the rest stays for the pool's
/// metadata and its growth.
host::Command create_thin_pool(const std::string& volume_group, const std::string& pool, std::optional<Bytes> size);
/// A full pool then refuses writes at once: DRBD detaches this leg and the guest goes on at the peer, instead of
/// everybody waiting LVM's 60 seconds. lvcreate does not take the option for a pool.
host::Command fail_writes_when_full(const std::string& volume_group, const std::string& pool);
host::Command create_thin(const std::string& volume_group, const std::string& pool, const std::string& name, Bytes size, const std::string& creator);
host::Command create_thick(const std::string& volume_group, const std::string& name, Bytes size, const std::string& creator);
/// Thin: in the origin's pool, not activated. Thick: with room for every block of the origin. LVM holds the origin's writes for a moment.
host::Command create_snapshot(const std::string& volume_group, const std::string& origin, const std::string& name, bool thin, const std::vector<std::string>& tags);
/// Writes zeros over the whole device. The deadline grows with the size.
host::Command zero_device(const std::string& device, Bytes size);
host::Command add_tag(const std::string& volume_group, const std::string& name, const std::string& new_tag);
host::Command activate(const std::string& volume_group, const std::string& name);
host::Command remove(const std::string& volume_group, const std::string& name);
host::Command rename(const std::string& volume_group, const std::string& from, const std::string& to);
host::Command deactivate(const std::string& volume_group, const std::string& name);
/// A raw file of that size whose blocks are allocated.
host::Command allocate_file(const std::string& path, Bytes size);
host::Command give_file(const std::string& path, const std::string& user);
/// Its owner's alone.
host::Command restrict_file(const std::string& path);
/// Succeeds when `user` may read and write it, every directory above included.
host::Command may_use(const std::string& path, const std::string& user);

}  // namespace commands
}  // namespace mcv::lvm

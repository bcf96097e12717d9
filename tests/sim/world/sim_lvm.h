// SPDX-License-Identifier: Apache-2.0
// LVM of one node as its tools show it. Survives daemon and power.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mcv::sim {

struct ToolAnswer {
  int exit_code = 0;
  std::string out;
  std::string err;
};

/// DRBD's metadata on its LV. Identifiers as the kernel's, without their lowest bit.
struct DrbdMeta {
  static constexpr std::uint64_t just_created = 4;
  std::uint64_t current = just_created;
  std::uint64_t bitmap = 0;
  std::vector<std::uint64_t> history;
  bool consistent = false;     ///< false: Inconsistent
  bool outdated = false;
  bool primary = false;        ///< still set at boot: it crashed while Primary
  bool peer_outdated = false;  ///< what this leg knows of the peer
  bool full_sync = false;      ///< every block is out of sync
  std::set<std::uint64_t> dirty;
  std::set<std::uint64_t> marked;  ///< by a verify: part of the next resync, and no reason for one
  std::set<std::uint64_t> active;  ///< activity log: blocks whose writes may not be on the peer
};

struct Lv {
  std::uint64_t size = 0;
  std::set<std::string> tags;
  bool thin_pool = false;
  std::string pool;                              ///< of a thin volume
  std::string origin;                            ///< of a thick snapshot, which goes with it
  bool fails_when_full = false;
  std::map<std::uint64_t, std::uint64_t> blocks; ///< 4 KiB block -> value; absent reads as zero
  std::optional<DrbdMeta> meta;
  std::string open_by;                           ///< "drbd100", or a VMM's unit
};

class SimLvm {
 public:
  std::map<std::string, std::uint64_t> groups;            ///< VG -> size in bytes
  std::map<std::string, Lv> volumes;                      ///< "vg/lv"

  static constexpr std::uint64_t extent = 4u << 20;
  /// Null for a tool that is not LVM's.
  std::optional<ToolAnswer> run(const std::vector<std::string>& argv);
  Lv* device(const std::string& path);                    ///< "/dev/vg0/mcv-vm1-0"
  void power_cut();

 private:
  std::uint64_t free_of(const std::string& group) const;
  ToolAnswer list_groups() const;
  ToolAnswer list_volumes() const;
  ToolAnswer create(const std::vector<std::string>& argv);
  ToolAnswer change(const std::vector<std::string>& argv);
  ToolAnswer remove(const std::vector<std::string>& argv);
  ToolAnswer rename(const std::vector<std::string>& argv);
};

}  // namespace mcv::sim

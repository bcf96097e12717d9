// SPDX-License-Identifier: Apache-2.0
// One past run of a verify, as a node-owned record of the node that commanded it: it is written also where the other node is gone,
// and shipped to it. What a volume's gate goes by is not this but its verdict.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/model/cluster_state.h"
#include "cluster/store/node_records.h"

namespace mcv {

inline constexpr const char* verify_run_kind = "verify-run";
/// Of each volume; the oldest goes first.
inline constexpr std::size_t verify_runs_kept = 20;
/// Of each run; how many there were is kept as well.
inline constexpr std::size_t verify_run_ranges_kept = 16;

enum class RunEnd {
  none,              ///< it goes on, or its daemon ended first
  clean,
  mismatch,
  suspect,           ///< differences were seen, and no verdict was reached
  could_not_verify,
  cut_off,           ///< its daemon ended in the middle; the operation begins it anew
};
std::string_view to_text(RunEnd end);

struct VerifyRun {
  VolumeName volume;
  std::string vm_uuid;               ///< of its VM: another one may get the name later
  std::string operation;
  std::string asked_by;              ///< for people: "timer", "root", "uid 1000"
  std::int64_t began_wall = 0;       ///< for people
  std::int64_t lasted_seconds = 0;   ///< by the monotonic clock
  RunEnd end = RunEnd::none;
  std::string text;
  std::vector<SectorRange> ranges;   ///< the first of them
  std::uint64_t range_count = 0;
  std::uint64_t blocks = 0;          ///< of 4 KiB, that differ
  std::uint64_t equal_on_recheck_blocks = 0;  ///< differed at the first look alone: a guest was rewriting them
  LogStamp at;                       ///< the last committed entry when it began: the order of two nodes' runs

  std::string node;                  ///< the writer; not in the record itself
  std::uint64_t number = 0;          ///< the record's

  /// Keeps the first ranges and counts all.
  void set_ranges(const std::vector<SectorRange>& all);
  Json to_json() const;
  static Result<VerifyRun> from_json(const Json& json);
};

/// Readable ones with their writer and number, oldest first.
std::vector<VerifyRun> verify_runs(const std::vector<NodeOwnedRecord>& records);
/// Of one volume as it is now, newest first, at most as many as are kept.
std::vector<VerifyRun> history_of(const VolumeRecord& volume, const ClusterState& state, std::vector<VerifyRun> runs);
/// Numbers of own records that are of no more use: of volumes that are gone, and beyond what is kept.
std::vector<std::uint64_t> outdated_runs(const ClusterState& state, const std::vector<VerifyRun>& own);

}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
// How a verify comes to its verdict (DESIGN 6), as a pure state machine: it asks for passes and is told how each ended.
//   1. One pass from sector 0 to the end, over one connection.
//   2. Where it found differences: passes over those ranges only. A block counts when it differs in every round; pages
//      that a guest rewrites in flight drop out, some sooner than others: it is looked again as long as any do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/model/records.h"
#include "storage/drbd/kernel_log.h"

namespace mcv::drbd {

enum class VerifyOutcome { clean, mismatch, could_not_verify };
std::string_view to_text(VerifyOutcome outcome);

struct VerifyResult {
  VerifyOutcome outcome = VerifyOutcome::could_not_verify;
  /// mismatch: what differed again on every re-check. could_not_verify: what differed so far (the verdict is `suspect`
  /// when this is not empty).
  std::vector<SectorRange> ranges;
  std::uint64_t equal_on_recheck_sectors = 0;  ///< differed once and not again; DRBD's own marks on them stay
  std::uint64_t out_of_sync_kib = 0;           ///< DRBD's counter at the end
  std::string reason;                          ///< could_not_verify: why, for people
  friend bool operator==(const VerifyResult&, const VerifyResult&) = default;
};

class Verification {
 public:
  struct Settings {
    unsigned recheck_rounds = 2;  ///< at least
    unsigned most_rounds = 8;     ///< of a guest that never rests
    /// Ranges closer than this are re-read in one pass; doubled until at most `max_spans` passes a round remain.
    std::uint64_t merge_gap_sectors = 2048;
    std::size_t max_spans = 32;
  };
  struct Pass {
    std::uint64_t start = 0;  ///< sectors
    std::uint64_t stop = 0;   ///< 0 = the end of the device
    unsigned round = 0;       ///< 0 = the whole device, then the re-checks
    friend bool operator==(const Pass&, const Pass&) = default;
  };

  Verification() = default;
  explicit Verification(Settings settings) : settings_(settings) {}

  /// The pass to run now; nullopt when `result()` is final.
  std::optional<Pass> next() const;
  /// What the kernel log says about the pass `next()` named.
  void ended(const VerifyPass& pass);
  /// The pass could not be run or watched.
  void failed(std::string reason);
  const VerifyResult& result() const { return result_; }

 private:
  void begin_round();
  void finish(VerifyOutcome outcome);

  Settings settings_;
  std::vector<SectorRange> differing_;    ///< candidates: differed in every finished round
  std::vector<SectorRange> this_round_;
  std::vector<Pass> pending_{Pass{}};     ///< reversed: the next is the last
  unsigned round_ = 0;
  std::uint64_t first_differing_ = 0;     ///< sectors after round 0
  VerifyResult result_;
};

/// Why `pass` does not prove what it was to prove; empty when it does.
std::string why_incomplete(const Verification::Pass& asked, const VerifyPass& pass);
std::vector<SectorRange> intersection(const std::vector<SectorRange>& a, const std::vector<SectorRange>& b);
std::uint64_t sectors_in(const std::vector<SectorRange>& ranges);

}  // namespace mcv::drbd

// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/verification.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <utility>

namespace mcv::drbd {
namespace {

std::uint64_t end_of(const SectorRange& range) { return range.start + range.count; }

/// Ascending ranges, joined where the gap is at most `gap`.
std::vector<SectorRange> spans_of(const std::vector<SectorRange>& ranges, std::uint64_t gap) {
  std::vector<SectorRange> spans;
  for (const SectorRange& range : ranges) {
    if (!spans.empty() && (range.start <= end_of(spans.back()) || range.start - end_of(spans.back()) <= gap)) {
      spans.back().count = std::max(end_of(spans.back()), end_of(range)) - spans.back().start;
    } else {
      spans.push_back(range);
    }
  }
  return spans;
}

}  // namespace

std::string_view to_text(VerifyOutcome outcome) {
  switch (outcome) {
    case VerifyOutcome::clean: return "clean";
    case VerifyOutcome::mismatch: return "mismatch";
    case VerifyOutcome::could_not_verify: return "could-not-verify";
  }
  return "";
}

std::uint64_t sectors_in(const std::vector<SectorRange>& ranges) {
  std::uint64_t sectors = 0;
  for (const SectorRange& range : ranges) sectors += range.count;
  return sectors;
}

std::vector<SectorRange> intersection(const std::vector<SectorRange>& a, const std::vector<SectorRange>& b) {
  std::vector<SectorRange> both;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    const std::uint64_t start = std::max(a[i].start, b[j].start);
    const std::uint64_t end = std::min(end_of(a[i]), end_of(b[j]));
    if (start < end) both.push_back(SectorRange{start, end - start});
    if (end_of(a[i]) < end_of(b[j])) ++i;
    else ++j;
  }
  return both;
}

std::string why_incomplete(const Verification::Pass& asked, const VerifyPass& pass) {
  if (!pass.start_sector) return "the kernel's log does not show that it began";
  // The kernel begins at a 4 KiB block.
  if (*pass.start_sector != asked.start / 8 * 8) return fmt::format("it began at sector {} instead of {}", *pass.start_sector, asked.start);
  if (pass.connection_changed) return "the connection between the nodes was lost during the run";
  if (!pass.done || !pass.ended) return "the kernel's log does not show that it ended";
  const bool reached_all = !pass.reached || (asked.stop != 0 && *pass.reached >= asked.stop);
  if (!reached_all) return fmt::format("it was stopped at sector {}", *pass.reached);
  return "";
}

std::optional<Verification::Pass> Verification::next() const {
  if (pending_.empty()) return std::nullopt;
  return pending_.back();
}

void Verification::ended(const VerifyPass& pass) {
  if (pending_.empty()) return;
  const Pass asked = pending_.back();
  const std::string incomplete = why_incomplete(asked, pass);
  if (!incomplete.empty()) {
    // What was seen to differ stays on record even if the run proves nothing.
    if (round_ == 0) differing_ = pass.ranges;
    failed(incomplete);
    return;
  }
  pending_.pop_back();
  result_.out_of_sync_kib = pass.marked_blocks * 4;
  const std::vector<SectorRange> found = asked.stop == 0 ? pass.ranges : intersection(pass.ranges, {SectorRange{asked.start, asked.stop - asked.start}});
  this_round_.insert(this_round_.end(), found.begin(), found.end());
  if (!pending_.empty()) return;

  const std::uint64_t before = sectors_in(differing_);
  differing_ = round_ == 0 ? this_round_ : intersection(differing_, this_round_);
  if (round_ == 0) first_differing_ = sectors_in(differing_);
  if (differing_.empty()) return finish(VerifyOutcome::clean);
  const bool settled = round_ >= settings_.recheck_rounds && sectors_in(differing_) == before;
  if (settled || round_ >= settings_.most_rounds) return finish(VerifyOutcome::mismatch);
  begin_round();
}

void Verification::failed(std::string reason) {
  result_.reason = std::move(reason);
  finish(VerifyOutcome::could_not_verify);
}

void Verification::begin_round() {
  ++round_;
  this_round_.clear();
  std::uint64_t gap = settings_.merge_gap_sectors;
  std::vector<SectorRange> spans = spans_of(differing_, gap);
  while (spans.size() > settings_.max_spans) {
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    gap = gap > most / 2 ? most : std::max<std::uint64_t>(gap * 2, 1);  // the last one joins everything
    spans = spans_of(differing_, gap);
  }
  for (auto span = spans.rbegin(); span != spans.rend(); ++span) pending_.push_back(Pass{span->start, end_of(*span), round_});
}

void Verification::finish(VerifyOutcome outcome) {
  pending_.clear();
  result_.outcome = outcome;
  result_.ranges = differing_;
  const std::uint64_t still = sectors_in(differing_);
  result_.equal_on_recheck_sectors = first_differing_ > still ? first_differing_ - still : 0;
}

}  // namespace mcv::drbd

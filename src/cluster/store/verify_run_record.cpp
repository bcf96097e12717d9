// SPDX-License-Identifier: Apache-2.0
#include "cluster/store/verify_run_record.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>
#include <tuple>
#include <utility>

namespace mcv {
namespace {

constexpr std::array ends = {RunEnd::none, RunEnd::clean, RunEnd::mismatch, RunEnd::suspect, RunEnd::could_not_verify, RunEnd::cut_off};

/// Whether the run was about the volume that has this name now.
bool is_of(const VerifyRun& run, const VolumeRecord& volume, const ClusterState& state) {
  if (run.volume != volume.name || volume.kind != VolumeKind::drbd) return false;
  const auto vm = state.vm(volume.vm);
  return !vm.ok() || run.vm_uuid.empty() || vm->uuid == run.vm_uuid;
}

/// By the log; a clock decides only between runs with no change of the configuration in between.
bool began_before(const VerifyRun& one, const VerifyRun& other) {
  const auto place = [](const VerifyRun& run) { return std::tie(run.at.counter, run.at.index, run.began_wall, run.node, run.number); };
  return place(one) < place(other);
}

}  // namespace

std::string_view to_text(RunEnd end) {
  switch (end) {
    case RunEnd::none: return "running";
    case RunEnd::clean: return "clean";
    case RunEnd::mismatch: return "mismatch";
    case RunEnd::suspect: return "suspect";
    case RunEnd::could_not_verify: return "could-not-verify";
    case RunEnd::cut_off: return "cut-off";
  }
  return "";
}

void VerifyRun::set_ranges(const std::vector<SectorRange>& all) {
  range_count = all.size();
  ranges.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), verify_run_ranges_kept)));
  std::uint64_t sectors = 0;
  for (const SectorRange& range : all) sectors += range.count;
  blocks = (sectors + 7) / 8;
}

Json VerifyRun::to_json() const {
  Json list = Json::array();
  for (const SectorRange& range : ranges) list.push_back({{"start", range.start}, {"count", range.count}});
  return {{"volume", volume.str()},
          {"vm_uuid", vm_uuid},
          {"operation", operation},
          {"asked_by", asked_by},
          {"began_wall", began_wall},
          {"lasted_seconds", lasted_seconds},
          {"end", to_text(end)},
          {"text", text},
          {"ranges", std::move(list)},
          {"range_count", range_count},
          {"blocks", blocks},
          {"equal_on_recheck_blocks", equal_on_recheck_blocks},
          {"counter", at.counter},
          {"generation", at.generation},
          {"index", at.index}};
}

Result<VerifyRun> VerifyRun::from_json(const Json& json) {
  Fields fields(json, verify_run_kind);
  VerifyRun run;
  const auto volume = fields.required<std::string>("volume");
  run.vm_uuid = fields.optional_or<std::string>("vm_uuid", "");
  run.operation = fields.optional_or<std::string>("operation", "");
  run.asked_by = fields.optional_or<std::string>("asked_by", "");
  run.began_wall = fields.optional_or<std::int64_t>("began_wall", 0);
  run.lasted_seconds = fields.optional_or<std::int64_t>("lasted_seconds", 0);
  const auto end = fields.required<std::string>("end");
  run.text = fields.optional_or<std::string>("text", "");
  run.range_count = fields.optional_or<std::uint64_t>("range_count", 0);
  run.blocks = fields.optional_or<std::uint64_t>("blocks", 0);
  run.equal_on_recheck_blocks = fields.optional_or<std::uint64_t>("equal_on_recheck_blocks", 0);
  run.at.counter = fields.optional_or<std::uint64_t>("counter", 0);
  run.at.generation = fields.optional_or<std::string>("generation", "");
  run.at.index = fields.optional_or<std::uint64_t>("index", 0);
  if (const Json* ranges = fields.array("ranges", false)) {
    for (const Json& item : *ranges) {
      Fields range(item, "verify-run.range");
      run.ranges.push_back({range.required<std::uint64_t>("start"), range.required<std::uint64_t>("count")});
      MCV_CHECK(range.finish_lenient());
    }
  }
  MCV_CHECK(fields.finish_lenient());
  const auto known = std::find_if(ends.begin(), ends.end(), [&end](RunEnd candidate) { return to_text(candidate) == end; });
  if (known == ends.end()) return Error(ErrorCode::bad_request, fmt::format("'{}' is no end of a verify", end));
  run.end = *known;
  MCV_TRY(run.volume, VolumeName::parse(volume));
  return run;
}

std::vector<VerifyRun> verify_runs(const std::vector<NodeOwnedRecord>& records) {
  std::vector<VerifyRun> runs;
  for (const NodeOwnedRecord& record : records) {
    auto run = VerifyRun::from_json(record.body);
    // What a later build wrote otherwise is left alone: nothing is decided by it.
    if (!run.ok()) continue;
    run->node = record.node;
    run->number = record.number;
    runs.push_back(std::move(*run));
  }
  std::stable_sort(runs.begin(), runs.end(), began_before);
  return runs;
}

std::vector<VerifyRun> history_of(const VolumeRecord& volume, const ClusterState& state, std::vector<VerifyRun> runs) {
  std::erase_if(runs, [&](const VerifyRun& run) { return !is_of(run, volume, state); });
  std::reverse(runs.begin(), runs.end());
  if (runs.size() > verify_runs_kept) runs.erase(runs.begin() + static_cast<std::ptrdiff_t>(verify_runs_kept), runs.end());
  return runs;
}

std::vector<std::uint64_t> outdated_runs(const ClusterState& state, const std::vector<VerifyRun>& own) {
  std::vector<std::uint64_t> numbers;
  std::map<VolumeName, std::size_t> newer;
  for (auto run = own.rbegin(); run != own.rend(); ++run) {
    const auto volume = state.volume(run->volume);
    const bool is_current = volume.ok() && is_of(*run, *volume, state);
    if (!is_current || ++newer[run->volume] > verify_runs_kept) numbers.push_back(run->number);
  }
  return numbers;
}

}  // namespace mcv

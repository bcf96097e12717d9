// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cluster/store/verify_run_record.h"

namespace mcv::verify_run_record_test {
namespace {

const VolumeName disk = VolumeName::trusted("vm1-0");

ClusterState state_of(const std::string& uuid) {
  VmRecord vm;
  vm.name = VmName::trusted("vm1");
  vm.uuid = uuid;
  vm.owner = NodeName::trusted("A");
  vm.volumes = {disk};
  VolumeRecord volume;
  volume.name = disk;
  volume.vm = vm.name;
  volume.pool = PoolName::trusted("fast");
  volume.kind = VolumeKind::drbd;
  volume.size = Bytes::mib(64);
  NodeRecord node;
  node.name = NodeName::trusted("A");
  PoolRecord pool;
  pool.name = volume.pool;
  pool.volume_group = "vg0";
  pool.thin_pool = "mcv-fast";
  ClusterState state;
  const Status applied = state.apply(Change{"c", "fixture", {put_new(node), put_new(pool), put_new(vm), put_new(volume)}}, 1);
  EXPECT_TRUE(applied.ok()) << applied.error().message();
  return state;
}

VerifyRun run_at(std::uint64_t index, const std::string& uuid = "u1") {
  VerifyRun run;
  run.volume = disk;
  run.vm_uuid = uuid;
  run.operation = "A-" + std::to_string(index);
  run.asked_by = "timer";
  run.began_wall = 1000 + static_cast<std::int64_t>(index);
  run.lasted_seconds = 12;
  run.end = RunEnd::mismatch;
  run.text = "2 ranges differ";
  run.set_ranges({{8, 8}, {800, 17}});
  run.equal_on_recheck_blocks = 3;
  run.at = {2, "g", index};
  return run;
}

NodeOwnedRecord record(const VerifyRun& run, const std::string& node, std::uint64_t number) { return {node, "stream", number, verify_run_kind, run.to_json()}; }

TEST(VerifyRun, ComesBackAsItWas) {
  const VerifyRun run = run_at(5);
  const auto read = VerifyRun::from_json(run.to_json());
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->to_json(), run.to_json());
  EXPECT_EQ(read->blocks, 4u) << "1 and a bit more than 2";
  EXPECT_EQ(read->range_count, 2u);
}

TEST(VerifyRun, KeepsTheFirstRangesAndCountsAll) {
  std::vector<SectorRange> many;
  for (std::uint64_t i = 0; i < 100; ++i) many.push_back({i * 100, 8});
  VerifyRun run;
  run.set_ranges(many);
  EXPECT_EQ(run.ranges.size(), verify_run_ranges_kept);
  EXPECT_EQ(run.range_count, 100u);
  EXPECT_EQ(run.blocks, 100u);
}

TEST(VerifyRun, WhatALaterBuildWroteIsLeftOut) {
  Json odd = run_at(5).to_json();
  odd["end"] = "half-clean";
  EXPECT_TRUE(verify_runs({NodeOwnedRecord{"A", "stream", 1, verify_run_kind, odd}}).empty());
  Json more = run_at(5).to_json();
  more["new"] = 1;
  EXPECT_EQ(verify_runs({NodeOwnedRecord{"A", "stream", 1, verify_run_kind, more}}).size(), 1u);
}

TEST(VerifyHistoryOf, BothNodesRunsInTheOrderOfTheLog) {
  const ClusterState state = state_of("u1");
  const auto runs = history_of(*state.volume(disk), state, verify_runs({record(run_at(5), "A", 9), record(run_at(7), "A", 12), record(run_at(6), "B", 1)}));
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0].operation, "A-7");
  EXPECT_EQ(runs[1].node, "B");
  EXPECT_EQ(runs[2].number, 9u);
}

TEST(VerifyHistoryOf, NotOfAnEarlierVmOfThatNameAndNoMoreThanIsKept) {
  const ClusterState state = state_of("u2");
  std::vector<NodeOwnedRecord> records = {record(run_at(1, "u1"), "A", 1)};
  for (std::uint64_t i = 2; i < 40; ++i) records.push_back(record(run_at(i, "u2"), "A", i));
  const auto runs = history_of(*state.volume(disk), state, verify_runs(records));
  ASSERT_EQ(runs.size(), verify_runs_kept);
  EXPECT_EQ(runs.front().number, 39u);
  const auto gone = outdated_runs(state, verify_runs(records));
  EXPECT_EQ(gone.size(), 39u - verify_runs_kept);
  EXPECT_EQ(gone.back(), 1u);
}

TEST(VerifyHistoryOf, ADeletedVolumeKeepsNone) {
  const ClusterState empty;
  EXPECT_EQ(outdated_runs(empty, verify_runs({record(run_at(5), "A", 9)})), std::vector<std::uint64_t>{9});
}

}  // namespace
}  // namespace mcv::verify_run_record_test

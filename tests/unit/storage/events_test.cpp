// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/events.h"

#include <gtest/gtest.h>

#include <sstream>

#include "machine.h"

namespace mcv::drbd::events_test {
namespace {

Event event(const std::string& line) {
  auto parsed = parse_event(line);
  EXPECT_TRUE(parsed.ok()) << line;
  return parsed.ok() ? *parsed : Event{};
}

TEST(Events, EveryLineOfTheRecordingIsUnderstood) {
  std::istringstream lines(test::data_file("drbd/events2.txt"));
  EventTable table;
  table.begin_dump();
  int count = 0;
  bool was_redundant = false;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto parsed = parse_event(line);
    ASSERT_TRUE(parsed.ok()) << line;
    table.apply(*parsed);
    const ResourceFacts* facts = table.find("mcv-vm1-0");
    was_redundant = was_redundant || (facts != nullptr && facts->facts.redundant());
  }
  EXPECT_GT(count, 100);
  EXPECT_TRUE(was_redundant);
  EXPECT_TRUE(table.complete());
  const ResourceFacts* facts = table.find("mcv-vm1-0");
  ASSERT_NE(facts, nullptr);
  EXPECT_EQ(facts->minor, 100u);
  EXPECT_EQ(facts->size, Bytes::mib(256));
  EXPECT_GT(facts->verify_starts, 3u);
  EXPECT_GT(facts->connection_losses, 2u);
}

TEST(Events, AMinorThatTheKernelCannotHaveIsNone) {
  EventTable table;
  table.begin_dump();
  table.apply(event("exists device name:mcv-vm1-0 volume:0 minor:4294967396 disk:UpToDate"));
  EXPECT_FALSE(table.find("mcv-vm1-0")->minor.has_value());
  table.apply(event("change device name:mcv-vm1-0 volume:0 minor:1048575"));
  EXPECT_EQ(table.find("mcv-vm1-0")->minor, 1048575u);
}

TEST(Events, AVolumesWayFromNothingToRedundantAndBack) {
  EventTable table;
  table.begin_dump();
  EXPECT_FALSE(table.complete());
  table.apply(event("exists -"));
  EXPECT_TRUE(table.complete());
  table.apply(event("create resource name:mcv-vm1-0 role:Secondary suspended:no write-ordering:flush"));
  table.apply(event("create device name:mcv-vm1-0 volume:0 minor:100 disk:Diskless size:0 read:0"));
  table.apply(event("change device name:mcv-vm1-0 volume:0 minor:100 disk:Inconsistent size:262144"));
  table.apply(event("create connection name:mcv-vm1-0 peer-node-id:0 conn-name:peer connection:StandAlone role:Unknown congested:no"));
  table.apply(event("create peer-device name:mcv-vm1-0 peer-node-id:0 conn-name:peer volume:0 replication:Off peer-disk:DUnknown out-of-sync:261888"));
  table.apply(event("change connection name:mcv-vm1-0 peer-node-id:0 conn-name:peer connection:Connected"));
  table.apply(event("change peer-device name:mcv-vm1-0 peer-node-id:0 conn-name:peer volume:0 replication:Established peer-disk:UpToDate out-of-sync:0"));
  table.apply(event("change device name:mcv-vm1-0 volume:0 minor:100 disk:UpToDate"));
  EXPECT_TRUE(table.find("mcv-vm1-0")->facts.redundant());
  EXPECT_FALSE(table.apply(event("change connection name:mcv-vm1-0 peer-node-id:0 conn-name:peer")));  // nothing new
  EXPECT_FALSE(table.apply(event("call helper name:mcv-vm1-0 peer-node-id:0 conn-name:peer helper:fence-peer")));
  EXPECT_TRUE(table.apply(event("change resource name:mcv-vm1-0 role:Primary suspended:fencing")));
  EXPECT_EQ(table.find("mcv-vm1-0")->facts.suspended.words(), "fencing");
  table.apply(event("destroy connection name:mcv-vm1-0 peer-node-id:0 conn-name:peer"));
  EXPECT_EQ(table.find("mcv-vm1-0")->facts.connection, ConnectionState::standalone);
  EXPECT_EQ(table.find("mcv-vm1-0")->connection_losses, 1u);
  table.apply(event("destroy device name:mcv-vm1-0 volume:0 minor:100"));
  EXPECT_FALSE(table.find("mcv-vm1-0")->minor.has_value());
  table.apply(event("destroy resource name:mcv-vm1-0"));
  EXPECT_EQ(table.find("mcv-vm1-0"), nullptr);
}

TEST(Events, ANewDumpDropsWhatIsGone) {
  EventTable table;
  table.begin_dump();
  table.apply(event("exists resource name:mcv-a role:Secondary suspended:no"));
  table.apply(event("exists resource name:mcv-b role:Secondary suspended:no"));
  table.apply(event("exists -"));
  EXPECT_TRUE(table.apply(event("- skipped 17")));
  EXPECT_FALSE(table.complete());
  table.begin_dump();
  table.apply(event("exists resource name:mcv-b role:Primary suspended:no"));
  EXPECT_NE(table.find("mcv-a"), nullptr);  // not before the dump is complete
  table.apply(event("exists -"));
  EXPECT_EQ(table.find("mcv-a"), nullptr);
  EXPECT_EQ(table.find("mcv-b")->facts.role, DiskRole::primary);
}

TEST(Events, GarbageIsRefused) {
  for (const char* bad : {"", "exists", "exists nothing name:r0", "explode resource name:r0", "exists resource role:Primary", "- lost 3", "change device name:r0 x"}) {
    EXPECT_FALSE(parse_event(bad).ok()) << bad;
  }
}

TEST(Events, AFloodOfManyResourcesIsCheap) {
  EventTable table;
  table.begin_dump();
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 500; ++i) {
      const std::string name = "name:mcv-vm" + std::to_string(i) + "-0";
      table.apply(event("exists resource " + name + " role:Secondary suspended:no"));
      table.apply(event("change peer-device " + name + " peer-node-id:0 conn-name:peer volume:0 replication:Established out-of-sync:" + std::to_string(round)));
    }
  }
  EXPECT_EQ(table.resources().size(), 500u);
}

TEST(Events, StatesOfTheKernelHaveNames) {
  EXPECT_EQ(replication_of("PausedSyncT"), ReplicationState::paused_sync);
  EXPECT_EQ(replication_of("WFBitMapS"), ReplicationState::other);
  EXPECT_EQ(disk_state_of("DUnknown"), DiskState::unknown);
  EXPECT_EQ(connection_of("BrokenPipe"), ConnectionState::other);
}

}  // namespace
}  // namespace mcv::drbd::events_test

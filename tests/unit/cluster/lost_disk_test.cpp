// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/lost_disk.h"

#include <gtest/gtest.h>

namespace mcv::lost_disk_test {
namespace {

std::optional<LostDisk> lost_seen_by_a(DiskState here, DiskState there, ConnectionState connection = ConnectionState::connected) {
  VolumeFacts facts;
  facts.disk = here;
  facts.peer_disk = there;
  facts.connection = connection;
  VolumeRecord volume;
  volume.name = VolumeName::trusted("vm1-0");
  volume.vm = VmName::trusted("vm1");
  return lost_disk(facts, volume, "A", "B");
}

TEST(LostDiskText, NamesNodeAndCommand) {
  const auto there = lost_seen_by_a(DiskState::up_to_date, DiskState::diskless);
  ASSERT_TRUE(there);
  EXPECT_EQ(there->node, "B");
  EXPECT_NE(there->text.find("vm1-0 on B"), std::string::npos);
  EXPECT_NE(there->next.find("hvctl drbd attach vm1"), std::string::npos);
  const auto here = lost_seen_by_a(DiskState::failed, DiskState::up_to_date);
  ASSERT_TRUE(here);
  EXPECT_EQ(here->node, "A");
  EXPECT_NE(here->text.find("copy on B alone"), std::string::npos);
  const auto both = lost_seen_by_a(DiskState::diskless, DiskState::diskless);
  ASSERT_TRUE(both);
  EXPECT_NE(both->text.find("either node"), std::string::npos);
}

TEST(LostDiskText, IsNotSaidOfADiskThatIsThere) {
  EXPECT_FALSE(lost_seen_by_a(DiskState::up_to_date, DiskState::up_to_date));
  EXPECT_FALSE(lost_seen_by_a(DiskState::up_to_date, DiskState::unknown, ConnectionState::connecting));
  EXPECT_FALSE(lost_seen_by_a(DiskState::attaching, DiskState::up_to_date));
  EXPECT_FALSE(lost_seen_by_a(DiskState::diskless, DiskState::unknown, ConnectionState::standalone)) << "not brought up yet";
}

}  // namespace
}  // namespace mcv::lost_disk_test

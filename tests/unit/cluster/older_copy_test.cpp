// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/older_copy.h"

#include <gtest/gtest.h>

namespace mcv::older_copy_test {
namespace {

const VolumeName disk = VolumeName::trusted("vm1-0");

std::optional<OlderCopy> seen_by_a(DiskState here, DiskState there, ConnectionState connection = ConnectionState::connecting) {
  VolumeFacts facts;
  facts.disk = here;
  facts.peer_disk = there;
  facts.connection = connection;
  return older_copy(facts, disk, "A", "B");
}

TEST(OlderCopy, IsNamedWithItsNodeAndWhatEndsIt) {
  const auto there = seen_by_a(DiskState::up_to_date, DiskState::outdated);
  ASSERT_TRUE(there);
  EXPECT_EQ(there->node, "B");
  EXPECT_NE(there->text.find("vm1-0 on B is older"), std::string::npos);
  EXPECT_NE(there->text.find("not redundant"), std::string::npos);
  EXPECT_NE(there->next.find("replication link"), std::string::npos);
  const auto here = seen_by_a(DiskState::outdated, DiskState::unknown);
  ASSERT_TRUE(here);
  EXPECT_EQ(here->node, "A");
  EXPECT_NE(here->next.find("bring B"), std::string::npos);
}

TEST(OlderCopy, IsNotGuessed) {
  EXPECT_FALSE(seen_by_a(DiskState::up_to_date, DiskState::unknown));
  EXPECT_FALSE(seen_by_a(DiskState::consistent, DiskState::unknown));
  EXPECT_FALSE(seen_by_a(DiskState::up_to_date, DiskState::inconsistent)) << "being copied when they lost each other: not an older copy, none";
  EXPECT_FALSE(seen_by_a(DiskState::outdated, DiskState::outdated)) << "neither knows";
  EXPECT_FALSE(seen_by_a(DiskState::up_to_date, DiskState::outdated, ConnectionState::connected)) << "it is being resynchronised";
}

}  // namespace
}  // namespace mcv::older_copy_test

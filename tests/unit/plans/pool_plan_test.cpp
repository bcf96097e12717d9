// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/plans/cluster_plans.h"
#include "fixture.h"

namespace mcv::plans::pool_plan_test {
namespace {

using testing::ElementsAre;

const NodeName a = NodeName::trusted("A");

/// "ssd", in vg0 on A and in data on B, where there is such a thin pool already.
Result<Plan> create(bool waits, bool ours, PoolKind kind = PoolKind::thin) {
  requests::CreatePool request;
  request.name = PoolName::trusted("ssd");
  request.kind = kind;
  request.volume_group = "vg0";
  request.per_node_volume_group = {{"B", "data"}};
  Facts facts = test::both();
  facts.at("B").volume_group_free = {{"data", Bytes::gib(20)}};
  facts.at("B").thin_pools["data/mcv-ssd"] = {Bytes::gib(10), Bytes(), 10, Bytes::kib(64), waits, ours};
  return create_pool(test::pair_state(), facts, a, request);
}

TEST(CreatePool, RefusesOneOnEitherNodeThatLetsWritesWaitBeforeAnythingIsMade) {
  const auto refused = create(/*waits=*/true, /*ours=*/false);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::pool_waits);
  EXPECT_EQ(refused.error().next(), "on B: lvchange --errorwhenfull y data/mcv-ssd");
  const auto ours = create(/*waits=*/true, /*ours=*/true);
  ASSERT_TRUE(ours.ok()) << "the step sets mcv's own right: " << ours.error().to_text();
  EXPECT_THAT(test::shape(*ours), ElementsAre("pool.create@A", "pool.create@B", "!record@A"));
  EXPECT_TRUE(create(/*waits=*/false, /*ours=*/false).ok());
  EXPECT_TRUE(create(/*waits=*/true, /*ours=*/false, PoolKind::thick).ok()) << "not in it";
}

}  // namespace
}  // namespace mcv::plans::pool_plan_test

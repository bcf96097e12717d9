// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/pool_alarm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/model/observation.h"

namespace mcv::pool_alarm_test {
namespace {

using testing::HasSubstr;
using enum PoolAlarm;

PoolFill fill(double data, std::optional<double> metadata = std::nullopt) { return {data, metadata, ""}; }

struct Row {
  PoolFill fill;
  PoolAlarm before;
  PoolAlarm after;
};

class PoolAlarmTable : public testing::TestWithParam<Row> {};

TEST_P(PoolAlarmTable, IsThis) { EXPECT_EQ(to_text(pool_alarm(GetParam().fill, GetParam().before)), to_text(GetParam().after)); }

INSTANTIATE_TEST_SUITE_P(Thresholds, PoolAlarmTable,
                         testing::Values(Row{fill(0, 0.0), none, none}, Row{fill(79.9, 10.0), none, none}, Row{fill(80, 10.0), none, filling}, Row{fill(90, 10.0), none, nearly_full},
                                         Row{fill(95, 10.0), none, full}, Row{fill(100, 10.0), none, full},
                                         // Metadata runs out by itself.
                                         Row{fill(10, 80.0), none, filling}, Row{fill(10, 96.0), none, full}, Row{fill(85), none, filling},
                                         // Going down: only clearly below.
                                         Row{fill(79.5), filling, filling}, Row{fill(78.9), filling, none}, Row{fill(89.2), nearly_full, nearly_full}, Row{fill(88.9), nearly_full, filling},
                                         Row{fill(94.5), full, full}, Row{fill(93.9), full, nearly_full}, Row{fill(20), full, none},
                                         // A pool that is not there says nothing of its fill, before and after.
                                         Row{PoolFill{99, 1.0, "gone"}, none, broken}, Row{PoolFill{0, 0.0, "gone"}, full, broken}, Row{fill(79.5), broken, none}, Row{fill(85), broken, filling}));

TEST(PoolAlarm, NamesWhatRunsOutAndTheCommandForIt) {
  const auto pool = PoolName::trusted("fast");
  const auto node = NodeName::trusted("B");
  const PoolAdvice data = explain(nearly_full, fill(91.26, 12.0), pool, node, "vg0/fast");
  EXPECT_THAT(data.text, HasSubstr("storage pool fast on B fills up: data 91.3 %, metadata 12.0 %"));
  EXPECT_THAT(data.text, HasSubstr("nothing new is created"));
  EXPECT_THAT(data.next, HasSubstr("on B: lvextend --size +10G vg0/fast"));
  const PoolAdvice metadata = explain(full, fill(20, 96.0), pool, node, "vg0/fast");
  EXPECT_THAT(metadata.text, HasSubstr("guests write to the other node alone"));
  EXPECT_THAT(metadata.next, HasSubstr("lvextend --poolmetadatasize +256M vg0/fast"));
  const PoolAdvice directory = explain(filling, fill(85), pool, node, "");
  EXPECT_THAT(directory.text, HasSubstr("85.0 % used"));
  EXPECT_THAT(directory.next, testing::Not(HasSubstr("lvextend")));
  const PoolAdvice gone = explain(broken, PoolFill{0, {}, "there is no volume group vg0 on this node"}, pool, node, "vg0/fast");
  EXPECT_THAT(gone.text, HasSubstr("fast on B: there is no volume group vg0"));
  const PoolAdvice waiting = explain_waiting(pool, node, "vg0/fast");
  EXPECT_THAT(waiting.text, HasSubstr("storage pool fast on B lets writes wait when it is full"));
  EXPECT_EQ(waiting.next, "on B: lvchange --errorwhenfull y vg0/fast");
}

TEST(PoolAlarm, TravelsWithTheFactsOfItsNode) {
  NodeFacts facts;
  facts.name = NodeName::trusted("A");
  facts.pools["fast"] = {PoolFill{91.5, 3.25, ""}, nearly_full};
  facts.pools["fast"].fill.waits_when_full = true;
  facts.pools["images"] = {PoolFill{12, std::nullopt, "it is gone"}, broken};
  const auto copy = node_facts_from_json(to_json(facts));
  ASSERT_TRUE(copy.ok()) << copy.error().message();
  EXPECT_EQ(copy->pools.at("fast").alarm, nearly_full);
  EXPECT_EQ(copy->pools.at("fast").fill.data_percent, 91.5);
  EXPECT_EQ(copy->pools.at("fast").fill.metadata_percent, 3.25);
  EXPECT_TRUE(copy->pools.at("fast").fill.waits_when_full);
  EXPECT_FALSE(copy->pools.at("images").fill.waits_when_full);
  EXPECT_EQ(copy->pools.at("images").alarm, broken);
  EXPECT_EQ(copy->pools.at("images").fill.problem, "it is gone");
  EXPECT_FALSE(copy->pools.at("images").fill.metadata_percent.has_value());
}

TEST(PoolAlarm, ANodeOfAnOlderBuildHasSeenNone) {
  NodeFacts facts;
  facts.name = NodeName::trusted("A");
  Json json = to_json(facts);
  json.erase("pools");
  const auto copy = node_facts_from_json(json);
  ASSERT_TRUE(copy.ok()) << copy.error().message();
  EXPECT_TRUE(copy->pools.empty());
}

}  // namespace
}  // namespace mcv::pool_alarm_test

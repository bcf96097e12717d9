// SPDX-License-Identifier: Apache-2.0
// A rolling upgrade to the next format of the configuration, both daemons whole. The decisions are in store/abilities_test.cpp,
// chance in the simulator's kind upgrade.
#include <gtest/gtest.h>

#include "cluster/store/abilities.h"
#include "two_nodes.h"

namespace mcv::test::formats_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;

Abilities knows(std::uint64_t format) {
  Abilities abilities;
  abilities.format = format;
  return abilities;
}
Abilities knows_no_feature() { return {newest_format, {}}; }

class Upgrade : public testing::Test {
 protected:
  void make_cluster() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  }
  /// In contact again, with one history: entry by entry, and in the same bytes.
  void expect_equal(const char* when) {
    const auto together = [&] {
      return nodes.up(a) && nodes.up(b) && nodes.daemon(a).shared.link().state == LinkState::together && nodes.daemon(b).shared.link().state == LinkState::together;
    };
    nodes.run_events(together, 300s);
    nodes.pass(5s);
    ASSERT_TRUE(together()) << when << ": " << nodes.daemon(a).shared.link().reason;
    EXPECT_EQ(nodes.daemon(a).shared.position(), nodes.daemon(b).shared.position()) << when;
    EXPECT_EQ(nodes.daemon(a).shared.current().hash(), nodes.daemon(b).shared.current().hash()) << when;
    const auto& here = nodes.store(a).tables.at("log");
    const auto& there = nodes.store(b).tables.at("log");
    for (const auto& [index, entry] : there) {
      if (!here.contains(index)) continue;
      EXPECT_EQ(here.at(index), entry) << when;
    }
  }
  void change_from_both(const char* when) {
    expect_equal(when);
    const std::uint64_t before = nodes.daemon(a).shared.position().index;
    for (const std::size_t node : TwoNodes::both) {
      nodes.must(node, "PATCH", "/v1/cluster", {{"peer_loss", "freeze"}});
      expect_equal(when);
    }
    EXPECT_EQ(nodes.daemon(a).shared.position().index, before + 2) << when;
  }
  ErrorCode refusal(std::size_t node, const std::string& method, const std::string& target, const Json& body) {
    const auto answer = nodes.ask(node, method, target, body);
    if (answer.error) {
      EXPECT_FALSE(answer.error->next().empty()) << answer.error->to_text();
    }
    return answer.error ? answer.error->code() : ErrorCode::internal;
  }
  ErrorCode raise_refused(std::size_t node) { return refusal(node, "POST", "/v1/cluster/upgrade-format", Json::object()); }
  Json info(std::size_t node) { return nodes.ask(node, "GET", "/v1/info").body; }
  std::uint64_t last_entry_format(std::size_t node) { return parse_json(nodes.store(node).tables.at("log").rbegin()->second)->at("format").get<std::uint64_t>(); }
  std::size_t guests(std::size_t node) { return nodes.machine(node).vmms.size(); }

  TwoNodes nodes;
};

TEST_F(Upgrade, NodeByNodeThenTheFormatThenAStateForTheOneThatWasAway) {
  make_cluster();
  nodes.upgrade(b, knows(trial_format));
  change_from_both("B knows the next format");
  EXPECT_EQ(info(a).at("formats_known"), (Json{{"A", newest_format}, {"B", trial_format}}));
  EXPECT_EQ(raise_refused(a), ErrorCode::format_unknown);
  EXPECT_EQ(raise_refused(b), ErrorCode::format_unknown);
  for (const std::size_t node : TwoNodes::both) {
    nodes.end_daemon(node);
    nodes.start_daemon(node);
    change_from_both("a daemon was restarted");
  }
  for (const std::size_t node : {b, a}) {
    nodes.switch_off(node);
    nodes.pass(20s);
    nodes.switch_on(node);
    change_from_both("a node lost its power");
  }
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  EXPECT_EQ(last_entry_format(a), newest_format);
  // The way back is open until it is raised.
  nodes.upgrade(b, knows(newest_format));
  change_from_both("B has the older package again");
  for (const std::size_t node : {b, a}) nodes.upgrade(node, knows(trial_format));
  change_from_both("both know the next format");
  EXPECT_EQ(last_entry_format(b), newest_format);
  EXPECT_EQ(nodes.ask(b, "POST", "/v1/cluster/upgrade-format?dry_run=true", Json::object()).body.at("plan").size(), 1u);
  EXPECT_EQ(info(a).at("format"), newest_format);
  nodes.must(b, "POST", "/v1/cluster/upgrade-format", Json::object());
  change_from_both("it was raised");
  EXPECT_EQ(info(a).at("format"), trial_format);
  EXPECT_EQ(last_entry_format(a), trial_format);
  nodes.must(a, "POST", "/v1/cluster/upgrade-format", Json::object());
  EXPECT_TRUE(nodes.ask(b, "POST", "/v1/cluster/upgrade-format?dry_run=true", Json::object()).body.at("plan").empty()) << "nothing is left to do";
  nodes.switch_off(b);
  nodes.pass(20s);
  nodes.must(a, "POST", "/v1/cluster/confirm-down", {{"node", "B"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}});
  for (int i = 0; i < 5; ++i) nodes.must(a, "PATCH", "/v1/vms/vm1", {{"delete_protection", i % 2 == 0}});
  nodes.switch_on(b);
  change_from_both("B took the whole state");
}

TEST_F(Upgrade, IsNotFinishedWhileTheOtherNodeIsAway) {
  make_cluster();
  for (const std::size_t node : TwoNodes::both) nodes.upgrade(node, knows(trial_format));
  nodes.pass(10s);
  nodes.switch_off(b);
  nodes.pass(20s);
  EXPECT_EQ(raise_refused(a), ErrorCode::peer_unreachable);
  EXPECT_EQ(info(a).at("formats_known"), (Json{{"A", trial_format}, {"B", nullptr}}));
  nodes.must(a, "POST", "/v1/cluster/confirm-down", {{"node", "B"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}});
  EXPECT_EQ(raise_refused(a), ErrorCode::peer_unreachable) << "authority knows nothing of a build";
  EXPECT_EQ(info(a).at("format"), newest_format);
}

TEST_F(Upgrade, AnOlderPackageRefusesARaisedConfigurationAndItsGuestsGoOn) {
  make_cluster();
  for (const std::size_t node : TwoNodes::both) nodes.upgrade(node, knows(trial_format));
  nodes.pass(10s);
  nodes.must(a, "POST", "/v1/cluster/upgrade-format", Json::object());
  const auto before = nodes.store(a).tables;
  ASSERT_EQ(guests(a), 1u);
  nodes.upgrade(a, knows(newest_format));
  ASSERT_TRUE(nodes.failure(a));
  EXPECT_EQ(nodes.failure(a)->code(), ErrorCode::format_unknown);
  EXPECT_NE(nodes.failure(a)->next().find("newer package"), std::string::npos);
  nodes.pass(30s);
  EXPECT_EQ(nodes.store(a).tables, before);
  EXPECT_EQ(guests(a), 1u);
  nodes.upgrade(a, knows(trial_format));
  EXPECT_FALSE(nodes.failure(a));
  change_from_both("the newer package is back");
  EXPECT_EQ(nodes.daemon(a).guests.facts(VmName::trusted("vm1")).state, RunState::running);
}

TEST_F(Upgrade, ABlankNodeOfAnOlderBuildIsRefusedBeforeAnythingIsTouched) {
  nodes.upgrade(a, knows(trial_format));
  for (const std::size_t node : TwoNodes::both) nodes.initialise(node);
  nodes.must(a, "POST", "/v1/cluster/upgrade-format", Json::object());
  const std::string invited = nodes.invitation(b);
  const auto before = nodes.store(b).tables;
  const auto checked = nodes.add(a, invited, true);
  ASSERT_TRUE(checked.ok());
  EXPECT_FALSE(checked.body.at("suitable").get<bool>());
  const auto refused = nodes.add(a, invited);
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code(), ErrorCode::format_unknown) << refused.error->to_text();
  EXPECT_NE(refused.error->message().find("the build on B knows formats up to 1"), std::string::npos) << refused.error->to_text();
  EXPECT_EQ(nodes.store(b).tables, before);
  for (const std::size_t node : TwoNodes::both) {
    EXPECT_FALSE(nodes.daemon(node).shared.current().is_cluster());
    EXPECT_FALSE(nodes.daemon(node).reservation.kept());
    EXPECT_TRUE(nodes.daemon(node).operations.list().empty());
  }
  nodes.upgrade(b, knows(trial_format));
  nodes.must(a, "POST", "/v1/cluster/add-node", {{"connect_string", nodes.invitation(b)}, {"check_only", false}});
  change_from_both("it joined with the newer package");
}

TEST_F(Upgrade, TheJoinOfADifferentBuildWaitsForTheSamePackage) {
  nodes.upgrade(a, knows(trial_format));
  for (const std::size_t node : TwoNodes::both) nodes.initialise(node);
  const auto refused = nodes.add(a, nodes.invitation(b));
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code(), ErrorCode::version_mismatch) << refused.error->to_text();
  const auto other_way = nodes.add(b, nodes.invitation(a));
  ASSERT_TRUE(other_way.error);
  EXPECT_EQ(other_way.error->code(), ErrorCode::version_mismatch) << other_way.error->to_text();
}

TEST_F(Upgrade, RunAloneIsNotSetWhileTheOtherBuildDoesNotKnowIt) {
  make_cluster();
  nodes.upgrade(b, knows_no_feature());
  nodes.pass(10s);
  const Json run_alone = {{"peer_loss", "run-alone"}};
  EXPECT_EQ(refusal(a, "PATCH", "/v1/cluster", run_alone), ErrorCode::version_mismatch);
  EXPECT_EQ(refusal(b, "PATCH", "/v1/cluster", run_alone), ErrorCode::version_mismatch);
  EXPECT_EQ(info(a).at("peer_loss"), "freeze");
  nodes.upgrade(b, Abilities());
  nodes.pass(10s);
  nodes.must(a, "PATCH", "/v1/cluster", run_alone);
  EXPECT_EQ(info(a).dump().find("does not know the policy run-alone"), std::string::npos);
  nodes.upgrade(b, knows_no_feature());
  nodes.pass(10s);
  EXPECT_NE(info(a).dump().find("the build on B does not know the policy run-alone"), std::string::npos);
}

}  // namespace
}  // namespace mcv::test::formats_test

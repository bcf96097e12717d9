// SPDX-License-Identifier: Apache-2.0
// A machine is shut down in order, through both daemons. What may happen in between is the simulation's (leave_schedule.cpp).
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;

/// vm1 runs on A.
class LeaveTest : public testing::Test {
 protected:
  LeaveTest() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
    nodes.pass(10s);
  }

  TwoNodes::Answer leave(std::size_t node) {
    nodes.machine(node).shutting_down = true;
    return nodes.ask(node, "POST", "/v1/node/leave", Json::object());
  }
  void shut_down(std::size_t node) {
    const TwoNodes::Answer answer = leave(node);
    ASSERT_TRUE(answer.ok());
    ASSERT_TRUE(answer.body.at("result").at("left").get<bool>()) << answer.body.dump();
    nodes.end_daemon(node);
    nodes.power_off(node);
    nodes.pass(10s);
  }
  std::string warnings(std::size_t node) { return nodes.ask(node, "GET", "/v1/info").body.at("warnings").dump(); }
  RunState state_of_vm1(std::size_t node) { return nodes.daemon(node).guests.facts(VmName::trusted("vm1")).state; }

  TwoNodes nodes;
};

TEST_F(LeaveTest, IsRefusedWhileTheMachineIsNotShutDown) {
  const TwoNodes::Answer answer = nodes.ask(a, "POST", "/v1/node/leave", Json::object());
  ASSERT_TRUE(answer.error);
  EXPECT_EQ(answer.error->code(), ErrorCode::not_confirmed);
  EXPECT_EQ(state_of_vm1(a), RunState::running);
  EXPECT_TRUE(nodes.ask(b, "GET", "/v1/info").body.at("peer").at("left_since").is_null());
}

TEST_F(LeaveTest, TheOtherNodeGoesOnWithoutAHoldAndWithoutAWord) {
  shut_down(b);
  const Json info = nodes.ask(a, "GET", "/v1/info").body;
  EXPECT_TRUE(info.at("peer").at("left_since").is_number()) << info.dump();
  EXPECT_EQ(info.at("nodes").at(1).at("status"), "left");
  EXPECT_EQ(info.at("link"), "alone");
  EXPECT_NE(info.at("warnings").dump().find("B left in order, since"), std::string::npos) << info.dump();
  for (const sim::SimDrbd::Seen& seen : nodes.replication().look(a)) EXPECT_FALSE(seen.held);
  EXPECT_TRUE(nodes.ask(a, "PATCH", "/v1/vms/vm1", {{"autostart", true}}).ok());
}

TEST_F(LeaveTest, AVmOfTheLeaverIsStartedHere) {
  shut_down(a);
  nodes.must(b, "POST", "/v1/vms/vm1/start", Json::object());
  EXPECT_EQ(state_of_vm1(b), RunState::running);
  nodes.power_on(a);
  nodes.pass(60s);
  EXPECT_EQ(nodes.ask(a, "GET", "/v1/info").body.at("link"), "together");
  EXPECT_TRUE(nodes.ask(b, "GET", "/v1/info").body.at("nodes").at(0).at("left_since").is_null());
  EXPECT_EQ(warnings(a), "[]");
  EXPECT_EQ(state_of_vm1(a), RunState::stopped);
}

TEST_F(LeaveTest, TheLeaverAloneOpensNothingAndSaysWhatToDo) {
  shut_down(a);
  nodes.power_off(b);
  nodes.power_on(a);
  nodes.pass(30s);
  EXPECT_NE(warnings(a).find("A left in order at"), std::string::npos) << warnings(a);
  nodes.ask(a, "POST", "/v1/vms/vm1/start", Json::object());
  nodes.pass(60s);
  EXPECT_EQ(state_of_vm1(a), RunState::stopped);
  const TwoNodes::Answer confirmed =
      nodes.ask(a, "POST", "/v1/cluster/confirm-down", {{"node", "B"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}});
  ASSERT_TRUE(confirmed.error);
  EXPECT_EQ(confirmed.error->code(), ErrorCode::no_authority);
  EXPECT_NE(confirmed.error->next().find("switch B on"), std::string::npos) << confirmed.error->next();
}

TEST_F(LeaveTest, TheSecondOfTwoHasNobodyToTell) {
  shut_down(b);
  const TwoNodes::Answer answer = leave(a);
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(answer.body.at("result").at("left").get<bool>());
  EXPECT_EQ(state_of_vm1(a), RunState::stopped);
  EXPECT_TRUE(nodes.replication().look(a).empty()) << "its legs are down";
}

}  // namespace
}  // namespace mcv::test

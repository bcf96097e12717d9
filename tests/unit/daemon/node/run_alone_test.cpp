// SPDX-License-Identifier: Apache-2.0
// The policy run-alone, and a copy that a person accepts. The decisions are in authority/peer_loss_test.cpp, chance in the
// simulator's kind run-alone.
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::run_alone_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;
const VolumeName disk = VolumeName::trusted("vm1-0");
const Json b_is_down = {{"node", "B"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}};
const Json a_is_down = {{"node", "A"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}};
const Json older = {{"volume", "vm1-0"}, {"may_be_older", true}};

class Nodes : public TwoNodes {
 public:
  /// From here on the auditor knows vm1's disk as it is there: what it lacks was announced.
  void lose_by_acceptance(std::size_t node) {
    accepted_on_["vm1"] = node;
    acknowledged_["vm1"].clear();
  }
};

/// vm1 runs on A.
class RunAlonePolicy : public testing::Test {
 protected:
  RunAlonePolicy() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    nodes.must(a, "PATCH", "/v1/cluster", {{"peer_loss", "run-alone"}});
    nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
    nodes.pass(5s);
  }

  sim::SimDrbd::Seen leg(std::size_t node) { return nodes.replication().look(node).at(0); }
  bool is_alone(std::size_t asked, const char* node) { return nodes.daemon(asked).authority.standpoint().ledger.stands(NodeName::trusted(node), disk); }
  std::string text(std::size_t node, const std::string& target) { return nodes.ask(node, "GET", target).body.dump(); }
  bool says(std::size_t node, const char* words) { return text(node, "/v1/info").find(words) != std::string::npos; }
  ErrorCode refusal(std::size_t node, const std::string& target, const Json& body) {
    const auto answer = nodes.ask(node, "POST", target, body);
    return answer.error ? answer.error->code() : ErrorCode::internal;
  }
  void cut_everything() {
    nodes.cut_cluster_link();
    nodes.replication().cut();
  }

  Nodes nodes;
};

TEST_F(RunAlonePolicy, LetsTheGuestGoOnByARecordOfItsOwnAndSaysSo) {
  EXPECT_TRUE(says(b, "\"peer_loss\":\"run-alone\""));
  nodes.switch_off(b);
  nodes.pass(15s);
  EXPECT_FALSE(leg(a).held);
  EXPECT_TRUE(is_alone(a, "A"));
  EXPECT_TRUE(says(a, "vm1-0 runs alone since"));
  EXPECT_NE(text(a, "/v1/vms/vm1").find("\"cause\":\"policy\""), std::string::npos);
  // No authority came with it.
  EXPECT_EQ(refusal(a, "/v1/networks", {{"name", "other"}, {"bridge", "br0"}}), ErrorCode::peer_unreachable);
  EXPECT_EQ(refusal(a, "/v1/cluster/accept-copy", older), ErrorCode::no_authority);
  nodes.switch_on(b);
  nodes.pass(60s);
  EXPECT_EQ(leg(b).disk, "UpToDate");
  for (const std::size_t node : TwoNodes::both) {
    EXPECT_FALSE(is_alone(node, "A"));
    EXPECT_FALSE(says(node, "runs alone"));
    EXPECT_NE(text(node, "/v1/vms/vm1").find("\"redundant\":true"), std::string::npos);
  }
}

TEST_F(RunAlonePolicy, FreezeIsTheDefaultAndHolds) {
  nodes.must(b, "PATCH", "/v1/cluster", {{"peer_loss", "freeze"}});
  nodes.switch_off(b);
  nodes.pass(60s);
  EXPECT_TRUE(leg(a).held);
  EXPECT_FALSE(is_alone(a, "A"));
}

TEST_F(RunAlonePolicy, AsksForConsentWhileTheDaemonsTalk) {
  nodes.replication().cut();
  nodes.pass(15s);
  EXPECT_FALSE(leg(a).held);
  EXPECT_EQ(leg(b).disk, "Outdated");
  EXPECT_FALSE(is_alone(a, "A"));
}

TEST_F(RunAlonePolicy, GoesOnLaterWhereTheKernelAskedNobody) {
  nodes.end_daemon(a);
  nodes.switch_off(b);
  nodes.pass(30s);
  EXPECT_TRUE(leg(a).held);
  nodes.start_daemon(a);
  nodes.pass(30s);
  EXPECT_FALSE(leg(a).held);
  EXPECT_TRUE(is_alone(a, "A"));
  nodes.switch_on(b);
  nodes.pass(120s);
  EXPECT_EQ(leg(b).disk, "UpToDate") << "it was taken apart and is connected again";
  EXPECT_FALSE(is_alone(a, "A"));
}

TEST_F(RunAlonePolicy, OpensNothingAfterARebootBeforeAPersonSaysThatTheOtherNodeIsOff) {
  nodes.switch_off(b);
  nodes.pass(15s);
  nodes.switch_off(a);
  nodes.switch_on(a);
  nodes.pass(30s);
  const auto started = nodes.ask(a, "POST", "/v1/vms/vm1/start", Json::object());
  nodes.pass(30s);
  EXPECT_FALSE(leg(a).primary);
  EXPECT_NE(nodes.daemon(a).guests.facts(VmName::trusted("vm1")).state, RunState::running);
  nodes.must(a, "POST", "/v1/cluster/confirm-down", b_is_down);
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
}

TEST_F(RunAlonePolicy, WhatTheOtherNodeMayHaveWrittenAloneIsAcceptedByNameOnly) {
  nodes.switch_off(a);
  nodes.pass(15s);
  EXPECT_EQ(refusal(b, "/v1/cluster/accept-copy", older), ErrorCode::no_authority);
  const auto confirmed = nodes.ask(b, "POST", "/v1/cluster/confirm-down", a_is_down);
  ASSERT_FALSE(confirmed.error) << confirmed.error->to_text();
  EXPECT_NE(confirmed.body.dump().find("vm1-0 stays closed: the policy run-alone let A go on"), std::string::npos) << confirmed.body.dump();
  const auto refused = nodes.ask(b, "POST", "/v1/vms/vm1/start", Json::object());
  ASSERT_TRUE(refused.error);
  EXPECT_NE(refused.error->next().find("hvctl cluster accept-copy vm1-0"), std::string::npos) << refused.error->next();
  // A change of the policy made now says nothing of what A did before; nor does typing the facts again.
  nodes.must(b, "PATCH", "/v1/cluster", {{"peer_loss", "freeze"}});
  nodes.ask(b, "POST", "/v1/cluster/confirm-down", a_is_down);
  EXPECT_EQ(refusal(b, "/v1/vms/vm1/start", Json::object()), ErrorCode::not_up_to_date);
  EXPECT_EQ(refusal(b, "/v1/cluster/accept-copy", {{"volume", "vm1-0"}}), ErrorCode::not_confirmed);
  const auto accepted = nodes.ask(b, "POST", "/v1/cluster/accept-copy", older);
  ASSERT_FALSE(accepted.error) << accepted.error->to_text();
  EXPECT_NE(accepted.body.dump().find("A keeps its own record of vm1-0 while it is off"), std::string::npos) << accepted.body.dump();
  nodes.must(b, "POST", "/v1/vms/vm1/start", Json::object());
  nodes.pass(5s);
  EXPECT_TRUE(leg(b).primary);
  // A had written nothing alone: its copy is the older one after all, and everything is one again.
  nodes.switch_on(a);
  nodes.pass(120s);
  EXPECT_EQ(leg(a).disk, "UpToDate");
  EXPECT_FALSE(is_alone(a, "B"));
}

TEST_F(RunAlonePolicy, TwoCopiesAreKeptAndBothNodesSayIt) {
  cut_everything();
  nodes.pass(15s);
  EXPECT_FALSE(leg(a).held);
  nodes.switch_off(a);
  nodes.must(b, "POST", "/v1/cluster/confirm-down", a_is_down);
  nodes.must(b, "POST", "/v1/cluster/accept-copy", older);
  nodes.lose_by_acceptance(b);
  nodes.must(b, "POST", "/v1/vms/vm1/start", Json::object());
  nodes.pass(5s);
  nodes.replication().heal();
  nodes.heal_cluster_link();
  nodes.switch_on(a);
  nodes.pass(120s);
  EXPECT_EQ(leg(a).connection, "StandAlone");
  EXPECT_EQ(leg(b).connection, "StandAlone");
  for (const std::size_t node : TwoNodes::both) {
    EXPECT_TRUE(says(node, "vm1-0 has two copies"));
    EXPECT_TRUE(says(node, "on A: drbdadm disconnect mcv-vm1-0; drbdadm connect --discard-my-data mcv-vm1-0"));
    EXPECT_NE(text(node, "/v1/vms/vm1").find("\"redundant\":false"), std::string::npos);
  }
  EXPECT_TRUE(leg(b).primary) << "B's guest goes on";
}

TEST_F(RunAlonePolicy, ACopySetAsideByConsentIsAcceptedUnderFreezeToo) {
  nodes.must(a, "PATCH", "/v1/cluster", {{"peer_loss", "freeze"}});
  nodes.replication().cut();
  nodes.pass(15s);
  EXPECT_EQ(leg(b).disk, "Outdated");
  EXPECT_EQ(refusal(b, "/v1/cluster/accept-copy", older), ErrorCode::peer_answers);
  nodes.switch_off(a);
  nodes.pass(15s);
  nodes.must(b, "POST", "/v1/cluster/confirm-down", a_is_down);
  EXPECT_EQ(refusal(b, "/v1/vms/vm1/start", Json::object()), ErrorCode::not_up_to_date);
  nodes.must(b, "POST", "/v1/cluster/accept-copy", older);
  nodes.lose_by_acceptance(b);
  nodes.must(b, "POST", "/v1/vms/vm1/start", Json::object());
  nodes.pass(5s);
  EXPECT_TRUE(leg(b).primary);
  nodes.replication().heal();
  nodes.switch_on(a);
  nodes.pass(120s);
  EXPECT_NE(leg(a).connection, "Connected") << "nothing is overwritten";
  for (const std::size_t node : TwoNodes::both) EXPECT_TRUE(says(node, "vm1-0 has two copies"));
}

TEST(PeerLossAtJoin, IsRecordedBeforeTheFirstReplicatedDisk) {
  TwoNodes nodes;
  for (const std::size_t node : TwoNodes::both) nodes.initialise(node);
  const std::string invited = nodes.invitation(b);
  nodes.must(a, "POST", "/v1/cluster/add-node", {{"connect_string", invited}, {"check_only", false}, {"peer_loss", "run-alone"}});
  nodes.pass(10s);
  for (const std::size_t node : TwoNodes::both) EXPECT_EQ(peer_loss(nodes.daemon(node).shared.current()), PeerLoss::run_alone);
  const auto other = nodes.ask(a, "PATCH", "/v1/cluster", {{"peer_loss", "carry-on"}});
  ASSERT_TRUE(other.error);
  EXPECT_EQ(other.error->code(), ErrorCode::bad_request);
}

}  // namespace
}  // namespace mcv::test::run_alone_test

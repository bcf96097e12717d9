// SPDX-License-Identifier: Apache-2.0
// Only the replication link is lost. The decisions are in authority/consent_test.cpp, chance in the simulator's kind consent.
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::consent_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;
const VolumeName disk = VolumeName::trusted("vm1-0");

class ConsentOfB : public testing::Test {
 protected:
  ConsentOfB() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
    nodes.pass(5s);
  }

  sim::SimDrbd::Seen leg(std::size_t node) { return nodes.replication().look(node).at(0); }
  bool is_set_aside(std::size_t asked) { return nodes.daemon(asked).authority.standpoint().consents.stands(NodeName::trusted("B"), disk); }
  std::string texts(std::size_t node, const std::string& target) { return nodes.ask(node, "GET", target).body.dump(); }

  TwoNodes nodes;
};

TEST_F(ConsentOfB, LetsTheGuestGoOnAndEndsWhenBothCopiesAreEqual) {
  nodes.replication().cut();
  nodes.pass(10s);
  EXPECT_FALSE(leg(a).held);
  EXPECT_EQ(leg(b).disk, "Outdated");
  EXPECT_TRUE(is_set_aside(b));
  EXPECT_TRUE(is_set_aside(a)) << "its record is at the other node, too";
  for (const std::size_t asked : TwoNodes::both) {
    for (const char* target : {"/v1/info", "/v1/vms/vm1", "/v1/drbd"}) EXPECT_NE(texts(asked, target).find("the copy of vm1-0 on B is older"), std::string::npos) << target;
  }
  const auto moved = nodes.ask(a, "POST", "/v1/vms/vm1/migrate", {{"node", "B"}, {"wait_for_shutdown", true}});
  ASSERT_TRUE(moved.error);
  EXPECT_EQ(moved.error->code(), ErrorCode::not_up_to_date);
  nodes.replication().heal();
  nodes.pass(30s);
  for (const std::size_t node : TwoNodes::both) {
    EXPECT_EQ(leg(node).disk, "UpToDate");
    EXPECT_FALSE(is_set_aside(node));
    EXPECT_EQ(texts(node, "/v1/info").find("older"), std::string::npos);
    EXPECT_TRUE(nodes.daemon(node).records.read(authority::consent_kind).empty()) << "nothing is left of it";
  }
}

TEST_F(ConsentOfB, OutlivesBsDaemonAndKernelAndNothingOpensItsCopy) {
  nodes.replication().cut();
  nodes.pass(10s);
  nodes.switch_off(a);
  nodes.switch_off(b);
  nodes.switch_on(b);
  nodes.pass(30s);
  EXPECT_TRUE(is_set_aside(b));
  EXPECT_EQ(leg(b).disk, "Outdated");
  const auto confirmed = nodes.ask(b, "POST", "/v1/cluster/confirm-down", {{"node", "A"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}});
  ASSERT_FALSE(confirmed.error) << confirmed.error->to_text();
  EXPECT_NE(confirmed.body.dump().find("vm1-0 stays closed"), std::string::npos) << confirmed.body.dump();
  const auto started = nodes.ask(b, "POST", "/v1/vms/vm1/start", Json::object());
  ASSERT_TRUE(started.error);
  EXPECT_EQ(started.error->code(), ErrorCode::not_up_to_date);
  EXPECT_FALSE(started.error->next().empty());
}

TEST_F(ConsentOfB, IsOutweighedByAnAcceptanceAndTheDeadNodeIsRemoved) {
  nodes.replication().cut();
  nodes.pass(10s);
  nodes.switch_off(a);
  nodes.pass(30s);
  nodes.must(b, "POST", "/v1/cluster/confirm-down", {{"node", "A"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}});
  const Json remove = {{"node", "A"}, {"dead", true}};
  const auto refused = nodes.ask(b, "POST", "/v1/cluster/remove-node", remove);
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code(), ErrorCode::not_up_to_date);
  EXPECT_NE(refused.error->next().find("hvctl cluster accept-copy"), std::string::npos) << refused.error->next();
  nodes.must(b, "POST", "/v1/cluster/accept-copy", {{"volume", "vm1-0"}, {"may_be_older", true}});
  EXPECT_EQ(leg(b).disk, "Outdated") << "accepted is not opened";
  nodes.must(b, "POST", "/v1/cluster/remove-node", remove);
  EXPECT_EQ(leg(b).disk, "UpToDate") << "the only copy there is";
  EXPECT_FALSE(leg(b).primary);
  // Nobody opened it yet, and a replacement can be copied to from it.
  nodes.replication().heal();
  nodes.switch_on(a);
  nodes.reinstall(a);
  nodes.machine(a).lvm.volumes.clear();
  nodes.initialise(a);
  const auto added = nodes.ask(b, "POST", "/v1/cluster/add-node", {{"connect_string", nodes.invitation(a)}, {"check_only", false}});
  ASSERT_FALSE(added.error) << added.error->to_text();
  nodes.pass(90s);
  for (const OperationView& view : nodes.daemon(b).operations.list()) EXPECT_FALSE(view.error) << view.error->to_text();
  EXPECT_TRUE(nodes.daemon(b).drbd.volumes().at("vm1-0").redundant());
  EXPECT_FALSE(is_set_aside(b));
}

TEST_F(ConsentOfB, IsAskedForAgainByADaemonThatWasAwayWhenTheKernelAsked) {
  nodes.end_daemon(a);
  nodes.replication().cut();
  nodes.pass(60s);
  EXPECT_TRUE(leg(a).held) << "the kernel was not answered";
  nodes.start_daemon(a);
  nodes.pass(60s);
  EXPECT_FALSE(leg(a).held);
  EXPECT_EQ(leg(b).disk, "Outdated");
  EXPECT_EQ(leg(a).connection, "Connecting") << "it looks for the other copy again";
  nodes.replication().heal();
  nodes.pass(30s);
  EXPECT_EQ(leg(b).disk, "UpToDate");
  EXPECT_FALSE(is_set_aside(b));
}

TEST_F(ConsentOfB, IsNotGivenWithoutContact) {
  nodes.corosync().cut();
  nodes.pass(10s);
  nodes.replication().cut();
  nodes.pass(60s);
  EXPECT_TRUE(leg(a).held);
  EXPECT_FALSE(is_set_aside(b));
  EXPECT_EQ(leg(b).disk, "UpToDate");
  nodes.corosync().heal();
  nodes.pass(60s);
  EXPECT_FALSE(leg(a).held) << "contact is back";
  EXPECT_TRUE(is_set_aside(b));
}

TEST_F(ConsentOfB, IsNotGivenToWhoHasAnotherHistory) {
  host::HttpRequest request;
  request.method = "POST";
  request.target = "/peer/v1/consent";
  request.body = Json{{"volume", "vm1-0"}, {"counter", 1}, {"uuid", "x"}, {"more", true}}.dump();
  const auto unknown_field = nodes.peer_request(nodes.peer_network(a), b, request);
  ASSERT_TRUE(unknown_field.ok());
  EXPECT_NE(std::get<host::HttpResponse>(*unknown_field).status, 200);
  request.body = Json{{"volume", "vm1-0"}, {"counter", 1}, {"uuid", "another history"}}.dump();
  const auto other_history = nodes.peer_request(nodes.peer_network(a), b, request);
  ASSERT_TRUE(other_history.ok());
  EXPECT_NE(std::get<host::HttpResponse>(*other_history).body.find("no-authority"), std::string::npos);
  EXPECT_FALSE(is_set_aside(b));
}

}  // namespace
}  // namespace mcv::test::consent_test

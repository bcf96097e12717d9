// SPDX-License-Identifier: Apache-2.0
// DRBD gives a disk up and goes on with the other one. The decisions are in authority/lost_leg_test.cpp, chance in the simulator's
// kind lost-disk.
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::lost_disk_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;
const VolumeName disk = VolumeName::trusted("vm1-0");
const Json a_is_off = {{"node", "A"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}};

class LostDisk : public testing::Test {
 protected:
  LostDisk() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
    nodes.pass(5s);
  }

  void lose(std::size_t node, bool broken = false) {
    ASSERT_TRUE(nodes.replication().lose_disk(node, minor(), broken));
    nodes.pass(2s);
  }
  std::uint32_t minor() { return nodes.daemon(a).shared.current().volume(disk)->minor; }
  sim::SimDrbd::Seen leg(std::size_t node) { return nodes.replication().look(node).at(0); }
  bool set_aside(std::size_t asked, const char* whose) { return nodes.daemon(asked).authority.standpoint().consents.stands(NodeName::trusted(whose), disk); }
  bool kept(std::size_t asked, const char* whose) { return nodes.daemon(asked).authority.standpoint().ledger.stands(NodeName::trusted(whose), disk); }
  std::string texts(std::size_t node, const std::string& target) { return nodes.ask(node, "GET", target).body.dump(); }
  void must_be_closed_on_b() {
    const auto confirmed = nodes.ask(b, "POST", "/v1/cluster/confirm-down", a_is_off);
    ASSERT_FALSE(confirmed.error) << confirmed.error->to_text();
    EXPECT_NE(confirmed.body.dump().find("vm1-0 stays closed"), std::string::npos) << confirmed.body.dump();
    const auto started = nodes.ask(b, "POST", "/v1/vms/vm1/start", Json::object());
    ASSERT_TRUE(started.error);
    EXPECT_EQ(started.error->code(), ErrorCode::not_up_to_date);
    EXPECT_FALSE(started.error->next().empty());
  }

  TwoNodes nodes;
};

TEST_F(LostDisk, IsRecordedOnBothNodesAndShown) {
  lose(b);
  EXPECT_FALSE(leg(a).held);
  for (const std::size_t asked : TwoNodes::both) {
    EXPECT_TRUE(set_aside(asked, "B"));
    EXPECT_TRUE(kept(asked, "A"));
    EXPECT_FALSE(set_aside(asked, "A"));
    EXPECT_FALSE(kept(asked, "B"));
    for (const char* target : {"/v1/info", "/v1/vms/vm1", "/v1/drbd"}) EXPECT_NE(texts(asked, target).find("disk of vm1-0 on B"), std::string::npos) << target << texts(asked, target);
  }
}

TEST_F(LostDisk, OfTheSideThatWritesIsRecordedTheOtherWayRound) {
  lose(a);
  EXPECT_TRUE(leg(a).primary);
  EXPECT_FALSE(leg(a).held) << "the guest goes on through the other node's disk";
  EXPECT_TRUE(set_aside(a, "A"));
  EXPECT_TRUE(kept(a, "B"));
  // A comes back alone, B does not.
  nodes.switch_off(a);
  nodes.switch_off(b);
  nodes.switch_on(a);
  nodes.pass(30s);
  EXPECT_EQ(leg(a).disk, "Consistent") << "the kernel does not know";
  const auto confirmed = nodes.ask(a, "POST", "/v1/cluster/confirm-down", {{"node", "B"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}});
  ASSERT_FALSE(confirmed.error) << confirmed.error->to_text();
  EXPECT_NE(confirmed.body.dump().find("vm1-0 stays closed"), std::string::npos) << confirmed.body.dump();
}

// The hole: after a reboot the kernel takes the copy that was left behind for one that may be the last.
TEST_F(LostDisk, IsNotOpenedByAWordAfterAReboot) {
  lose(b);
  nodes.pass(5s);
  nodes.switch_off(a);
  nodes.switch_off(b);
  nodes.switch_on(b);
  nodes.pass(30s);
  EXPECT_EQ(leg(b).disk, "Consistent");
  must_be_closed_on_b();
}

TEST_F(LostDisk, IsKeptByTheOtherNodesRecordWhereItsOwnDaemonWasAway) {
  nodes.end_daemon(b);
  lose(b);
  nodes.pass(5s);
  nodes.start_daemon(b);
  nodes.pass(20s);
  EXPECT_TRUE(kept(b, "A"));
  EXPECT_TRUE(set_aside(b, "B")) << "it saw it when it came back";
}

TEST_F(LostDisk, EndsWhenItIsAttachedAndEqualAgain) {
  lose(b);
  nodes.switch_off(b);
  nodes.pass(30s);
  nodes.switch_on(b);
  nodes.pass(60s);
  for (const std::size_t node : TwoNodes::both) {
    EXPECT_EQ(leg(node).disk, "UpToDate");
    EXPECT_FALSE(set_aside(node, "B"));
    EXPECT_FALSE(kept(node, "A"));
    EXPECT_EQ(texts(node, "/v1/info").find("disk of vm1-0"), std::string::npos);
    EXPECT_TRUE(nodes.daemon(node).records.read(authority::consent_kind).empty());
  }
}

TEST_F(LostDisk, DoesNotHoldTheGuestWhenTheReplicationLinkIsLostToo) {
  lose(b);
  nodes.replication().cut();
  nodes.pass(10s);
  EXPECT_FALSE(leg(a).held);
  nodes.replication().heal();
  nodes.pass(10s);
  EXPECT_EQ(leg(a).connection, "Connected");
  EXPECT_EQ(leg(b).disk, "Diskless");
}

TEST_F(LostDisk, IsNotAttachedByARestartOfTheDaemon) {
  lose(b);
  nodes.end_daemon(b);
  nodes.start_daemon(b);
  nodes.pass(70s);
  EXPECT_EQ(leg(b).disk, "Diskless") << "what took it away may still be there";
}

TEST_F(LostDisk, IsAttachedAgainByItsCommand) {
  const auto nothing = nodes.ask(a, "POST", "/v1/vms/vm1/attach", Json::object());
  ASSERT_TRUE(nothing.error);
  EXPECT_EQ(nothing.error->code(), ErrorCode::bad_request);
  lose(b, true);
  nodes.pass(5s);
  EXPECT_FALSE(nodes.command(a, "POST", "/v1/vms/vm1/attach", Json::object())) << "the device is still broken";
  EXPECT_EQ(leg(b).disk, "Diskless");
  EXPECT_FALSE(leg(a).held);
  nodes.replication().mend(b);
  nodes.must(b, "POST", "/v1/vms/vm1/attach", Json::object());
  nodes.must(b, "POST", "/v1/vms/vm1/resync/follow", Json::object());
  nodes.pass(5s);
  for (const std::size_t node : TwoNodes::both) {
    EXPECT_EQ(leg(node).disk, "UpToDate");
    EXPECT_FALSE(set_aside(node, "B"));
    EXPECT_FALSE(kept(node, "A"));
  }
  nodes.must(a, "POST", "/v1/verify", {{"all", true}});
  EXPECT_EQ(nodes.daemon(a).shared.current().volume(disk)->verdict.kind, VerdictKind::clean);
}

TEST_F(LostDisk, UnderItsGuestIsAttachedToo) {
  lose(a);
  nodes.pass(5s);
  nodes.must(a, "POST", "/v1/vms/vm1/attach", Json::object());
  nodes.must(a, "POST", "/v1/vms/vm1/resync/follow", Json::object());
  nodes.pass(5s);
  EXPECT_EQ(leg(a).disk, "UpToDate");
  EXPECT_FALSE(set_aside(a, "A"));
  EXPECT_FALSE(kept(b, "B"));
}

TEST_F(LostDisk, EndsTheWaitForACopyThatNothingIsCopiedToAnyMore) {
  lose(b);
  EXPECT_FALSE(nodes.command(a, "POST", "/v1/vms/vm1/resync/follow", Json::object()));
}

}  // namespace
}  // namespace mcv::test::lost_disk_test

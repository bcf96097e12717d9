// SPDX-License-Identifier: Apache-2.0
// A VM is deleted while the other node is away: what that node still has of it goes when it is back, if it is the copy that was deleted.
#include <gtest/gtest.h>

#include <algorithm>

#include "cluster/model/pending_delete.h"
#include "two_nodes.h"

namespace mcv::test::late_delete_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;
const Json b_is_off = {{"node", "B"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}};
const Json a_is_off = {{"node", "A"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}};

class LateDelete : public testing::Test {
 protected:
  LateDelete() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
    nodes.pass(5s);
    nodes.must(a, "POST", "/v1/vms/vm1/kill", Json::object());
  }

  /// `survivor` decides alone from now on.
  void lose(std::size_t lost) {
    nodes.switch_off(lost);
    nodes.pass(30s);
    nodes.must(1 - lost, "POST", "/v1/cluster/confirm-down", lost == b ? b_is_off : a_is_off);
  }
  bool has_copy(std::size_t node) { return nodes.machine(node).lvm.volumes.contains("vg0/mcv-vm1-0") || nodes.machine(node).lvm.volumes.contains("vg0/mcv-vm1-0.md"); }
  bool has_file(std::size_t node) { return nodes.files(node).there("/etc/drbd.d/mcv-vm1-0.res"); }
  std::ptrdiff_t attempts(std::size_t node) {
    const auto all = nodes.daemon(node).operations.list();
    return std::count_if(all.begin(), all.end(), [](const OperationView& view) { return view.kind == "late-delete"; });
  }
  std::size_t pending(std::size_t asked) { return pending_deletes(nodes.daemon(asked).shared.current()).size(); }
  bool is_warned(std::size_t asked) {
    const Json info = nodes.ask(asked, "GET", "/v1/info").body;
    return info.at("warnings").dump().find("vm1-0 was deleted while B was away") != std::string::npos;
  }
  Json orphans(std::size_t asked) { return nodes.ask(asked, "GET", "/v1/orphans").body.value("orphans", Json::array()); }

  TwoNodes nodes;
};

TEST_F(LateDelete, IsFinishedByTheNodeThatWasAway) {
  lose(b);
  nodes.must(a, "DELETE", "/v1/vms/vm1", Json());
  EXPECT_NE(nodes.ask(a, "GET", "/v1/operations").body.dump().find("B removes what it still has when it is back"), std::string::npos);
  EXPECT_FALSE(has_copy(a));
  EXPECT_TRUE(has_copy(b));
  EXPECT_EQ(pending(a), 1u);
  EXPECT_TRUE(is_warned(a));
  ASSERT_EQ(orphans(a).size(), 1u);
  EXPECT_EQ(orphans(a)[0]["kind"], "pending");
  EXPECT_EQ(orphans(a)[0]["node"], "B");
  nodes.switch_on(b);
  nodes.pass(180s);
  EXPECT_FALSE(has_copy(b));
  EXPECT_FALSE(has_file(b));
  EXPECT_TRUE(nodes.replication().look(b).empty());
  for (const std::size_t node : TwoNodes::both) {
    EXPECT_EQ(pending(node), 0u);
    EXPECT_FALSE(is_warned(node));
    EXPECT_TRUE(orphans(node).empty()) << orphans(node).dump();
  }
  nodes.create_vm("vm1");
}

TEST_F(LateDelete, TakesNoCopyThatWasWrittenToApart) {
  lose(b);
  nodes.must(a, "DELETE", "/v1/vms/vm1", Json());
  nodes.machine(b).lvm.volumes.at("vg0/mcv-vm1-0.md").meta->current = 0xABCDE0;
  nodes.switch_on(b);
  nodes.pass(300s);
  EXPECT_TRUE(has_copy(b));
  ASSERT_EQ(orphans(a).size(), 1u);
  EXPECT_NE(orphans(a)[0]["why"].get<std::string>().find("written to apart"), std::string::npos) << orphans(a).dump();
  const Json disk = {{"size", std::uint64_t{64} << 20}};
  const auto again = nodes.ask(a, "POST", "/v1/vms", {{"name", "vm1"}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})}, {"storage_type", "drbd"}, {"networks", Json::array()}, {"hypervisor", "qemu"}});
  ASSERT_TRUE(again.error);
  EXPECT_EQ(again.error->code(), ErrorCode::in_use);
  EXPECT_EQ(attempts(b), 1) << "no time makes it the copy that was deleted";
  EXPECT_TRUE(nodes.replication().look(b).empty()) << "kept, and out of replication";
  EXPECT_FALSE(has_file(b));
  const std::uint64_t kept = nodes.machine(b).lvm.volumes.at("vg0/mcv-vm1-0.md").meta->current;
  nodes.create_vm("vm2");
  EXPECT_EQ(nodes.daemon(a).shared.current().volume(VolumeName::trusted("vm2-0"))->minor, 100u) << "the numbers of the deleted one";
  EXPECT_EQ(nodes.replication().look(a).size(), 1u);
  // It is asked again with every start of mcvd there, beside the volume that has its minor now.
  nodes.switch_off(b);
  nodes.switch_on(b);
  nodes.pass(180s);
  EXPECT_TRUE(has_copy(b));
  EXPECT_EQ(nodes.machine(b).lvm.volumes.at("vg0/mcv-vm1-0.md").meta->current, kept);
  ASSERT_EQ(orphans(a).size(), 1u) << orphans(a).dump();
  EXPECT_NE(orphans(a)[0]["why"].get<std::string>().find("written to apart"), std::string::npos) << orphans(a).dump();
  nodes.must(a, "DELETE", "/v1/orphans/B/mcv-vm1-0", Json());
  EXPECT_FALSE(has_copy(b));
  EXPECT_EQ(pending(a), 0u) << "the name is free at once";
  EXPECT_EQ(pending(b), 0u);
}

TEST_F(LateDelete, AlsoOfTheVmsOfTheNodeThatIsGone) {
  lose(a);
  nodes.must(b, "DELETE", "/v1/vms/vm1", Json());
  EXPECT_FALSE(has_copy(b));
  nodes.switch_on(a);
  nodes.pass(180s);
  EXPECT_FALSE(has_copy(a));
  EXPECT_EQ(pending(a), 0u);
}

TEST_F(LateDelete, NeedsAuthority) {
  nodes.switch_off(b);
  nodes.pass(30s);
  const auto refused = nodes.command(a, "DELETE", "/v1/vms/vm1", Json());
  EXPECT_FALSE(refused);
  EXPECT_TRUE(has_copy(a));
}

TEST_F(LateDelete, IsForgottenWithTheNode) {
  lose(b);
  nodes.must(a, "DELETE", "/v1/vms/vm1", Json());
  nodes.must(a, "POST", "/v1/cluster/remove-node", {{"node", "B"}, {"dead", true}});
  EXPECT_EQ(pending(a), 0u);
  EXPECT_TRUE(has_copy(b));
}

}  // namespace
}  // namespace mcv::test::late_delete_test

// SPDX-License-Identifier: Apache-2.0
// What changed while a move waited for the guest's shutdown. The refusals themselves are in offline_migration_test.cpp.
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::offline_move_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;

struct Change {
  const char* what;
  void (*at_target)(TwoNodes& nodes);
  const char* said;
};

class OfflineMove : public testing::TestWithParam<Change> {};

TEST_P(OfflineMove, IsRefusedWhereTheTargetChangedDuringTheWait) {
  TwoNodes nodes;
  nodes.make_cluster();
  nodes.create_vm("vm1");
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  nodes.pass(30s);
  const TwoNodes::Answer moved = nodes.ask(a, "POST", "/v1/vms/vm1/migrate", {{"node", "B"}, {"wait_for_shutdown", true}, {"start_after_migration", true}});
  ASSERT_TRUE(moved.ok()) << moved.error->message();
  const auto id = OperationId::trusted(moved.body.at("operation").at("id").get<std::string>());
  nodes.pass(5s);
  GetParam().at_target(nodes);
  nodes.shut_down_guest(a, "vm1");
  nodes.pass(60s);
  const auto view = nodes.daemon(a).operations.get(id);
  ASSERT_TRUE(view.ok());
  ASSERT_TRUE(view->final());
  ASSERT_TRUE(view->error.has_value()) << GetParam().what << ": the move was made";
  EXPECT_NE(view->error->message().find(GetParam().said), std::string::npos) << view->error->message();
  for (const std::size_t node : TwoNodes::both) EXPECT_EQ(nodes.daemon(node).shared.current().vm(VmName::trusted("vm1"))->owner.str(), "A");
}

INSTANTIATE_TEST_SUITE_P(
    All, OfflineMove,
    testing::Values(Change{"memory", [](TwoNodes& nodes) { nodes.machine(b).memory_kib = 200'000; }, "cannot be started on B"},
                    Change{"hypervisor", [](TwoNodes& nodes) { nodes.files(b).remove_tree("/usr/bin/qemu-system-x86_64"); }, "QEMU is not installed"},
                    Change{"initramfs", [](TwoNodes& nodes) { nodes.files(b).put("/boot/initrd", "another", true); }, "/boot/initrd differs"},
                    Change{"kernel", [](TwoNodes& nodes) { nodes.files(b).remove_tree("/boot/vmlinuz"); }, "/boot/vmlinuz is missing"},
                    Change{"network", [](TwoNodes& nodes) { nodes.machine(b).run({"ip", "link", "delete", "dev", "br0"}); }, "network lan is not realised"}),
    [](const testing::TestParamInfo<Change>& change) { return change.param.what; });

}  // namespace
}  // namespace mcv::test::offline_move_test

// SPDX-License-Identifier: Apache-2.0
// The test option that stops a step at one exact moment: there only when it was switched on, and a crash or a removed file ends it.
#include <gtest/gtest.h>

#include "daemon/actions/step_hold.h"
#include "two_nodes.h"

namespace mcv::test::step_hold_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;
const std::string file = "/run/mcv/step-hold";
const std::string reached = file + ".reached";

class Holding : public TwoNodes {
 public:
  void switch_option_on() {
    wrap_action_ = [](host::Host& host, const std::string& name, std::unique_ptr<Action> action) { return hold_for_test(host, file, name, std::move(action)); };
    for (const std::size_t node : both) {
      end_daemon(node);
      start_daemon(node);
    }
    run_events([this] { return daemon(a).shared.link().state == LinkState::together && daemon(b).shared.link().state == LinkState::together; }, 60s);
  }
};

class StepHold : public testing::Test {
 protected:
  StepHold() { nodes.make_cluster(); }
  void ask_for(std::size_t node, const std::string& action, std::size_t step, const std::string& moment, bool fail = false) {
    const Json wanted = {{"action", action}, {"step", step}, {"moment", moment}, {"fail", fail}};
    nodes.files(node).put(file, wanted.dump(), true);
  }
  OperationId create() {
    const Json boot = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
    const Json disk = {{"size", std::uint64_t{64} << 20}};
    const Json body = {{"name", "vm1"}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})}, {"storage_type", "drbd"}, {"networks", {"lan"}}, {"boot", boot}};
    const TwoNodes::Answer begun = nodes.ask(a, "POST", "/v1/vms", body);
    EXPECT_TRUE(begun.ok());
    return OperationId::trusted(begun.body.at("operation").at("id").get<std::string>());
  }
  bool stands(std::size_t node) {
    return nodes.run_events([&] { return nodes.files(node).there(reached); }, 60s);
  }
  bool ended(const OperationId& id) {
    return nodes.run_events([&] { return nodes.daemon(a).operations.get(id)->final(); }, 300s);
  }
  StepState step(const OperationId& id, std::size_t index) { return nodes.daemon(a).operations.get(id)->steps[index].state; }
  bool made(std::size_t node) { return nodes.machine(node).lvm.volumes.contains("vg0/mcv-vm1-0"); }

  Holding nodes;
};

TEST_F(StepHold, IsNotThereUnlessItWasSwitchedOn) {
  ask_for(a, "volume.backing", 1, "before-run");
  ask_for(b, "volume.backing", 2, "after-run");
  const OperationId id = create();
  ASSERT_TRUE(ended(id));
  EXPECT_EQ(nodes.daemon(a).operations.get(id)->outcome, OperationOutcome::succeeded);
  for (const std::size_t node : nodes.both) {
    EXPECT_TRUE(nodes.files(node).there(file)) << "nobody reads it";
    EXPECT_FALSE(nodes.files(node).there(reached));
  }
}

TEST_F(StepHold, StopsBeforeTheEffectAndGoesOnWhenItsFileIsRemoved) {
  nodes.switch_option_on();
  ask_for(b, "volume.backing", 2, "before-run");
  const OperationId id = create();
  ASSERT_TRUE(stands(b));
  nodes.pass(20s);
  EXPECT_EQ(step(id, 2), StepState::running) << "journaled";
  EXPECT_FALSE(made(b));
  EXPECT_FALSE(nodes.files(b).there(file)) << "asked for once";
  EXPECT_NE(nodes.files(b).files.at(reached).text.find(id.str()), std::string::npos);
  nodes.files(b).remove_tree(reached);
  ASSERT_TRUE(ended(id));
  EXPECT_EQ(nodes.daemon(a).operations.get(id)->outcome, OperationOutcome::succeeded);
}

TEST_F(StepHold, StopsAfterTheEffectAndACrashThereIsGoneOnFrom) {
  nodes.switch_option_on();
  ask_for(a, "volume.configure", 3, "after-run");
  const OperationId id = create();
  ASSERT_TRUE(stands(a));
  EXPECT_EQ(step(id, 3), StepState::running) << "its outcome is not journaled";
  EXPECT_TRUE(nodes.files(a).there("/etc/drbd.d/mcv-vm1-0.res"));
  nodes.end_daemon(a);
  nodes.start_daemon(a);
  ASSERT_TRUE(ended(id));
  EXPECT_EQ(nodes.daemon(a).operations.get(id)->outcome, OperationOutcome::succeeded);
}

TEST_F(StepHold, LetsAStepFailAndStopsAtAnUndo) {
  nodes.switch_option_on();
  ask_for(a, "volume.up", 5, "after-run", true);
  const OperationId id = create();
  ASSERT_TRUE(stands(a));
  nodes.files(a).remove_tree(reached);
  ask_for(b, "volume.backing", 2, "before-undo");
  ASSERT_TRUE(stands(b));
  EXPECT_TRUE(made(b));
  nodes.files(b).remove_tree(reached);
  ASSERT_TRUE(ended(id));
  EXPECT_EQ(nodes.daemon(a).operations.get(id)->outcome, OperationOutcome::undone);
  EXPECT_FALSE(made(a));
  EXPECT_FALSE(made(b));
}

}  // namespace
}  // namespace mcv::test::step_hold_test

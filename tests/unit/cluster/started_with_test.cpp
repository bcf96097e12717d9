// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cluster/model/observation.h"
#include "cluster/model/started_with.h"

namespace mcv::test::started_with_test {
namespace {

VmRecord configured() {
  VmRecord vm;
  vm.name = VmName::trusted("vm1");
  vm.owner = NodeName::trusted("A");
  vm.cpus = 2;
  vm.memory = Bytes::mib(512);
  vm.boot = {"/boot/k", "/boot/i", "console=ttyS0", ""};
  return vm;
}

const StartedWith as_configured{2, Bytes::mib(512), {"/boot/k", "/boot/i", "console=ttyS0", ""}};

TEST(StartedWith, NothingIsPendingWhileTheGuestHasWhatIsConfigured) {
  EXPECT_TRUE(pending_until_restart(configured(), as_configured).empty());
  VmRecord vm = configured();
  vm.autostart = true;
  vm.delete_protection = true;
  vm.lock = LockRecord{"root", "audit"};
  EXPECT_TRUE(pending_until_restart(vm, as_configured).empty()) << "these are no part of the guest";
}

TEST(StartedWith, EachAttributeThatDiffersIsNamedWithBothValues) {
  VmRecord vm = configured();
  vm.cpus = 3;
  vm.memory = Bytes::gib(1);
  vm.boot = {"/boot/k2", "/boot/i2", "quiet", "/fw"};
  const std::vector<PendingChange> expected = {{"cpus", 2, 3},
                                               {"memory", std::uint64_t{512} << 20, std::uint64_t{1} << 30},
                                               {"kernel", "/boot/k", "/boot/k2"},
                                               {"initramfs", "/boot/i", "/boot/i2"},
                                               {"cmdline", "console=ttyS0", "quiet"},
                                               {"firmware", "", "/fw"}};
  EXPECT_EQ(pending_until_restart(vm, as_configured), expected);
  vm = configured();
  vm.memory = Bytes::mib(256);
  ASSERT_EQ(pending_until_restart(vm, as_configured).size(), 1u) << "less is a change as well";
  vm.memory = configured().memory;
  EXPECT_TRUE(pending_until_restart(vm, as_configured).empty()) << "changed back before the guest was started anew";
}

TEST(StartedWith, TravelsWithTheFactsOfANode) {
  NodeFacts facts;
  facts.name = NodeName::trusted("A");
  facts.vms["vm1"].state = RunState::running;
  facts.vms["vm1"].started_with = as_configured;
  facts.vms["vm2"].state = RunState::running;
  const auto there = node_facts_from_json(to_json(facts));
  ASSERT_TRUE(there.ok());
  EXPECT_EQ(there->vms.at("vm1").started_with, as_configured);
  EXPECT_EQ(there->vms.at("vm2").started_with, std::nullopt) << "an older build does not say";
}

}  // namespace
}  // namespace mcv::test::started_with_test

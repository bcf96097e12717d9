// SPDX-License-Identifier: Apache-2.0
// Held I/O as both nodes show it. The sentences themselves are in io_hold_test.cpp.
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::held_io_test {
namespace {

using namespace std::chrono_literals;

TEST(HeldIo, IsShownWithItsReasonFromBothNodes) {
  TwoNodes nodes;
  nodes.make_cluster();
  nodes.create_vm("vm1");
  nodes.must(TwoNodes::a, "POST", "/v1/vms/vm1/start", Json::object());
  // Together the other node would let it go on.
  nodes.corosync().cut();
  nodes.pass(10s);
  nodes.replication().cut();
  nodes.pass(30s);
  for (const std::size_t asked : TwoNodes::both) {
    const Json vm = nodes.ask(asked, "GET", "/v1/vms/vm1").body;
    const Json& volume = vm.at("volumes").at(0);
    EXPECT_TRUE(volume.at("io_held").get<bool>());
    EXPECT_EQ(volume.at("holds").at(0).at("reason"), "fencing") << volume.dump();
    const std::string warnings = vm.at("warnings").dump();
    EXPECT_NE(warnings.find("the other node is not there"), std::string::npos) << warnings;
    const std::string info = nodes.ask(asked, "GET", "/v1/info").body.at("warnings").dump();
    EXPECT_NE(info.find("vm1 on A: writes to vm1-0 are held"), std::string::npos) << info;
  }
  const Json listed = nodes.ask(TwoNodes::a, "GET", "/v1/drbd").body.at("volumes").at(0);
  EXPECT_EQ(listed.at("suspended"), "fencing");
  EXPECT_EQ(listed.at("holds").size(), 1u);

  nodes.replication().heal();
  nodes.corosync().heal();
  nodes.pass(60s);
  const Json vm = nodes.ask(TwoNodes::a, "GET", "/v1/vms/vm1").body;
  EXPECT_FALSE(vm.at("volumes").at(0).at("io_held").get<bool>());
  EXPECT_TRUE(vm.at("volumes").at(0).at("holds").empty());
  EXPECT_TRUE(vm.at("warnings").empty()) << vm.at("warnings").dump();
}

}  // namespace
}  // namespace mcv::test::held_io_test

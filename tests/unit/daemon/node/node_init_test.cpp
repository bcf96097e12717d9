// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "daemon/node/firewall.h"
#include "two_nodes.h"

namespace mcv::test::node_init_test {
namespace {

constexpr std::size_t a = TwoNodes::a;

TEST(NodeInit, NeedsCgroupV2) {
  TwoNodes nodes;
  nodes.machine(a).unified_cgroups = false;
  const TwoNodes::Answer refused = nodes.ask(a, "POST", "/v1/node/init", {{"all", true}});
  ASSERT_TRUE(refused.error.has_value());
  EXPECT_EQ(refused.error->code(), ErrorCode::not_suitable);
  EXPECT_NE(refused.error->message().find("cgroup v2"), std::string::npos);
  EXPECT_NE(refused.error->next().find("update-grub"), std::string::npos);
  EXPECT_FALSE(nodes.daemon(a).own_record().ok()) << "nothing was made";
  EXPECT_FALSE(nodes.machine(a).links.contains("br0"));
  nodes.machine(a).unified_cgroups = true;
  EXPECT_TRUE(nodes.ask(a, "POST", "/v1/node/init", {{"all", true}}).ok());
}

TEST(NodeInit, BridgeAndUplinkComeBackWithTheMachine) {
  TwoNodes nodes;
  sim::SimLink wire;
  wire.up = true;
  nodes.machine(a).links["eth1"] = wire;
  nodes.must(a, "POST", "/v1/node/init", {{"all", true}, {"uplink", "eth1"}});
  ASSERT_EQ(nodes.machine(a).links.at("eth1").master, "br0");
  // Repeated without it, and with another bridge beside it that no network needs: neither forgets what was typed.
  nodes.must(a, "POST", "/v1/node/init", {{"all", true}});
  nodes.must(a, "POST", "/v1/node/init", {{"all", true}, {"bridge", "br7"}});
  nodes.power_off(a);
  ASSERT_FALSE(nodes.machine(a).links.contains("br0"));
  nodes.power_on(a);
  nodes.pass(std::chrono::seconds(5));
  ASSERT_TRUE(nodes.machine(a).links.contains("br0"));
  EXPECT_EQ(nodes.machine(a).links.at("eth1").master, "br0");
  EXPECT_TRUE(nodes.machine(a).links.at("eth1").up);
  EXPECT_TRUE(nodes.machine(a).links.contains("br7"));
}

TEST(NodeInit, ABridgeWaitsForItsUplink) {
  TwoNodes nodes;
  nodes.machine(a).links["eth1"] = sim::SimLink();
  nodes.must(a, "POST", "/v1/node/init", {{"all", true}, {"uplink", "eth1"}});
  nodes.power_off(a);
  nodes.machine(a).links.erase("eth1");
  nodes.power_on(a);
  nodes.pass(std::chrono::seconds(5));
  EXPECT_TRUE(nodes.machine(a).links.contains("br0")) << "guests can start";
  nodes.machine(a).links["eth1"] = sim::SimLink();
  nodes.pass(std::chrono::seconds(120));
  EXPECT_EQ(nodes.machine(a).links.at("eth1").master, "br0");
}

TEST(NodeState, LiesWhereTheConfigurationSays) {
  TwoNodes nodes;
  nodes.make_cluster();
  nodes.create_vm("vm1");
  const auto& files = nodes.files(a).files;
  for (const char* name : {"/secrets.json", "/bridges.json"}) EXPECT_TRUE(files.contains(std::string(sim::state_directory) + name)) << name;
  for (const auto& [path, file] : files) EXPECT_FALSE(path.starts_with("/var/lib/mcv")) << path;
}

TEST(NodeInit, RefusesAnUplinkThatWouldLoseItsAddress) {
  TwoNodes nodes;
  const TwoNodes::Answer refused = nodes.ask(a, "POST", "/v1/node/init", {{"all", true}, {"uplink", "eth0"}});
  ASSERT_TRUE(refused.error.has_value());
  EXPECT_EQ(refused.error->code(), ErrorCode::in_use);
  EXPECT_NE(refused.error->next().find("/etc/network/interfaces"), std::string::npos);
  EXPECT_FALSE(nodes.ask(a, "POST", "/v1/node/init", {{"all", false}, {"uplink", "eth1"}}).ok()) << "nothing would be plugged into anything";
}

TEST(NodeAddresses, ComeWithTheFirewallRulesForWhatIsRecorded) {
  TwoNodes nodes;
  nodes.initialise(a);
  const std::string address = sim::node_address(a);
  const TwoNodes::Answer answer = nodes.ask(a, "PUT", "/v1/node/addresses", {{"cluster_address", address}});
  ASSERT_TRUE(answer.ok());
  const std::string rule = "nft add rule inet filter input ip daddr " + address + " ";
  EXPECT_EQ(answer.body.at("result").at("firewall"), Json::array({rule + "tcp dport 8801 accept", rule + "udp dport 5405 accept", rule + "tcp dport 7900-8799 accept"}));
}

TEST(FirewallRules, FollowTheReplicationToItsOwnLink) {
  NodeRecord node;
  EXPECT_TRUE(firewall_rules(node).empty());
  node.cluster_address = "fd00::11";
  node.drbd_address = "10.77.1.11";
  node.peer_port = 9000;
  EXPECT_EQ(firewall_rules(node), (std::vector<std::string>{"nft add rule inet filter input ip6 daddr fd00::11 tcp dport 9000 accept",
                                                            "nft add rule inet filter input ip6 daddr fd00::11 udp dport 5405 accept",
                                                            "nft add rule inet filter input ip daddr 10.77.1.11 tcp dport 7900-8799 accept"}));
}

}  // namespace
}  // namespace mcv::test::node_init_test

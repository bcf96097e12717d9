// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "daemon/node/firewall.h"
#include "two_nodes.h"

namespace mcv::test {
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

TEST(NodeAddresses, ComeWithTheFirewallRulesForWhatIsRecorded) {
  TwoNodes nodes;
  nodes.initialise(a);
  const std::string address = sim::node_address(a);
  const TwoNodes::Answer answer = nodes.ask(a, "PUT", "/v1/node/addresses", {{"cluster_address", address}});
  ASSERT_TRUE(answer.ok());
  const std::string rule = "nft add rule inet filter input ip daddr " + address + " ";
  EXPECT_EQ(answer.body.at("result").at("firewall"), Json::array({rule + "tcp dport 8801 accept", rule + "udp dport 5405 accept", rule + "tcp dport 7900-8899 accept"}));
}

TEST(FirewallRules, FollowTheReplicationToItsOwnLink) {
  NodeRecord node;
  EXPECT_TRUE(firewall_rules(node).empty());
  node.cluster_address = "fd00::11";
  node.drbd_address = "10.77.1.11";
  node.peer_port = 9000;
  EXPECT_EQ(firewall_rules(node), (std::vector<std::string>{"nft add rule inet filter input ip6 daddr fd00::11 tcp dport 9000 accept",
                                                            "nft add rule inet filter input ip6 daddr fd00::11 udp dport 5405 accept",
                                                            "nft add rule inet filter input ip daddr 10.77.1.11 tcp dport 7900-8899 accept"}));
}

}  // namespace
}  // namespace mcv::test

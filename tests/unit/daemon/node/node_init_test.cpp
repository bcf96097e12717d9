// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace mcv::test

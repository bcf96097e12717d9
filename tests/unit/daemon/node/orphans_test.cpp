// SPDX-License-Identifier: Apache-2.0
// What belongs to nothing is shown from either node, and removed only when somebody asks. Which things these are: storage/orphans_test.cpp.
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::orphans_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;

class OrphansOfB : public testing::Test {
 protected:
  OrphansOfB() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    for (const char* name : {"vg0/mcv-lost-0", "vg0/mcv-lost-0.md"}) {
      sim::Lv volume;
      volume.size = 64u << 20;
      volume.tags = {"mcv", "mcv.by.A-999"};
      volume.pool = "mcv-fast";
      nodes.machine(b).lvm.volumes[name] = volume;
    }
    nodes.files(b).put("/etc/drbd.d/mcv-lost-0.res", "resource", true);
  }

  Json listed(std::size_t asked) {
    const auto answer = nodes.ask(asked, "GET", "/v1/orphans");
    return answer.ok() ? answer.body : Json::object();
  }
  ErrorCode refusal(std::size_t asked, const std::string& target) {
    const auto answer = nodes.ask(asked, "DELETE", target);
    if (!answer.error) return ErrorCode::internal;
    EXPECT_FALSE(answer.error->next().empty()) << answer.error->to_text();
    return answer.error->code();
  }
  bool is_there() { return nodes.machine(b).lvm.volumes.contains("vg0/mcv-lost-0"); }

  TwoNodes nodes;
};

TEST_F(OrphansOfB, AreListedByEitherNodeAndDeletedByName) {
  for (const std::size_t asked : TwoNodes::both) {
    const Json answer = listed(asked);
    ASSERT_EQ(answer["orphans"].size(), 1u) << answer.dump();
    const Json& orphan = answer["orphans"][0];
    EXPECT_EQ(orphan["node"], "B");
    EXPECT_EQ(orphan["name"], "mcv-lost-0");
    EXPECT_EQ(orphan["parts"].size(), 3u);
    EXPECT_EQ(orphan["next"], "hvctl storage delete-orphan mcv-lost-0 --node B");
    EXPECT_TRUE(answer["unsure"].empty());
    EXPECT_TRUE(answer["silent"].empty());
  }
  nodes.pass(600s);
  EXPECT_TRUE(is_there()) << "nothing is removed by itself";
  EXPECT_EQ(refusal(a, "/v1/orphans/A/mcv-lost-0"), ErrorCode::not_found);
  EXPECT_EQ(refusal(a, "/v1/orphans/B/mcv-vm1-0"), ErrorCode::not_found) << "it belongs to vm1";
  EXPECT_EQ(refusal(a, "/v1/orphans/C/mcv-lost-0"), ErrorCode::not_found);
  nodes.must(a, "DELETE", "/v1/orphans/B/mcv-lost-0", Json());
  EXPECT_FALSE(is_there());
  EXPECT_FALSE(nodes.machine(b).lvm.volumes.contains("vg0/mcv-lost-0.md"));
  EXPECT_FALSE(nodes.files(b).there("/etc/drbd.d/mcv-lost-0.res"));
  EXPECT_TRUE(nodes.machine(b).lvm.volumes.contains("vg0/mcv-vm1-0"));
  EXPECT_TRUE(listed(a)["orphans"].empty());
}

TEST_F(OrphansOfB, AreNotDeletedWhereSomethingMayHaveThem) {
  nodes.machine(b).lvm.volumes["vg0/mcv-lost-0"].open_by = "somebody";
  EXPECT_EQ(refusal(b, "/v1/orphans/B/mcv-lost-0"), ErrorCode::device_busy);
  nodes.machine(b).lvm.volumes["vg0/mcv-lost-0"].open_by.clear();
  nodes.cut_cluster_link();
  nodes.pass(10s);
  EXPECT_EQ(refusal(b, "/v1/orphans/B/mcv-lost-0"), ErrorCode::busy);
  const Json alone = listed(b);
  EXPECT_EQ(alone["orphans"].size(), 1u);
  EXPECT_EQ(alone["unsure"].size(), 1u);
  EXPECT_EQ(alone["silent"], Json::array({"A"}));
  nodes.heal_cluster_link();
  nodes.pass(30s);
  EXPECT_TRUE(is_there());
  nodes.must(b, "DELETE", "/v1/orphans/B/mcv-lost-0", Json());
  EXPECT_FALSE(is_there());
}

TEST_F(OrphansOfB, AnOperationOfEitherNodeKeepsWhatItMade) {
  // Waits for a shutdown that does not come.
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  const auto moving = nodes.ask(a, "POST", "/v1/vms/vm1/migrate", {{"node", "B"}, {"wait_for_shutdown", true}});
  ASSERT_TRUE(moving.ok());
  const std::string id = moving.body["operation"]["id"];
  nodes.machine(b).lvm.volumes["vg0/mcv-lost-0"].tags = {"mcv", "mcv.by." + id};
  nodes.machine(b).lvm.volumes["vg0/mcv-lost-0.md"].tags = {"mcv", "mcv.by." + id};
  nodes.files(b).remove_tree("/etc/drbd.d/mcv-lost-0.res");
  EXPECT_TRUE(listed(b)["orphans"].empty()) << listed(b).dump();
  EXPECT_EQ(refusal(b, "/v1/orphans/B/mcv-lost-0"), ErrorCode::not_found);
}

}  // namespace
}  // namespace mcv::test::orphans_test

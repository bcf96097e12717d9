// SPDX-License-Identifier: Apache-2.0
// Refusals of a join as the API gives them, both daemons whole. What each check of the table decides is in join_test.cpp.
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::join_refusals_test {
namespace {

class JoinRefusal : public testing::Test {
 protected:
  static constexpr std::size_t a = TwoNodes::a;
  static constexpr std::size_t b = TwoNodes::b;
  void expect_refused(const TwoNodes::Answer& answer, ErrorCode code) {
    ASSERT_TRUE(answer.answered);
    ASSERT_TRUE(answer.error.has_value()) << answer.body.dump();
    EXPECT_EQ(answer.error->code(), code) << answer.error->to_text();
    EXPECT_FALSE(answer.error->next().empty()) << answer.error->to_text();
  }
  /// Neither took a step: each is what it was and can be asked again.
  void expect_two_clusters_of_one() {
    for (const std::size_t node : TwoNodes::both) {
      EXPECT_FALSE(nodes_.daemon(node).shared.current().is_cluster());
      EXPECT_FALSE(nodes_.daemon(node).reservation.kept().has_value());
      EXPECT_EQ(nodes_.daemon(node).operations.list().size(), 0u);
    }
  }
  static std::string status_of(const Json& rows, const std::string& check) {
    for (const Json& row : rows) {
      if (row.value("check", "") == check) return row.value("status", "");
    }
    return "no such row";
  }

  TwoNodes nodes_;
};

TEST_F(JoinRefusal, AnotherBuildThere) {
  for (const std::size_t node : TwoNodes::both) nodes_.initialise(node);
  nodes_.upgrade(b, "0.0.9");
  const TwoNodes::Answer checked = nodes_.add(a, nodes_.invitation(b), true);
  ASSERT_TRUE(checked.ok());
  EXPECT_FALSE(checked.body.at("suitable").get<bool>());
  EXPECT_EQ(status_of(checked.body.at("suitability"), "version"), "fail") << checked.body.dump();
  const TwoNodes::Answer refused = nodes_.add(a, nodes_.invitation(b));
  expect_refused(refused, ErrorCode::version_mismatch);
  EXPECT_NE(refused.error->message().find("0.0.9"), std::string::npos);
  expect_two_clusters_of_one();
  nodes_.upgrade(b, "sim");
  EXPECT_TRUE(nodes_.add(a, nodes_.invitation(b)).ok()) << "with the same build it works";
}

TEST_F(JoinRefusal, ANodeInAnotherClusterInvitesNobody) {
  nodes_.make_cluster();
  nodes_.reinstall(a);
  nodes_.initialise(a);
  const std::string before = nodes_.daemon(b).shared.current().hash();
  expect_refused(nodes_.ask(b, "POST", "/v1/cluster/connect-string", Json::object()), ErrorCode::already_clustered);
  EXPECT_EQ(nodes_.daemon(b).shared.current().hash(), before);
}

TEST_F(JoinRefusal, AnInvitationFromBeforeItWasInAnotherCluster) {
  for (const std::size_t node : TwoNodes::both) nodes_.initialise(node);
  const std::string old = nodes_.invitation(a);
  nodes_.must(a, "POST", "/v1/cluster/add-node", {{"connect_string", nodes_.invitation(b)}, {"check_only", false}});
  nodes_.reinstall(b);
  nodes_.initialise(b);
  const std::string before = nodes_.daemon(a).shared.current().hash();
  const TwoNodes::Answer checked = nodes_.add(b, old, true);
  ASSERT_TRUE(checked.ok()) << checked.error->to_text();
  EXPECT_FALSE(checked.body.at("suitable").get<bool>());
  EXPECT_EQ(status_of(checked.body.at("suitability"), "blank"), "fail") << checked.body.dump();
  expect_refused(nodes_.add(b, old), ErrorCode::already_clustered);
  EXPECT_FALSE(nodes_.daemon(b).shared.current().is_cluster());
  EXPECT_EQ(nodes_.daemon(a).shared.current().hash(), before) << "A keeps its cluster";
}

TEST_F(JoinRefusal, ANodeInAClusterAddsNoThird) {
  for (const std::size_t node : TwoNodes::both) nodes_.initialise(node);
  const std::string used = nodes_.invitation(b);
  nodes_.must(a, "POST", "/v1/cluster/add-node", {{"connect_string", used}, {"check_only", false}});
  expect_refused(nodes_.add(a, used), ErrorCode::already_clustered);
}

TEST_F(JoinRefusal, APoolThatIsLargerThanTheOtherNodesRoom) {
  for (const std::size_t node : TwoNodes::both) nodes_.initialise(node);
  nodes_.must(a, "POST", "/v1/storage", {{"name", "fast"}, {"vg", "vg0"}, {"thin", true}, {"size", std::uint64_t{4} << 30}});
  nodes_.machine(b).lvm.groups["vg0"] = std::uint64_t{4} << 30;
  const TwoNodes::Answer refused = nodes_.add(a, nodes_.invitation(b));
  expect_refused(refused, ErrorCode::pool_full);
  EXPECT_NE(refused.error->next().find("vgextend vg0"), std::string::npos);
  EXPECT_TRUE(nodes_.machine(b).lvm.volumes.empty());
  EXPECT_FALSE(nodes_.daemon(a).shared.current().is_cluster());

  nodes_.machine(b).lvm.groups["vg0"] = std::uint64_t{20} << 30;
  nodes_.must(a, "POST", "/v1/cluster/add-node", {{"connect_string", nodes_.invitation(b)}, {"check_only", false}});
  EXPECT_EQ(nodes_.machine(b).lvm.volumes.at("vg0/mcv-fast").size, nodes_.machine(a).lvm.volumes.at("vg0/mcv-fast").size) << "not what the other one has free";
}

}  // namespace
}  // namespace mcv::test::join_refusals_test

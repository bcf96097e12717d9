// SPDX-License-Identifier: Apache-2.0
// `storage list` shows both nodes, from either.
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::storage_list_test {
namespace {

class StorageList : public testing::Test {
 protected:
  static constexpr std::size_t a = TwoNodes::a;
  static constexpr std::size_t b = TwoNodes::b;
  StorageList() { nodes_.make_cluster(); }
  /// What the answer of `asked` says about the pool on `about`.
  Json place(std::size_t asked, const char* about) {
    const TwoNodes::Answer answer = nodes_.ask(asked, "GET", "/v1/storage");
    EXPECT_TRUE(answer.ok());
    const Json& places = answer.body.at("pools").at(0).at("nodes");
    EXPECT_EQ(places.size(), 2u) << places.dump();
    for (const Json& found : places) {
      if (found.at("node") == about) return found;
    }
    ADD_FAILURE() << "nothing about " << about;
    return Json::object();
  }
  TwoNodes nodes_;
};

TEST_F(StorageList, ShowsBothNodesFromEither) {
  for (const std::size_t asked : {a, b}) {
    for (const char* about : {"A", "B"}) {
      const Json seen = place(asked, about);
      EXPECT_TRUE(seen.at("answers").get<bool>());
      EXPECT_TRUE(seen.at("present").get<bool>());
      EXPECT_EQ(seen.at("volume_group"), "vg0");
      EXPECT_GT(seen.at("size").get<std::uint64_t>(), 0u);
      EXPECT_TRUE(seen.contains("data_percent"));
    }
  }
}

TEST_F(StorageList, AMachineWithoutLvmIsThereAndSaysWhatIsMissing) {
  TwoNodes alone;
  alone.initialise(a);
  const Json pool = {{"name", "slow"}, {"vg", "vg0"}, {"thin", true}};
  alone.machine(a).removed_packages = {"lvm2"};
  const auto refused = alone.ask(a, "POST", "/v1/storage", pool);
  ASSERT_TRUE(refused.error.has_value());
  EXPECT_EQ(refused.error->code(), ErrorCode::command_missing) << refused.error->to_text();
  EXPECT_NE(refused.error->message().find("'vgs' is not installed"), std::string::npos) << refused.error->message();
  EXPECT_EQ(refused.error->next(), "on A: apt install lvm2; then the same command again");
  EXPECT_EQ(alone.ask(a, "GET", "/v1/nodes").body.at("nodes").at(0).at("status"), "online");
  alone.must(a, "POST", "/v1/storage", {{"name", "files"}, {"dir", "/srv/vm"}});
  alone.machine(a).removed_packages.clear();
  alone.must(a, "POST", "/v1/storage", pool);
}

TEST_F(StorageList, TheOtherNodesMissingToolIsNamedWithThatNode) {
  nodes_.machine(b).removed_packages = {"lvm2"};
  const auto refused = nodes_.ask(a, "POST", "/v1/storage", {{"name", "slow"}, {"vg", "vg0"}});
  ASSERT_TRUE(refused.error.has_value());
  EXPECT_EQ(refused.error->code(), ErrorCode::command_missing) << refused.error->to_text();
  EXPECT_EQ(refused.error->next(), "on B: apt install lvm2; then the same command again");
  const Json seen = nodes_.ask(a, "GET", "/v1/nodes").body.at("nodes");
  for (const Json& node : seen) EXPECT_EQ(node.at("status"), "online");
}

TEST_F(StorageList, ANodeThatDoesNotAnswerIsNotEmpty) {
  nodes_.end_daemon(a);
  const Json seen = place(b, "A");
  EXPECT_FALSE(seen.at("answers").get<bool>());
  EXPECT_FALSE(seen.contains("present")) << "whether the pool is there is not known";
  EXPECT_FALSE(seen.at("problem").get<std::string>().empty());
  EXPECT_TRUE(place(b, "B").at("present").get<bool>()) << "the node that was asked answers for itself";
}

TEST_F(StorageList, APoolThatIsGoneIsAbsentAndSaidByItsNode) {
  nodes_.machine(b).lvm.volumes.clear();
  EXPECT_FALSE(place(a, "B").at("present").get<bool>());
  EXPECT_TRUE(place(a, "A").at("present").get<bool>());
}

}  // namespace
}  // namespace mcv::test::storage_list_test

// SPDX-License-Identifier: Apache-2.0
// ?dry_run=true of requests whose effect is no plan of steps: refused alike, and nothing is changed.
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::dry_run_test {
namespace {

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;

/// The texts of the plan; the configuration is what it was.
std::vector<std::string> told(TwoNodes& nodes, const std::string& method, const std::string& path, const Json& body) {
  const std::string before = nodes.daemon(a).shared.current().hash();
  const TwoNodes::Answer answer = nodes.ask(a, method, path + "?dry_run=true", body);
  EXPECT_TRUE(answer.ok()) << path << ": " << (answer.error ? answer.error->to_text() : "");
  EXPECT_EQ(nodes.daemon(a).shared.current().hash(), before) << path;
  std::vector<std::string> texts;
  if (!answer.ok()) return texts;
  for (const Json& step : answer.body.at("plan")) texts.push_back(step.at("text").get<std::string>());
  return texts;
}

ErrorCode refusal(TwoNodes& nodes, const std::string& method, const std::string& path, const Json& body) {
  const TwoNodes::Answer answer = nodes.ask(a, method, path + "?dry_run=true", body);
  EXPECT_FALSE(answer.ok()) << path;
  return answer.error ? answer.error->code() : ErrorCode::internal;
}

TEST(DryRun, OfANodeThatIsPrepared) {
  TwoNodes nodes;
  const std::size_t files = nodes.files(a).files.size();
  const TwoNodes::Answer answer = nodes.ask(a, "POST", "/v1/node/init?dry_run=true", {{"all", true}});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer.body.at("plan").size(), 4u) << answer.body.dump();
  EXPECT_EQ(nodes.files(a).files.size(), files);
  EXPECT_FALSE(nodes.daemon(a).own_record().ok());
  EXPECT_EQ(refusal(nodes, "POST", "/v1/node/init", {{"all", true}, {"uplink", "eth0"}}), ErrorCode::in_use);
}

TEST(DryRun, OfAddressesAndAnInvitation) {
  TwoNodes nodes;
  nodes.initialise(a);
  EXPECT_EQ(told(nodes, "PUT", "/v1/node/addresses", {{"cluster_address", sim::node_address(a)}}).size(), 1u);
  EXPECT_EQ(refusal(nodes, "PUT", "/v1/node/addresses", {{"cluster_address", "10.9.9.9"}}), ErrorCode::address_not_local);
  EXPECT_EQ(told(nodes, "POST", "/v1/cluster/connect-string", Json::object()).size(), 1u);
}

TEST(DryRun, OfALeaveIsToldAtAnyTime) {
  TwoNodes nodes;
  nodes.make_cluster();
  nodes.create_vm("vm1");
  const std::vector<std::string> texts = told(nodes, "POST", "/v1/node/leave", Json::object());
  ASSERT_EQ(texts.size(), 3u);
  EXPECT_NE(texts.front().find("vm1"), std::string::npos);
}

TEST(DryRun, OfWhatIsNotThereIsRefused) {
  TwoNodes nodes;
  nodes.make_cluster();
  EXPECT_EQ(refusal(nodes, "DELETE", "/v1/quarantine/mcvq-A-1-vm1-0", Json()), ErrorCode::not_found);
  EXPECT_EQ(refusal(nodes, "DELETE", "/v1/snapshots/mcvs-A-1-vm1-0", Json()), ErrorCode::not_found);
  EXPECT_EQ(refusal(nodes, "POST", "/v1/operations/A-99/cancel", Json::object()), ErrorCode::not_found);
  EXPECT_TRUE(told(nodes, "POST", "/v1/cluster/diverged/dismiss", Json::object()).empty());
}

TEST(DryRun, OfACancelOfWhatHasEndedIsRefused) {
  TwoNodes nodes;
  nodes.make_cluster();
  nodes.create_vm("vm1");
  const std::string id = nodes.daemon(a).operations.list().front().id.str();
  EXPECT_EQ(refusal(nodes, "POST", "/v1/operations/" + id + "/cancel", Json::object()), ErrorCode::operation_ended);
  EXPECT_EQ(refusal(nodes, "POST", "/v1/operations/" + id + "/retry", Json::object()), ErrorCode::operation_ended);
}

TEST(OperationList, ShowsBothNodesFromEither) {
  TwoNodes nodes;
  nodes.make_cluster();
  nodes.create_vm("vm1");
  const std::string made = nodes.daemon(a).operations.list().front().id.str();
  for (const std::size_t asked : {a, b}) {
    const TwoNodes::Answer answer = nodes.ask(asked, "GET", "/v1/operations");
    ASSERT_TRUE(answer.ok());
    std::size_t seen = 0;
    for (const Json& operation : answer.body.at("operations")) seen += operation.at("id") == made ? 1 : 0;
    EXPECT_EQ(seen, 1u) << answer.body.dump();
    EXPECT_TRUE(answer.body.at("silent").empty());
  }
  nodes.end_daemon(a);
  const TwoNodes::Answer alone = nodes.ask(b, "GET", "/v1/operations");
  ASSERT_TRUE(alone.ok());
  EXPECT_EQ(alone.body.at("silent"), Json::array({"A"}));
  EXPECT_TRUE(nodes.ask(b, "GET", "/v1/operations?local=true").body.at("silent").empty());
}

}  // namespace
}  // namespace mcv::test::dry_run_test

// SPDX-License-Identifier: Apache-2.0
// A verify that saw differences and did not come to its verdict, as both nodes hold it against the VM.
#include <gtest/gtest.h>

#include <algorithm>

#include "two_nodes.h"

namespace mcv::test::suspect_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;
const VolumeName disk = VolumeName::trusted("vm1-0");

class SuspectTest : public testing::Test {
 protected:
  SuspectTest() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
  }
  std::uint32_t minor() { return nodes.daemon(a).shared.current().volume(disk)->minor; }
  /// Behind DRBD's back, in the first quarter of the device and so in the first piece of a verify.
  void differ() { nodes.replication().corrupt(b, minor(), 3, 4711); }
  void be_equal() { nodes.replication().corrupt(b, minor(), 3, 0); }
  OperationId begin_verify() {
    const TwoNodes::Answer begun = nodes.ask(a, "POST", "/v1/verify", {{"all", true}});
    return OperationId::trusted(begun.body.at("operation").at("id").get<std::string>());
  }
  bool is_comparing() {
    const auto seen = nodes.replication().look(a);
    return std::any_of(seen.begin(), seen.end(), [](const sim::SimDrbd::Seen& leg) { return leg.replication.starts_with("Verify"); });
  }
  bool kernel_saw_it() { return nodes.replication().kernel_log(a, "", false).find("Out of sync") != std::string::npos; }
  Json result_of(const OperationId& id) {
    const auto ended = [&] {
      const auto view = nodes.daemon(a).operations.get(id);
      return view.ok() && view->final();
    };
    nodes.run_events(ended, 600s);
    return nodes.daemon(a).operations.get(id)->result.at("volumes").at(0);
  }
  std::string verdict_of(const OperationId& id) { return result_of(id).at("verdict").get<std::string>(); }
  std::optional<ErrorCode> refused(std::size_t node, const std::string& path, const Json& body) {
    const TwoNodes::Answer answer = nodes.ask(node, "POST", path, body);
    if (!answer.error) return std::nullopt;
    return answer.error->code();
  }
  /// Seen on both nodes, and both say so.
  void expect_suspect(const std::string& when) {
    for (const std::size_t node : TwoNodes::both) {
      EXPECT_TRUE(nodes.daemon(node).verify_gate.is_suspect(disk)) << when << ", node " << node;
      EXPECT_EQ(nodes.ask(node, "GET", "/v1/drbd").body.at("volumes").at(0).at("verdict").at("kind"), "suspect") << when;
      const Json vm = nodes.ask(node, "GET", "/v1/vms/vm1").body;
      EXPECT_EQ(vm.at("volumes").at(0).at("verdict").at("kind"), "suspect") << when;
      EXPECT_NE(vm.at("warnings").dump().find("found differences"), std::string::npos) << when;
      EXPECT_NE(nodes.ask(node, "GET", "/v1/info").body.at("warnings").dump().find("verify-gate"), std::string::npos) << when;
      EXPECT_EQ(refused(node, "/v1/vms/vm1/start", Json::object()), ErrorCode::verify_gate) << when << ", start typed on node " << node;
      EXPECT_EQ(refused(node, "/v1/vms/vm1/migrate", {{"node", "B"}}), ErrorCode::verify_gate) << when << ", migrate typed on node " << node;
    }
  }

  TwoNodes nodes;
};

TEST_F(SuspectTest, ARunThatIsCutOffClosesTheGateOnBothNodesUntilACleanOne) {
  differ();
  const OperationId id = begin_verify();
  nodes.run_events([&] { return kernel_saw_it(); }, 60s);
  nodes.replication().cut();
  const Json result = result_of(id);
  EXPECT_EQ(result.at("verdict"), "suspect") << result.dump();
  EXPECT_EQ(result.at("ranges").size(), 1u);
  expect_suspect("after the run");

  nodes.replication().heal();
  nodes.pass(60s);
  be_equal();
  expect_suspect("connected again: that the sides are equal is not proven");
  for (const std::size_t node : TwoNodes::both) {
    nodes.end_daemon(node);
    nodes.start_daemon(node);
  }
  nodes.pass(60s);
  expect_suspect("after a restart of both");

  EXPECT_EQ(verdict_of(begin_verify()), "clean");
  nodes.pass(5s);
  for (const std::size_t node : TwoNodes::both) EXPECT_FALSE(nodes.daemon(node).verify_gate.is_suspect(disk));
  EXPECT_EQ(nodes.ask(a, "GET", "/v1/drbd").body.at("volumes").at(0).at("verdict").at("kind"), "clean");
  EXPECT_TRUE(nodes.daemon(a).records.read(suspect_kind).empty()) << "what a clean verify overtook is not kept";
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
}

TEST_F(SuspectTest, WhoTakesOverIsHeldToItToo) {
  differ();
  const OperationId id = begin_verify();
  nodes.run_events([&] { return kernel_saw_it(); }, 60s);
  nodes.replication().cut();
  ASSERT_EQ(verdict_of(id), "suspect");
  nodes.replication().heal();
  nodes.pass(60s);
  nodes.power_off(a);
  nodes.pass(60s);
  const Json typed = {{"node", "A"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}};
  const TwoNodes::Answer alone = nodes.ask(b, "POST", "/v1/cluster/confirm-down", typed);
  ASSERT_TRUE(alone.ok()) << alone.error->message();
  EXPECT_EQ(refused(b, "/v1/vms/vm1/start", Json::object()), ErrorCode::verify_gate);

  // ... unless a person lifts it, who is written down as for a start on the VM's own node.
  const TwoNodes::Answer lifted = nodes.ask(b, "POST", "/v1/vms/vm1/start", {{"override", {{"reason", "the backup is older"}}}});
  ASSERT_TRUE(lifted.ok()) << lifted.error->message();
  const auto& lines = nodes.scheduler().trace().last();
  const auto says_why = [](const std::string& line) { return line.find("verify gate of vm1 overridden by root: the backup is older") != std::string::npos; };
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), says_why)) << "the journal does not say who took the risk";
  nodes.pass(60s);
  EXPECT_EQ(nodes.daemon(b).guests.facts(VmName::trusted("vm1")).state, RunState::running);
}

TEST_F(SuspectTest, AMismatchThatCannotBeRecordedClosesTheGateToo) {
  differ();
  const OperationId id = begin_verify();
  nodes.run_events([&] { return kernel_saw_it(); }, 60s);
  nodes.cut_cluster_link();
  const Json result = result_of(id);
  EXPECT_EQ(result.at("verdict"), "suspect") << result.dump();
  EXPECT_NE(result.at("text").get<std::string>().find("could not be recorded"), std::string::npos) << result.dump();
  EXPECT_TRUE(nodes.daemon(a).verify_gate.is_suspect(disk));
  EXPECT_EQ(refused(a, "/v1/vms/vm1/start", Json::object()), ErrorCode::verify_gate);
  nodes.heal_cluster_link();
  nodes.pass(60s);
  // The change may have been undecided and be committed at contact: then the mismatch itself closes it.
  for (const std::size_t node : TwoNodes::both) EXPECT_EQ(refused(node, "/v1/vms/vm1/start", Json::object()), ErrorCode::verify_gate);
}

TEST_F(SuspectTest, ADaemonThatDiesInTheRunLeavesItsRecord) {
  differ();
  begin_verify();
  nodes.run_events([&] { return !nodes.daemon(a).records.read(suspect_kind).empty(); }, 60s);
  ASSERT_TRUE(nodes.daemon(a).verify_gate.is_suspect(disk));
  nodes.power_off(a);
  nodes.power_on(a);
  EXPECT_TRUE(nodes.daemon(a).verify_gate.is_suspect(disk)) << "on its disk";
}

/// The kernel goes on comparing when mcvd is gone, and nobody reads what it finds.
TEST_F(SuspectTest, ARunThatNobodyWatchedIsMadeAnew) {
  const OperationId id = begin_verify();
  nodes.run_events([&] { return is_comparing(); }, 60s);
  ASSERT_TRUE(is_comparing());
  const std::uint32_t which = minor();
  nodes.end_daemon(a);
  nodes.replication().corrupt(b, which, 3, 4711);  // in the first quarter, which this run has behind it
  nodes.start_daemon(a);
  EXPECT_EQ(verdict_of(id), "mismatch");
  EXPECT_FALSE(is_comparing());
}

TEST_F(SuspectTest, ACancelledRunEndsInTheKernelAndIsInNobodysWay) {
  differ();
  const OperationId id = begin_verify();
  nodes.run_events([&] { return is_comparing(); }, 60s);
  ASSERT_TRUE(nodes.ask(a, "POST", "/v1/operations/" + id.str() + "/cancel", Json::object()).ok());
  EXPECT_TRUE(nodes.run_events([&] { return !is_comparing(); }, 10s)) << "the kernel goes on";
  nodes.run_events([&] { return nodes.daemon(a).operations.get(id)->final(); }, 60s);
  EXPECT_EQ(nodes.daemon(a).operations.get(id)->outcome, OperationOutcome::cancelled);
  EXPECT_FALSE(is_comparing());
  EXPECT_EQ(verdict_of(begin_verify()), "mismatch");
}

TEST_F(SuspectTest, ARecordThatCannotBeReadClosesTheGateUntilACleanRun) {
  Json broken{{"volume", disk.str()}, {"index", "of another format"}};
  auto written = nodes.wait_for(a, nodes.daemon(a).records.append(suspect_kind, std::move(broken)));
  ASSERT_TRUE(written->ok());
  nodes.pass(5s);
  expect_suspect("written");
  for (const std::size_t node : TwoNodes::both) {
    nodes.end_daemon(node);
    nodes.start_daemon(node);
  }
  nodes.pass(60s);
  expect_suspect("after a restart of both");
  EXPECT_EQ(verdict_of(begin_verify()), "clean");
  nodes.pass(5s);
  for (const std::size_t node : TwoNodes::both) EXPECT_FALSE(nodes.daemon(node).verify_gate.is_suspect(disk));
  EXPECT_TRUE(nodes.daemon(a).records.read(suspect_kind).empty());
}

TEST_F(SuspectTest, AMismatchOvertakesIt) {
  differ();
  EXPECT_EQ(verdict_of(begin_verify()), "mismatch");
  EXPECT_EQ(nodes.ask(b, "GET", "/v1/drbd").body.at("volumes").at(0).at("verdict").at("kind"), "mismatch");
  EXPECT_TRUE(nodes.daemon(a).records.read(suspect_kind).empty());
  EXPECT_EQ(refused(b, "/v1/vms/vm1/start", Json::object()), ErrorCode::verify_gate);
}

}  // namespace
}  // namespace mcv::test::suspect_test

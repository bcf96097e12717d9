// SPDX-License-Identifier: Apache-2.0
// Verifies of two whole daemons: their history, their age, and several of them at once.
#include <gtest/gtest.h>

#include <algorithm>

#include "daemon/node/verify_timer.h"
#include "two_nodes.h"

namespace mcv::test::verify_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;
const VolumeName disk = VolumeName::trusted("vm1-0");

class VerifyTest : public testing::Test {
 protected:
  VerifyTest() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
  }
  std::uint32_t minor() { return nodes.daemon(a).shared.current().volume(disk)->minor; }
  TwoNodes::Answer ask_verify(std::size_t node, Json body) { return nodes.ask(node, "POST", "/v1/verify", body); }
  OperationId begin(std::size_t node, Json body) {
    const TwoNodes::Answer answer = ask_verify(node, std::move(body));
    EXPECT_TRUE(answer.ok()) << answer.error->message();
    return OperationId::trusted(answer.body.at("operation").at("id").get<std::string>());
  }
  Json end_of(const OperationId& id) {
    const auto ended = [&] {
      const auto view = nodes.daemon(a).operations.get(id);
      return view.ok() && view->final();
    };
    EXPECT_TRUE(nodes.run_events(ended, 600s));
    return nodes.daemon(a).operations.get(id)->result.at("volumes");
  }
  std::string verify(std::size_t node) { return end_of(begin(node, {{"all", true}})).at(0).at("verdict"); }
  Json history(std::size_t node, const std::string& name = "vm1") {
    nodes.pass(3s);
    return nodes.ask(node, "GET", "/v1/verify/history?name=" + name).body.at("runs");
  }
  std::size_t comparing() {
    const auto seen = nodes.replication().look(a);
    return static_cast<std::size_t>(std::count_if(seen.begin(), seen.end(), [](const sim::SimDrbd::Seen& leg) { return leg.replication == "VerifyS"; }));
  }
  bool says(const std::string& words) {
    const auto& lines = nodes.scheduler().trace().last();
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) { return line.find(words) != std::string::npos; });
  }

  TwoNodes nodes;
};

TEST_F(VerifyTest, BothNodesTellTheSameHistory) {
  EXPECT_TRUE(history(a).empty());
  EXPECT_EQ(verify(b), "clean");
  nodes.replication().corrupt(b, minor(), 3, 4711);
  EXPECT_EQ(verify(a), "mismatch");
  const Json runs = history(a);
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(history(b), runs);
  EXPECT_EQ(runs[0].at("result"), "mismatch");
  EXPECT_EQ(runs[0].at("blocks"), 1);
  EXPECT_EQ(runs[0].at("ranges").size(), 1u);
  EXPECT_EQ(runs[0].at("asked_by"), "root");
  EXPECT_EQ(runs[0].at("node"), "A");
  EXPECT_EQ(runs[1].at("result"), "clean");
  EXPECT_GT(runs[0].at("wall_seconds"), runs[1].at("wall_seconds"));
  EXPECT_EQ(history(b, disk.str()), runs);
  EXPECT_EQ(nodes.ask(a, "GET", "/v1/verify/history?name=vm9").error->code(), ErrorCode::not_found);
}

TEST_F(VerifyTest, ARunWhoseDaemonDiesIsCutOffAndTheNextOneTellsTheEnd) {
  nodes.replication().verify_pace = {5000, 6000};
  const OperationId id = begin(a, {{"all", true}, {"scheduled", true}});
  nodes.run_events([&] { return comparing() == 1; }, 60s);
  EXPECT_EQ(history(b)[0].at("result"), "running");
  nodes.end_daemon(a);
  nodes.run_events([&] { return !nodes.daemon(b).shared.link().peer_in_group; }, 60s);
  EXPECT_EQ(history(b)[0].at("result"), "unknown") << "its node is not in contact";
  nodes.start_daemon(a);
  end_of(id);
  const Json runs = history(b);
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].at("result"), "clean");
  EXPECT_EQ(runs[1].at("result"), "cut-off");
  for (const Json& run : runs) {
    EXPECT_EQ(run.at("operation"), id.str());
    EXPECT_EQ(run.at("asked_by"), "timer");
  }
}

TEST_F(VerifyTest, OnlyTheLastRunsAreKept) {
  for (std::size_t i = 0; i < verify_runs_kept + 3; ++i) EXPECT_EQ(verify(i % 2), "clean");
  EXPECT_EQ(history(b).size(), verify_runs_kept);
  EXPECT_EQ(nodes.daemon(a).records.read(verify_run_kind).size(), verify_runs_kept);
  EXPECT_EQ(nodes.daemon(b).records.read(verify_run_kind).size(), verify_runs_kept) << "shipped, and forgotten there as well";
}

TEST_F(VerifyTest, AVerdictOfARunThatIsMadeAnewIsItsOwn) {
  // The first attempt's verdict is committed and its end is not journaled: the daemon dies in between.
  const OperationId id = begin(a, {{"all", true}});
  nodes.run_events([&] { return nodes.daemon(b).shared.current().volume(disk)->verdict.kind == VerdictKind::clean; }, 60s);
  nodes.end_daemon(a);
  nodes.replication().corrupt(b, nodes.daemon(b).shared.current().volume(disk)->minor, 3, 4711);
  nodes.start_daemon(a);
  EXPECT_EQ(end_of(id).at(0).at("verdict"), "mismatch");
  for (const std::size_t node : TwoNodes::both) EXPECT_EQ(nodes.daemon(node).shared.current().volume(disk)->verdict.kind, VerdictKind::mismatch);
}

// --- several at once --------------------------------------------------------------------------------------

TEST_F(VerifyTest, BothNodesTimersMakeOneRun) {
  const OperationId first = begin(b, {{"all", true}, {"scheduled", true}});
  EXPECT_TRUE(first.str().starts_with("A-")) << "one node runs all of them";
  const TwoNodes::Answer second = ask_verify(a, {{"all", true}, {"scheduled", true}});
  EXPECT_EQ(second.body.at("operation").at("id"), first.str());
  EXPECT_EQ(second.body.at("operation").at("joined"), true);
  end_of(first);
  EXPECT_EQ(history(a).size(), 1u);
}

TEST_F(VerifyTest, AnotherOneWaitsForItsTurnAndIsCancelledWithoutHarm) {
  nodes.create_vm("vm2");
  const OperationId first = begin(a, {{"vms", {"vm1"}}});
  nodes.run_events([&] { return comparing() == 1; }, 60s);
  const OperationId second = begin(b, {{"all", true}});
  ASSERT_NE(second, first);
  const OperationId third = begin(b, {{"vms", {"vm2"}}});
  EXPECT_EQ(third, second) << "what waits already compares that";
  ASSERT_TRUE(nodes.ask(b, "POST", "/v1/operations/" + second.str() + "/cancel", Json::object()).ok());
  nodes.run_events([&] { return nodes.daemon(a).operations.get(second)->final(); }, 60s);
  EXPECT_EQ(nodes.daemon(a).operations.get(second)->outcome, OperationOutcome::cancelled);
  EXPECT_EQ(end_of(first).at(0).at("verdict"), "clean") << "the kernel's run was another one's";
  const OperationId fourth = begin(b, {{"all", true}});
  EXPECT_EQ(end_of(fourth).size(), 2u);
}

TEST_F(VerifyTest, TheQueueOutlivesTheDaemon) {
  nodes.create_vm("vm2");
  const OperationId first = begin(a, {{"vms", {"vm1"}}});
  const OperationId second = begin(b, {{"all", true}});
  nodes.run_events([&] { return comparing() == 1; }, 60s);
  nodes.end_daemon(a);
  nodes.start_daemon(a);
  std::size_t most = 0;
  nodes.run_events(
      [&] {
        most = std::max(most, comparing());
        return nodes.daemon(a).operations.get(second)->final();
      },
      600s);
  EXPECT_EQ(most, 1u);
  EXPECT_EQ(end_of(first).at(0).at("verdict"), "clean");
  EXPECT_EQ(end_of(second).size(), 2u);
}

TEST_F(VerifyTest, AsManyAtOnceAsTheClusterIsSetTo) {
  nodes.create_vm("vm2");
  nodes.create_vm("vm3");
  nodes.must(b, "PATCH", "/v1/cluster", {{"verify_parallel", 2}});
  nodes.run_events([&] { return nodes.daemon(a).shared.current().setting("verify-parallel").has_value(); }, 10s);
  nodes.replication().verify_pace = {300, 500};
  nodes.replication().corrupt(b, nodes.daemon(a).shared.current().volume(VolumeName::trusted("vm2-0"))->minor, 3, 4711);
  const OperationId id = begin(a, {{"all", true}});
  std::size_t most = 0;
  nodes.run_events(
      [&] {
        most = std::max(most, comparing());
        return nodes.daemon(a).operations.get(id)->final();
      },
      600s);
  EXPECT_EQ(most, 2u);
  const Json volumes = end_of(id);
  ASSERT_EQ(volumes.size(), 3u) << volumes.dump();
  for (const Json& one : volumes) EXPECT_EQ(one.at("verdict"), one.at("volume") == "vm2-0" ? "mismatch" : "clean") << one.dump();
  EXPECT_EQ(nodes.ask(b, "GET", "/v1/info").body.at("verify").at("parallel"), 2);
}

TEST_F(VerifyTest, TheTimersOfBothNodesFollowTheCalendar) {
  const std::string file = verify_timer_drop_in;
  const auto fires = [&](std::size_t node, const std::string& calendar) {
    const auto& files = nodes.files(node).files;
    const auto found = files.find(file);
    return found != files.end() && found->second.text.find("OnCalendar=" + calendar + "\n") != std::string::npos && nodes.machine(node).timers.count("mcv-verify.timer") == 1;
  };
  const auto answer = nodes.ask(a, "PATCH", "/v1/cluster", {{"verify_calendar", "never ever"}});
  EXPECT_EQ(answer.error->code(), ErrorCode::bad_request);
  EXPECT_TRUE(nodes.machine(a).timers.empty());
  nodes.must(a, "PATCH", "/v1/cluster", {{"verify_calendar", "Sun 02:00"}});
  nodes.run_events([&] { return fires(a, "Sun 02:00") && fires(b, "Sun 02:00"); }, 60s);
  EXPECT_TRUE(fires(a, "Sun 02:00") && fires(b, "Sun 02:00"));
  // /run is empty after a boot.
  nodes.power_off(b);
  nodes.pass(30s);
  nodes.files(b).remove_tree("/run/systemd");
  nodes.power_on(b);
  nodes.run_events([&] { return fires(b, "Sun 02:00"); }, 120s);
  EXPECT_TRUE(fires(b, "Sun 02:00"));
  ASSERT_TRUE(nodes.run_events([&] { return nodes.ask(b, "GET", "/v1/info").body.at("link") == "together"; }, 120s));
  nodes.must(b, "PATCH", "/v1/cluster", {{"verify_calendar", "off"}});
  const auto off = [&](std::size_t node) { return nodes.machine(node).timers.empty() && !nodes.files(node).files.contains(file); };
  nodes.run_events([&] { return off(a) && off(b); }, 60s);
  EXPECT_TRUE(off(a) && off(b));
  EXPECT_EQ(nodes.ask(a, "GET", "/v1/info").body.at("verify").at("calendar"), "off");
}

TEST_F(VerifyTest, AfterAPowerCutItIsMadeAnewOnceBothCopiesAreCurrentAgain) {
  nodes.replication().verify_pace = {300, 500};
  const OperationId id = begin(a, {{"all", true}});
  ASSERT_TRUE(nodes.run_events([&] { return comparing() == 1; }, 60s));
  nodes.power_off(a);
  nodes.pass(30s);
  nodes.power_on(a);
  const Json volumes = end_of(id);
  EXPECT_EQ(volumes.at(0).at("verdict"), "clean") << "the volume was not in the kernel yet, then not connected: " << volumes.dump();
  const Json runs = history(b);
  ASSERT_EQ(runs.size(), 2u) << runs.dump();
  EXPECT_EQ(runs.at(0).at("result"), "clean");
  EXPECT_EQ(runs.at(1).at("result"), "cut-off");
}

TEST_F(VerifyTest, AndWithoutTheOtherNodeItDoesNotWaitForEver) {
  nodes.replication().verify_pace = {300, 500};
  const OperationId id = begin(a, {{"all", true}});
  ASSERT_TRUE(nodes.run_events([&] { return comparing() == 1; }, 60s));
  nodes.power_off(a);
  nodes.power_off(b);
  nodes.power_on(a);
  const Json volumes = end_of(id);
  EXPECT_EQ(volumes.at(0).at("verdict"), "could-not-verify") << volumes.dump();
}

TEST_F(VerifyTest, WithoutTheOtherNodeEachVolumeIsNamedAsNotCompared) {
  nodes.power_off(a);
  nodes.pass(30s);
  const TwoNodes::Answer answer = ask_verify(b, {{"all", true}});
  ASSERT_TRUE(answer.ok()) << answer.error->message();
  const OperationId id = OperationId::trusted(answer.body.at("operation").at("id").get<std::string>());
  ASSERT_TRUE(nodes.run_events([&] { return nodes.daemon(b).operations.get(id)->final(); }, 120s));
  EXPECT_EQ(nodes.daemon(b).operations.get(id)->result.at("volumes").at(0).at("verdict"), "could-not-verify");
  EXPECT_EQ(nodes.daemon(b).verify_history.of(*nodes.daemon(b).shared.current().volume(disk)).at(0).end, RunEnd::could_not_verify);
}

TEST_F(VerifyTest, ANodeWhoseBuildKnowsNoQueueIsNotAsked) {
  Abilities older;
  older.features.erase(feature::verify_desk);
  nodes.upgrade(a, older);
  nodes.pass(10s);
  const OperationId id = begin(b, {{"all", true}});
  EXPECT_TRUE(id.str().starts_with("B-"));
  ASSERT_TRUE(nodes.run_events([&] { return nodes.daemon(b).operations.get(id)->final(); }, 120s));
  EXPECT_EQ(nodes.daemon(b).operations.get(id)->result.at("volumes").at(0).at("verdict"), "clean");
}

// --- age --------------------------------------------------------------------------------------------------

TEST_F(VerifyTest, AnAlarmWhenTheLastOneIsOlderThanTheClusterIsSetTo) {
  const auto overdue = [&](std::size_t node) { return nodes.ask(node, "GET", "/v1/drbd").body.at("volumes").at(0).at("verify_overdue").get<bool>(); };
  EXPECT_EQ(verify(a), "clean");
  for (const std::size_t node : TwoNodes::both) EXPECT_FALSE(overdue(node));
  nodes.must(a, "PATCH", "/v1/cluster", {{"verify_age_seconds", 3600}});
  nodes.pass(3600s + 11min);
  for (const std::size_t node : TwoNodes::both) {
    EXPECT_TRUE(overdue(node));
    EXPECT_NE(nodes.ask(node, "GET", "/v1/info").body.at("warnings").dump().find("compared last"), std::string::npos);
    EXPECT_NE(nodes.ask(node, "GET", "/v1/vms/vm1").body.at("warnings").dump().find("compared last"), std::string::npos);
  }
  EXPECT_TRUE(says("the copies of vm1-0 were compared last"));
  EXPECT_EQ(verify(b), "clean");
  for (const std::size_t node : TwoNodes::both) EXPECT_FALSE(overdue(node));
  nodes.pass(11min);
  EXPECT_TRUE(says("vm1-0 is not overdue for a verify any more"));
  const Json told = nodes.ask(b, "GET", "/v1/info").body.at("verify");
  EXPECT_EQ(told.at("age_limit_seconds"), 3600);
  EXPECT_EQ(told.at("never"), 0);
}

TEST_F(VerifyTest, ANewDiskIsNotOverdueAtOnce) {
  const Json volume = nodes.ask(b, "GET", "/v1/drbd").body.at("volumes").at(0);
  EXPECT_EQ(volume.at("verdict").at("kind"), "never");
  EXPECT_FALSE(volume.at("verify_overdue"));
  EXPECT_EQ(nodes.ask(b, "GET", "/v1/info").body.at("verify").at("never"), 1);
  EXPECT_TRUE(nodes.ask(b, "GET", "/v1/info").body.at("warnings").empty());
}

}  // namespace
}  // namespace mcv::test::verify_test

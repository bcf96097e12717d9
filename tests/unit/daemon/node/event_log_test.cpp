// SPDX-License-Identifier: Apache-2.0
// What the journal of a node can be searched for afterwards: who asked, what was done, how the guest fared.
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <utility>
#include <vector>

#include "daemon/log/event_log.h"
#include "daemon/node/node_events.h"
#include "daemon/routes/command_log.h"
#include "two_nodes.h"

namespace mcv::test::event_log_test {
namespace {

using Wanted = std::initializer_list<std::pair<std::string_view, std::string>>;

std::string field(const LogEvent& event, std::string_view name) {
  for (const LogField& candidate : event.fields) {
    if (candidate.name == name) return candidate.value;
  }
  return "";
}

bool has(const LogEvent& event, Wanted wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&event](const auto& one) { return field(event, one.first) == one.second; });
}

class EventLog : public ::testing::Test {
 protected:
  EventLog() {
    nodes_.make_cluster();
    nodes_.create_vm("vm1");
    set_event_sink([this](const LogEvent& event) { heard_.push_back(event); });
  }
  ~EventLog() override { set_event_sink({}); }

  /// Where it is among what was heard from then on; -1 when it was not.
  int place(Wanted wanted) const {
    const auto found = std::find_if(heard_.begin(), heard_.end(), [&wanted](const LogEvent& event) { return has(event, wanted); });
    return found == heard_.end() ? -1 : static_cast<int>(found - heard_.begin());
  }
  std::string all() const {
    std::string text;
    for (const LogEvent& event : heard_) text += to_text(event) + "\n";
    return text;
  }

  std::vector<LogEvent> heard_;
  TwoNodes nodes_;
};

TEST_F(EventLog, AStartIsToldByWhoAskedTheOperationAndTheGuest) {
  nodes_.must(TwoNodes::a, "POST", "/v1/vms/vm1/start", Json::object());
  const int asked = place({{"REQUEST", "POST /v1/vms/vm1/start"}, {"UID", "0"}, {"VM", "vm1"}, {"NODE", "A"}, {"RESULT", "ok"}});
  ASSERT_GE(asked, 0) << all();
  const std::string operation = field(heard_[static_cast<std::size_t>(asked)], "OPERATION");
  EXPECT_FALSE(operation.empty()) << all();
  const int begun = place({{"OPERATION", operation}, {"KIND", "vm-start"}, {"OBJECT", "vm/vm1"}, {"VM", "vm1"}, {"RESULT", ""}});
  const int running = place({{"VM", "vm1"}, {"STATE", "running"}, {"NODE", "A"}});
  const int ended = place({{"OPERATION", operation}, {"VM", "vm1"}, {"RESULT", "succeeded"}});
  ASSERT_GE(begun, 0) << all();
  EXPECT_LT(begun, running) << all();
  EXPECT_LT(begun, ended) << all();
}

TEST_F(EventLog, AGuestsEndSaysWhy) {
  nodes_.must(TwoNodes::a, "POST", "/v1/vms/vm1/start", Json::object());
  EXPECT_EQ(place({{"STATE", "stopped"}}), -1) << all();
  nodes_.must(TwoNodes::a, "POST", "/v1/vms/vm1/kill", Json::object());
  EXPECT_GE(place({{"VM", "vm1"}, {"STATE", "stopped"}, {"LAST_EXIT", "killed by operator"}}), 0) << all();
}

TEST_F(EventLog, ARefusalIsToldOnBothNodesWhenItCameFromTheOther) {
  nodes_.must(TwoNodes::a, "POST", "/v1/vms/vm1/start", Json::object());
  heard_.clear();
  const auto refused = nodes_.ask(TwoNodes::b, "DELETE", "/v1/vms/vm1");
  EXPECT_TRUE(refused.error.has_value());
  for (const char* node : {"A", "B"}) {
    EXPECT_GE(place({{"NODE", node}, {"REQUEST", "DELETE /v1/vms/vm1"}, {"VM", "vm1"}, {"RESULT", "refused"}, {"ERROR", "guest-running"}}), 0) << all();
  }
  EXPECT_EQ(place({{"KIND", "vm-delete"}}), -1) << all();
}

TEST_F(EventLog, WhoOnlyLooksIsNotToldAtInfo) {
  nodes_.ask(TwoNodes::a, "GET", "/v1/vms");
  EXPECT_EQ(place({{"REQUEST", "GET /v1/vms"}}), -1) << all();
}

TEST_F(EventLog, AConsoleIsTold) {
  nodes_.must(TwoNodes::a, "POST", "/v1/vms/vm1/start", Json::object());
  const api::ApiReply opened = nodes_.console(TwoNodes::a, "vm1");
  EXPECT_GE(place({{"REQUEST", "GET /v1/vms/vm1/console?replay=0"}, {"VM", "vm1"}, {"RESULT", "ok"}}), 0) << all();
}

TEST_F(EventLog, AnInterruptedOperationIsToldToGoOn) {
  EXPECT_TRUE(nodes_.ask(TwoNodes::a, "POST", "/v1/vms/vm1/start", Json::object()).ok());
  nodes_.end_daemon(TwoNodes::a);
  heard_.clear();
  nodes_.start_daemon(TwoNodes::a);
  nodes_.pass(std::chrono::seconds(60));
  EXPECT_GE(place({{"KIND", "vm-start"}, {"VM", "vm1"}, {"RESULT", ""}}), 0) << all();
  EXPECT_NE(all().find("goes on after a restart"), std::string::npos) << all();
  // Where corosync is not back in time the start cannot be recorded and is taken back. Either end is told.
  const bool undone = place({{"KIND", "vm-start"}, {"RESULT", "undone"}, {"ERROR", "no-authority"}}) >= 0;
  EXPECT_TRUE(undone || place({{"KIND", "vm-start"}, {"RESULT", "succeeded"}}) >= 0) << all();
}

TEST(OperationEvent, AFailureIsAWarningWithItsReason) {
  OperationView view;
  view.id = OperationId::trusted("A-7");
  view.kind = "vm-start";
  view.object = "vm/vm1";
  view.summary = "start vm1";
  view.outcome = OperationOutcome::failed;
  view.error = Error(ErrorCode::timed_out, "lvchange did not end");
  const LogEvent event = operation_event(NodeName::trusted("A"), OperationNews::ended, view);
  EXPECT_EQ(event.level, LogLevel::warning);
  EXPECT_EQ(event.message, "operation A-7 failed: start vm1: lvchange did not end");
  EXPECT_TRUE(has(event, {{"RESULT", "failed"}, {"ERROR", "timed-out"}, {"VM", "vm1"}}));
}

TEST(CommandEvent, NeverHoldsTheBodyAndADefectIsAnError) {
  api::ApiCall call;
  call.method = "POST";
  call.body = "the secret";
  const Asked asked = asked_of(call, "/v1/cluster/add-node");
  const LogEvent event = command_event(NodeName::trusted("A"), asked, Error(ErrorCode::internal, "a defect"));
  EXPECT_EQ(event.level, LogLevel::error);
  EXPECT_EQ(to_text(event).find("secret"), std::string::npos);
  EXPECT_TRUE(has(event, {{"VM", ""}, {"RESULT", "refused"}, {"ERROR", "internal"}}));
}

}  // namespace
}  // namespace mcv::test::event_log_test

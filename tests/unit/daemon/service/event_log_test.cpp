// SPDX-License-Identifier: Apache-2.0
#include "daemon/log/event_log.h"

#include <gtest/gtest.h>

#include "captured_log.h"

namespace mcv {
namespace {

LogEvent running(LogLevel level = LogLevel::info) { return {level, "vm1 is running", {{log_fields::vm, "vm1"}, {log_fields::last_exit, ""}, {log_fields::node, "A"}}}; }

TEST(EventLog, TheJournalGetsAFieldForEachThatIsTold) {
  EXPECT_EQ(journal_entries(running()), (std::vector<std::string>{"MESSAGE=vm1 is running", "MCV_VM=vm1", "MCV_NODE=A"}));
}

TEST(EventLog, AsTextTheFieldsFollow) {
  const test::CapturedLog log(spdlog::level::info);
  log_event(running());
  EXPECT_EQ(log.lines(), (std::vector<std::string>{"info vm1 is running VM=vm1 NODE=A"}));
}

TEST(EventLog, ASinkGetsItInsteadAndNothingBelowTheLevel) {
  const test::CapturedLog log(spdlog::level::info);
  std::vector<std::string> heard;
  set_event_sink([&heard](const LogEvent& event) { heard.push_back(to_text(event)); });
  log_event(running());
  log_event(running(LogLevel::debug));
  set_event_sink({});
  EXPECT_EQ(heard, (std::vector<std::string>{"vm1 is running VM=vm1 NODE=A"}));
  EXPECT_TRUE(log.lines().empty());
}

TEST(EventLog, NobodyAddsALineOrAFieldOfHisOwn) {
  const test::CapturedLog log(spdlog::level::info);
  log_event({LogLevel::warning, "asked for x\nMESSAGE=nothing", {{log_fields::request, "a\r\nb"}}});
  EXPECT_EQ(log.lines(), (std::vector<std::string>{"warning asked for x MESSAGE=nothing REQUEST=a  b"}));
}

}  // namespace
}  // namespace mcv

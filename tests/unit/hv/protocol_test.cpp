// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "hv/cloud_hypervisor/protocol.h"
#include "hv/qemu/qmp_message.h"
#include "hv/run_record.h"

namespace mcv::hv::protocol_test {
namespace {

std::string data(const std::string& name) {
  std::ifstream file(std::string(MCV_TEST_DATA) + "/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Qmp, CutsAStreamIntoLinesWhateverThePieces) {
  qemu::LineBuffer lines;
  EXPECT_TRUE(lines.feed("{\"a\"").empty());
  EXPECT_EQ(lines.feed(":1}\r\n{\"b\":2}\n{\"c"), (std::vector<std::string>{"{\"a\":1}", "{\"b\":2}"}));
  EXPECT_EQ(lines.feed("\":3}\r\n\r\n"), (std::vector<std::string>{"{\"c\":3}"}));
  EXPECT_EQ(lines.pending(), 0u);
}

TEST(Qmp, ReadsARecordedSession) {
  qemu::LineBuffer lines;
  std::vector<std::string> events;
  std::vector<VmmPhase> phases;
  bool greeted = false;
  std::vector<std::string> failures;
  for (const std::string& line : lines.feed(data("qmp/session.txt"))) {
    const Result<qemu::QmpMessage> message = qemu::parse_qmp(line);
    ASSERT_TRUE(message.ok()) << line;
    if (const auto* greeting = std::get_if<qemu::QmpGreeting>(&*message)) {
      greeted = true;
      EXPECT_EQ(greeting->major, 7);
      EXPECT_EQ(greeting->minor, 2);
    }
    if (const auto* event = std::get_if<qemu::QmpEvent>(&*message)) events.push_back(event->name);
    if (const auto* failure = std::get_if<qemu::QmpFailure>(&*message)) failures.push_back(failure->text);
    if (const auto* reply = std::get_if<qemu::QmpReply>(&*message)) {
      if (reply->value.contains("status")) phases.push_back(qemu::phase_of_status(reply->value["status"].get<std::string>()));
    }
  }
  EXPECT_TRUE(greeted);
  EXPECT_EQ(phases, (std::vector<VmmPhase>{VmmPhase::created, VmmPhase::running, VmmPhase::powered_off}));
  EXPECT_NE(std::find(events.begin(), events.end(), "SHUTDOWN"), events.end());
  EXPECT_NE(std::find(events.begin(), events.end(), "POWERDOWN"), events.end());
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0], "CommandNotFound: The command no-such-command has not been found");
}

TEST(Qmp, RefusesWhatIsNoMessage) {
  EXPECT_FALSE(qemu::parse_qmp("[]").ok());
  EXPECT_FALSE(qemu::parse_qmp("{}").ok());
  EXPECT_FALSE(qemu::parse_qmp("qemu: error").ok());
}

TEST(Qmp, AnUnknownStatusIsNeverStopped) {
  EXPECT_EQ(qemu::phase_of_status("something-new"), VmmPhase::unknown);
  EXPECT_EQ(qemu::phase_of_status("internal-error"), VmmPhase::failed);
  EXPECT_EQ(qemu::phase_of_status("io-error"), VmmPhase::paused);
}

TEST(Qmp, CommandsAreOneLine) {
  EXPECT_EQ(qemu::qmp_command(7, "cont", Json::object()), "{\"execute\":\"cont\",\"id\":7}\n");
  EXPECT_EQ(qemu::qmp_command(8, "screendump", Json{{"filename", "/x"}}), "{\"arguments\":{\"filename\":\"/x\"},\"execute\":\"screendump\",\"id\":8}\n");
}

TEST(CloudHypervisor, ReadsARecordedEventFile) {
  const auto facts = ch::summarize(ch::parse_events(data("ch/events_power_off.txt")));
  EXPECT_TRUE(facts.booted);
  EXPECT_TRUE(facts.powered_off);
  EXPECT_FALSE(facts.leaving);
  EXPECT_EQ(facts.resets, 1u);
  EXPECT_EQ(ch::phase_of("Created", facts), VmmPhase::powered_off);
}

TEST(CloudHypervisor, AVmmThatIsToldToEndIsNotAPowerOff) {
  const auto facts = ch::summarize(ch::parse_events(data("ch/events_terminated.txt")));
  EXPECT_TRUE(facts.powered_off);
  EXPECT_TRUE(facts.leaving);
  EXPECT_EQ(ch::phase_of("Created", facts), VmmPhase::unknown);
  EXPECT_EQ(ch::phase_of(std::nullopt, facts), VmmPhase::unknown);
}

TEST(CloudHypervisor, EventsAreFoundByBraceDepth) {
  const std::string text = "{\n \"source\": \"vm\",\n \"event\": \"booted\",\n \"properties\": null\n}\n\n"
                           "{\"source\":\"guest\",\"event\":\"panic\",\"properties\":{\"event\":\"}\\\"{\"}}\n\n{\"source\":\"vm\",\"ev";
  EXPECT_EQ(ch::parse_events(text), (std::vector<ch::Event>{{"vm", "booted"}, {"guest", "panic"}}));
  EXPECT_TRUE(ch::parse_events("").empty());
  EXPECT_TRUE(ch::parse_events("} garbage \" {").empty());
}

TEST(CloudHypervisor, TellsCreatedFromPoweredOffByTheEvents) {
  ch::EventFacts nothing;
  EXPECT_EQ(ch::phase_of("", nothing), VmmPhase::created);
  EXPECT_EQ(ch::phase_of("Created", nothing), VmmPhase::created);
  ch::EventFacts booted;
  booted.booted = true;
  EXPECT_EQ(ch::phase_of("Running", booted), VmmPhase::running);
  EXPECT_EQ(ch::phase_of("Paused", booted), VmmPhase::paused);
  EXPECT_EQ(ch::phase_of("Created", booted), VmmPhase::unknown) << "a boot that is being rebuilt";
  EXPECT_EQ(ch::phase_of(std::nullopt, booted), VmmPhase::running) << "a busy API is not a stopped guest";
  EXPECT_EQ(ch::phase_of(std::nullopt, nothing), VmmPhase::unknown);
  booted.powered_off = true;
  EXPECT_EQ(ch::phase_of("Created", booted), VmmPhase::powered_off);
  EXPECT_EQ(ch::phase_of(std::nullopt, booted), VmmPhase::unknown) << "it may be on its way out";
}

TEST(CloudHypervisor, ReadsInfoVersionsAndErrors) {
  EXPECT_EQ(*ch::state_of_info(data("ch/vm_info_running.json")), "Running");
  EXPECT_EQ(*ch::state_of_info(data("ch/vm_info_off.json")), "Created");
  EXPECT_FALSE(ch::state_of_info("{}").ok());
  EXPECT_EQ(ch::parse_version("cloud-hypervisor v53.0.0\nMigration Protocol Versions: 0\n"), 53);
  EXPECT_EQ(ch::parse_version("cloud-hypervisor v49\n"), 49);
  EXPECT_EQ(ch::parse_version("bash: no"), std::nullopt);
  EXPECT_EQ(ch::error_text(500, "[\"VM failed to boot\",\"Cannot open disk\"]"), "VM failed to boot: Cannot open disk");
  EXPECT_EQ(ch::error_text(500, "oops"), "HTTP 500: oops");
}

TEST(RunRecord, ReadsBackAndClassifies) {
  RunRecord record{"qemu", true, Wish::stop, ExitReason::crashed};
  EXPECT_EQ(*RunRecord::parse(record.to_text()), record);
  EXPECT_FALSE(RunRecord::parse("{}").ok());
  EXPECT_FALSE(RunRecord::parse("{\"hypervisor\":\"qemu\",\"booted\":true,\"wish\":\"x\",\"last_exit\":\"none\"}").ok());

  struct Case {
    bool booted;
    Wish wish;
    VmmPhase phase;
    ExitReason reason;
  };
  const Case cases[] = {
      {true, Wish::run, VmmPhase::powered_off, ExitReason::guest_power_off},
      {true, Wish::run, VmmPhase::absent, ExitReason::crashed},
      {true, Wish::run, VmmPhase::failed, ExitReason::crashed},
      {true, Wish::stop, VmmPhase::powered_off, ExitReason::stopped_by_operator},
      {true, Wish::kill, VmmPhase::absent, ExitReason::killed_by_operator},
      {false, Wish::run, VmmPhase::absent, ExitReason::none},
  };
  for (const Case& c : cases) EXPECT_EQ(classify_exit({"qemu", c.booted, c.wish, ExitReason::none}, c.phase), c.reason);
}

}  // namespace
}  // namespace mcv::hv::protocol_test

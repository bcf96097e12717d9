// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/verify_run.h"

#include "fake_drbd.h"

namespace mcv::drbd::verify_run_test {
namespace {

using namespace std::chrono_literals;
using test::FakeDrbd;
using test::Machine;

const VolumeName vm1 = VolumeName::trusted("vm1-0");

/// A kernel that verifies: which ranges differ, and how each pass ends.
class VerifyingNode {
 public:
  VerifyingNode() : drbd(machine) {
    drbd.bring_up("UpToDate");
    drbd.connect("UpToDate");
    machine.tools.when("journalctl --dmesg --lines=1", [this](const host::Command&) { return said(line("kernel: something")); });
    machine.tools.succeed("journalctl --sync");
    machine.tools.when("journalctl --dmesg --output", [this](const host::Command&) { return said(std::exchange(log, "")); });
    machine.tools.when("drbdsetup verify 100", [this](const host::Command& command) {
      std::uint64_t start = std::stoull(command.argv[3].substr(8));
      std::uint64_t stop = command.argv.size() > 4 ? std::stoull(command.argv[4].substr(7)) : 0;
      if (is_running()) {
        if (!ignores_stop) end_at(stop);
      } else {
        begin(start, stop);
      }
      return said("");
    });
    machine.files.before_read = [this](const std::string& path) {
      if (path == "/proc/drbd" && looks_left > 0 && --looks_left == 0) end();
    };
    idle();
    machine.settle();
  }
  Result<VerifyResult> run() {
    VerifyHooks hooks;
    hooks.progress = [this](const VerifyProgress& p) { seen.push_back(p); };
    hooks.found = [this](std::vector<SectorRange> ranges) { return note(this, std::move(ranges)); };
    hooks.interrupted = [this] { return cancel_after > 0 && seen.size() >= cancel_after; };
    return machine.run(run_verify(machine.host, drbd.monitor, vm1, Verification::Settings{}, std::move(hooks)));
  }

  Machine machine;
  FakeDrbd drbd;
  std::vector<std::vector<SectorRange>> differing;  ///< of each pass; the last one repeats
  std::vector<VerifyProgress> seen;
  struct Found {
    bool running;  ///< the kernel still compared
    std::vector<SectorRange> ranges;
  };
  std::vector<Found> found;
  std::size_t cancel_after = 0;    ///< reports of progress; 0: never
  bool ignores_stop = false;
  int looks = 3;            ///< how often /proc/drbd shows the run; 0 = shorter than a look
  bool cut = false;         ///< the connection goes in the middle
  bool lose_ranges = false; ///< the journal loses lines
  bool stall = false;
  std::uint64_t counted_meanwhile = 0;  ///< KiB, what /proc/drbd counts while the run goes on
  std::string log;

 private:
  static boost::asio::awaitable<void> note(VerifyingNode* node, std::vector<SectorRange> ranges) {
    const bool running = node->machine.files.texts["/proc/drbd"].find("VerifyS") != std::string::npos;
    node->found.push_back({running, std::move(ranges)});
    co_return;
  }
  static host::ProcessResult said(std::string text) { return {0, std::move(text), ""}; }
  static std::string line(const std::string& message) { return Json{{"__CURSOR", "c"}, {"MESSAGE", message}}.dump() + "\n"; }
  void kernel(const std::string& message) { log += line("block drbd100: " + message); }
  void idle() {
    machine.files.texts["/proc/drbd"] = fmt::format(
        "version: 8.4.11 (api:1/proto:86-101)\n\n100: cs:Connected ro:Secondary/Secondary ds:UpToDate/UpToDate C r-----\n    ns:0 wo:f oos:{}\n", marked);
  }
  bool is_running() { return machine.files.texts["/proc/drbd"].find("VerifyS") != std::string::npos; }
  /// As recorded in kernel_log_stopped_early.jsonl: the kernel calls that done.
  void end_at(std::uint64_t stop) {
    stop_ = stop;
    end();
  }
  void begin(std::uint64_t start, std::uint64_t stop) {
    kernel("conn( Connected -> VerifyS ) ");
    kernel(fmt::format("Starting Online Verify from sector {}", start));
    drbd.tell("change peer-device " + drbd.peer_key + " volume:0 replication:VerifyS");
    machine.files.texts["/proc/drbd"] = fmt::format(
        "version: 8.4.11 (api:1/proto:86-101)\n\n100: cs:VerifyS ro:Secondary/Secondary ds:UpToDate/UpToDate C r-----\n    ns:0 wo:f oos:{}\n"
        "\t[>....................] verified:  3.1% (261196/262144)K\n\tfinish: 0:03:37 speed: 948 (948) want: 409,600 K/sec\n",
        marked + counted_meanwhile);
    stop_ = stop;
    if (stall) return;
    looks_left = looks + 1;
    if (looks == 0) end();
  }
  void end() {
    looks_left = 0;
    const std::vector<SectorRange> ranges = differing.empty() ? std::vector<SectorRange>{} : differing[std::min(pass_, differing.size() - 1)];
    ++pass_;
    for (const SectorRange& range : ranges) {
      if (!lose_ranges) kernel(fmt::format("Out of sync: start={}, size={} (sectors)", range.start, range.count));
    }
    marked = std::max(marked, sectors_in(ranges) / 2);
    if (cut) {
      log += line("drbd mcv-vm1-0: peer( Secondary -> Unknown ) conn( VerifyS -> NetworkFailure ) pdsk( UpToDate -> DUnknown ) ");
      kernel("Online Verify reached sector 4096");
      drbd.tell("change connection " + drbd.peer_key + " connection:NetworkFailure role:Unknown");
    } else {
      kernel("Online verify done (total 61 sec; paused 0 sec; 4296 K/sec)");
      if (marked > 0) kernel(fmt::format("Online verify found {} 4k block out of sync!", marked / 4));
      kernel("conn( VerifyS -> Connected ) ");
      if (stop_ != 0) kernel(fmt::format("Online Verify reached sector {}", stop_));
      drbd.tell("change peer-device " + drbd.peer_key + " volume:0 replication:Established");
    }
    idle();
  }
  std::uint64_t stop_ = 0;
  std::uint64_t marked = 0;
  std::size_t pass_ = 0;
  int looks_left = 0;
};

TEST(VerifyRun, Clean) {
  VerifyingNode node;
  const auto result = node.run();
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(result->outcome, VerifyOutcome::clean) << result->reason;
  EXPECT_FALSE(node.seen.empty());
  EXPECT_EQ(verdict_of(*result, 5, NodeName::trusted("A")).kind, VerdictKind::clean);
}

TEST(VerifyRun, ShorterThanALook) {
  VerifyingNode node;
  node.looks = 0;
  const auto result = node.run();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->outcome, VerifyOutcome::clean) << result->reason;
}

TEST(VerifyRun, MismatchIsWhatDiffersThreeTimes) {
  VerifyingNode node;
  node.differing = {{{800, 24}, {8000, 8}}};
  node.looks = 0;
  const auto result = node.run();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->outcome, VerifyOutcome::mismatch) << result->reason;
  EXPECT_EQ(result->ranges, (std::vector<SectorRange>{{800, 24}, {8000, 8}}));
  EXPECT_EQ(result->out_of_sync_kib, 16u);
  EXPECT_EQ(node.machine.tools.count("drbdsetup verify 100"), 5u);
  EXPECT_EQ(verdict_of(*result, 5, NodeName::trusted("A")).ranges.size(), 2u);
}

TEST(VerifyRun, ALostConnectionProvesNothing) {
  VerifyingNode node;
  node.cut = true;
  node.differing = {{{800, 8}}};
  const auto result = node.run();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->outcome, VerifyOutcome::could_not_verify);
  EXPECT_EQ(result->ranges.size(), 1u);  // suspect
}

TEST(VerifyRun, TellsOfDifferencesWhileItRunsAndWhenTheyAreLocated) {
  VerifyingNode node;
  node.differing = {{{800, 8}}, {}};
  node.counted_meanwhile = 4;
  const auto result = node.run();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->outcome, VerifyOutcome::clean) << result->reason;
  ASSERT_GE(node.found.size(), 2u);
  EXPECT_TRUE(node.found[0].running) << "told only when the run was over";
  EXPECT_TRUE(node.found[0].ranges.empty());
  EXPECT_EQ(node.found[1].ranges, (std::vector<SectorRange>{{800, 8}}));
}

TEST(VerifyRun, TellsOfNothingWhereMarksAreOldAndEqual) {
  VerifyingNode node;
  EXPECT_EQ(node.run()->outcome, VerifyOutcome::clean);
  EXPECT_TRUE(node.found.empty());
}

TEST(VerifyRun, MarksThatTheJournalDoesNotExplainAreNotClean) {
  VerifyingNode node;
  node.differing = {{{800, 8}}};
  node.lose_ranges = true;
  node.looks = 0;
  const auto result = node.run();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->outcome, VerifyOutcome::could_not_verify) << result->reason;
  EXPECT_EQ(node.found.size(), 1u) << "where is not known, that something differs is";
}

TEST(VerifyRun, AStallEndsInBoundedTime) {
  VerifyingNode node;
  node.stall = true;
  const auto start = node.machine.clock.now();
  const auto result = node.run();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->outcome, VerifyOutcome::could_not_verify);
  EXPECT_LT(node.machine.clock.now() - start, 400s);
}

TEST(VerifyRun, ACancelledOneIsStoppedInTheKernelAtOnce) {
  VerifyingNode node;
  node.looks = 1'000'000;
  node.cancel_after = 3;
  const auto start = node.machine.clock.now();
  const auto result = node.run();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->outcome, VerifyOutcome::could_not_verify);
  EXPECT_LT(node.machine.clock.now() - start, 10s);
  EXPECT_EQ(node.machine.tools.count("drbdsetup verify 100"), 2u);
  EXPECT_EQ(node.machine.files.texts["/proc/drbd"].find("VerifyS"), std::string::npos) << "it goes on in the kernel";
}

TEST(VerifyRun, ACancelledOneThatSawDifferencesSaysSo) {
  VerifyingNode node;
  node.looks = 1'000'000;
  node.cancel_after = 3;
  node.differing = {{{800, 8}}};
  node.counted_meanwhile = 4;
  const auto result = node.run();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->outcome, VerifyOutcome::could_not_verify);
  EXPECT_EQ(result->ranges.size(), 1u);
  EXPECT_FALSE(node.found.empty());
}

TEST(VerifyRun, AKernelThatDoesNotStopIsNotWaitedForWithoutEnd) {
  VerifyingNode node;
  node.looks = 1'000'000;
  node.cancel_after = 3;
  node.ignores_stop = true;
  const auto start = node.machine.clock.now();
  const auto result = node.run();
  ASSERT_TRUE(result.ok());
  EXPECT_NE(result->reason.find("does not end"), std::string::npos) << result->reason;
  EXPECT_LT(node.machine.clock.now() - start, 120s);
}

TEST(VerifyRun, IsNotBegunTwiceNorOnHalfAVolume) {
  VerifyingNode node;
  node.drbd.tell("change peer-device " + node.drbd.peer_key + " volume:0 replication:VerifyT");
  node.machine.settle();
  EXPECT_EQ(node.run().error().code(), ErrorCode::busy);
  node.drbd.tell("change peer-device " + node.drbd.peer_key + " volume:0 replication:Established peer-disk:Inconsistent");
  node.machine.settle();
  EXPECT_EQ(node.run().error().code(), ErrorCode::not_up_to_date);
  EXPECT_EQ(node.machine.tools.count("drbdsetup verify"), 0u);
}

}  // namespace
}  // namespace mcv::drbd::verify_run_test

// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/verification.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "machine.h"

namespace mcv::drbd::verification_test {
namespace {

VerifyPass recorded(const std::string& name) {
  const auto lines = parse_kernel_log(test::data_file("drbd/kernel_log_" + name + ".jsonl"));
  EXPECT_TRUE(lines.ok());
  return read_pass(*lines, 100, "mcv-vm1-0");
}

VerifyPass complete(std::uint64_t start, std::vector<SectorRange> ranges = {}) {
  VerifyPass pass;
  pass.start_sector = start;
  pass.done = pass.ended = true;
  pass.ranges = std::move(ranges);
  return pass;
}
VerifyPass complete(const Verification::Pass& asked, std::vector<SectorRange> ranges = {}) {
  VerifyPass pass = complete(asked.start, std::move(ranges));
  if (asked.stop != 0) pass.reached = asked.stop;
  return pass;
}

/// Whatever sectors the log names, the passes are few and come to an end.
TEST(KernelLog, RangesAtTheEndOfAllNumbersAreJoinedOrLeftOut) {
  std::vector<KernelLine> lines = {{"1", "block drbd100: Starting Online Verify from sector 0"}};
  const std::uint64_t far = std::uint64_t{1} << 63;
  for (std::uint64_t i = 0; i < 50; ++i) lines.push_back({"2", fmt::format("block drbd100: Out of sync: start={}, size=8 (sectors)", i % 2 == 0 ? i : far + (i << 40))});
  lines.push_back({"3", fmt::format("block drbd100: Out of sync: start={}, size={} (sectors)", far, far)});
  VerifyPass pass = read_pass(lines, 100, "mcv-vm1-0");
  for (const SectorRange& range : pass.ranges) EXPECT_GT(range.start + range.count, range.start);
  pass.done = pass.ended = true;
  Verification verification;
  verification.ended(pass);
  unsigned passes = 0;
  for (auto asked = verification.next(); asked; asked = verification.next()) {
    ASSERT_LT(++passes, 1000u);
    VerifyPass again = pass;
    again.start_sector = asked->start / 8 * 8;
    again.reached = asked->stop;
    verification.ended(again);
  }
  EXPECT_EQ(verification.result().outcome, VerifyOutcome::mismatch);
}

TEST(KernelLog, RecordedRuns) {
  const VerifyPass mismatch = recorded("mismatch");
  EXPECT_EQ(mismatch.start_sector, 0u);
  EXPECT_EQ(mismatch.ranges, (std::vector<SectorRange>{{800, 24}, {8000, 8}}));
  EXPECT_EQ(mismatch.marked_blocks, 4u);
  EXPECT_EQ(why_incomplete({}, mismatch), "");

  EXPECT_EQ(why_incomplete({}, recorded("clean")), "");
  EXPECT_TRUE(recorded("clean").ranges.empty());
  const VerifyPass marks_left = recorded("clean_bits");  // overwritten since: equal, DRBD's marks stay
  EXPECT_EQ(why_incomplete({}, marks_left), "");
  EXPECT_TRUE(marks_left.ranges.empty());
  EXPECT_EQ(marks_left.marked_blocks, 4u);

  const VerifyPass interrupted = recorded("interrupted");
  EXPECT_NE(why_incomplete({}, interrupted), "");
  EXPECT_TRUE(interrupted.connection_changed);

  // Another verify with a stop sector ended this one early, and the kernel calls that "done".
  const VerifyPass stopped = recorded("stopped_early");
  EXPECT_TRUE(stopped.done);
  EXPECT_EQ(why_incomplete({}, stopped), "it was stopped at sector 15456");

  // Three passes of a re-check in one log: the last counts.
  const VerifyPass last = recorded("recheck");
  EXPECT_EQ(last.start_sector, 16000u);
  EXPECT_EQ(why_incomplete({16000, 17000, 1}, last), "");
  EXPECT_NE(why_incomplete({}, last), "");
  const VerifyPass answering = recorded("verify_target");
  EXPECT_EQ(why_incomplete({}, answering), "");
  EXPECT_EQ(answering.ranges, mismatch.ranges);
  EXPECT_EQ(read_pass({}, 100, "mcv-vm1-0"), VerifyPass());
}

TEST(KernelLog, OtherDevicesDoNotCount) {
  const std::vector<KernelLine> lines{{"1", "block drbd10: Starting Online Verify from sector 0"},
                                      {"2", "block drbd100: Out of sync: start=0, size=8 (sectors)"},
                                      {"3", "drbd mcv-vm1-00: conn( Connected -> BrokenPipe )"},
                                      {"4", "block drbd10: Out of sync: start=16, size=8 (sectors)"},
                                      {"5", "block drbd10: Out of sync: start=8, size=8 (sectors)"}};
  EXPECT_EQ(read_pass(lines, 10, "mcv-vm1-0").ranges, (std::vector<SectorRange>{{8, 16}}));
  EXPECT_FALSE(read_pass(lines, 10, "mcv-vm1-0").connection_changed);
}

TEST(KernelLog, AJournalWithoutItsFormIsAnError) {
  EXPECT_FALSE(parse_kernel_log("-- No entries --\n").ok());
  EXPECT_TRUE(parse_kernel_log("")->empty());
  EXPECT_TRUE(parse_kernel_log(R"({"__CURSOR":"a","MESSAGE":[1,2]})")->empty());
}

TEST(Verification, ACleanRunNeedsOnePass) {
  Verification run;
  ASSERT_EQ(run.next(), Verification::Pass{});
  run.ended(complete(0));
  EXPECT_FALSE(run.next().has_value());
  EXPECT_EQ(run.result().outcome, VerifyOutcome::clean);
}

TEST(Verification, OnlyWhatDiffersEveryTimeIsAMismatch) {
  Verification run;
  VerifyPass whole = complete(0, {{800, 24}, {8000, 8}});
  whole.marked_blocks = 4;
  run.ended(whole);
  const auto first = run.next();
  EXPECT_EQ(first, (Verification::Pass{800, 824, 1}));
  run.ended(complete(*first, {{800, 16}}));
  const auto second = run.next();
  EXPECT_EQ(second, (Verification::Pass{8000, 8008, 1}));
  run.ended(complete(*second));
  const auto third = run.next();  // round 2: what is left
  EXPECT_EQ(third, (Verification::Pass{800, 816, 2}));
  run.ended(complete(*third, {{808, 8}}));
  const auto fourth = run.next();  // something was equal at last: once more
  EXPECT_EQ(fourth, (Verification::Pass{808, 816, 3}));
  run.ended(complete(*fourth, {{808, 8}}));
  EXPECT_FALSE(run.next().has_value());
  EXPECT_EQ(run.result().outcome, VerifyOutcome::mismatch);
  EXPECT_EQ(run.result().ranges, (std::vector<SectorRange>{{808, 8}}));
  EXPECT_EQ(run.result().equal_on_recheck_sectors, 24u);
}

TEST(Verification, PagesInFlightAreNotAMismatch) {
  Verification run;
  run.ended(complete(0, {{800, 8}}));
  run.ended(complete(*run.next(), {{808, 8}}));  // another block differs now
  EXPECT_EQ(run.result().outcome, VerifyOutcome::clean);
  EXPECT_EQ(run.result().equal_on_recheck_sectors, 8u);
}

TEST(Verification, PagesThatAreRewrittenAllTheTimeDropOutOneByOne) {
  Verification run;
  std::vector<SectorRange> differing{{0, 8}, {100'000, 8}, {200'000, 8}, {300'000, 8}};
  run.ended(complete(0, differing));
  while (!differing.empty()) {
    differing.pop_back();  // one fewer in each round
    const unsigned round = run.next()->round;
    while (run.next() && run.next()->round == round) {
      const Verification::Pass pass = *run.next();
      run.ended(complete(pass, intersection(differing, {{pass.start, pass.stop - pass.start}})));
    }
  }
  EXPECT_EQ(run.result().outcome, VerifyOutcome::clean);
  EXPECT_EQ(run.result().equal_on_recheck_sectors, 32u);
}

TEST(Verification, ADifferenceThatStaysIsFoundAmongPagesThatNeverRest) {
  Verification run;
  run.ended(complete(0, {{0, 8}, {100'000, 4'000}}));
  std::uint64_t left = 4'000;
  unsigned last_round = 0;
  while (const auto pass = run.next()) {
    last_round = pass->round;
    if (pass->start == 0) run.ended(complete(*pass, {{0, 8}}));
    else run.ended(complete(*pass, {{100'000, left -= 8}}));
  }
  EXPECT_EQ(run.result().outcome, VerifyOutcome::mismatch);
  EXPECT_EQ(last_round, Verification::Settings{}.most_rounds) << "bounded";
}

TEST(Verification, AnInterruptedRunProvesNothingAndKeepsWhatItSaw) {
  for (const auto& spoil : std::vector<std::function<void(VerifyPass&)>>{
           [](VerifyPass& p) { p.connection_changed = true; },
           [](VerifyPass& p) { p.done = false; },
           [](VerifyPass& p) { p.ended = false; },
           [](VerifyPass& p) { p.reached = 4096; },
           [](VerifyPass& p) { p.start_sector.reset(); },
           [](VerifyPass& p) { p.start_sector = 4096; },
       }) {
    Verification run;
    VerifyPass pass = complete(0, {{800, 8}});
    spoil(pass);
    run.ended(pass);
    EXPECT_FALSE(run.next().has_value());
    EXPECT_EQ(run.result().outcome, VerifyOutcome::could_not_verify);
    EXPECT_FALSE(run.result().reason.empty());
    EXPECT_EQ(run.result().ranges.size(), 1u);
  }
  Verification rechecked;
  rechecked.ended(complete(0, {{800, 8}}));
  VerifyPass lost = complete(*rechecked.next());
  lost.connection_changed = true;
  rechecked.ended(lost);
  EXPECT_EQ(rechecked.result().outcome, VerifyOutcome::could_not_verify);
  EXPECT_EQ(rechecked.result().ranges, (std::vector<SectorRange>{{800, 8}}));
}

TEST(Verification, ManyRangesAreReadInFewPasses) {
  std::vector<SectorRange> ranges;
  for (std::uint64_t i = 0; i < 5000; ++i) ranges.push_back({i * 10'000, 8});
  Verification run;
  run.ended(complete(0, ranges));
  std::size_t passes = 0;
  std::uint64_t end = 0;
  while (const auto pass = run.next()) {
    if (pass->round == 2) break;
    EXPECT_GE(pass->start, end);
    end = pass->stop;
    std::vector<SectorRange> again;
    for (const SectorRange& range : ranges) {
      if (range.start >= pass->start && range.start < pass->stop) again.push_back(range);
    }
    run.ended(complete(*pass, again));
    ++passes;
  }
  EXPECT_LE(passes, 32u);
  EXPECT_GE(passes, 1u);
}

TEST(Ranges, Intersect) {
  EXPECT_EQ(intersection({{0, 10}, {20, 10}}, {{5, 20}}), (std::vector<SectorRange>{{5, 5}, {20, 5}}));
  EXPECT_TRUE(intersection({{0, 8}}, {{8, 8}}).empty());
  EXPECT_EQ(sectors_in({{0, 8}, {100, 16}}), 24u);
}

}  // namespace
}  // namespace mcv::drbd::verification_test

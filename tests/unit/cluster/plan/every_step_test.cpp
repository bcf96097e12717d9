// SPDX-License-Identifier: Apache-2.0
// Each plan, each step: fail before and after the effect, repeat, crash either daemon at every step of the scheduler.
// Whatever happened, it ends fully applied or fully undone.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "world/plan_sim.h"

namespace mcv {
namespace {

using sim::PlanFaults;
using sim::PlanSim;
using namespace std::chrono_literals;

constexpr std::size_t steps = 4;
const std::vector<std::optional<std::size_t>> commits = {std::nullopt, 0, 2};

struct Life {
  Life(std::uint64_t seed, const PlanFaults& faults, std::optional<std::size_t> commit) : sim(seed, faults) {
    sim.boot(0);
    sim.boot(1);
    sim.scheduler().run_until([&] { return sim.ready(0) && sim.ready(1); }, 10s);
    answer = sim::start(sim.clients(0), sim.operations(0).submit(PlanSim::plan("vm/x", steps, commit)));
  }
  bool ended() {
    if (!sim.up(0)) return false;
    const auto views = sim.operations(0).list();
    return !views.empty() && views.front().final();
  }
  /// Empty when everything is as it must be.
  std::string verdict() {
    if (!sim.violations().empty()) return sim.violations().front();
    const auto views = sim.operations(0).list();
    if (views.empty()) return "no operation";
    const std::size_t effects = sim.effects_of("vm/x").size();
    const OperationOutcome outcome = *views.front().outcome;
    if (outcome == OperationOutcome::succeeded && effects == steps) return "";
    if ((outcome == OperationOutcome::undone || outcome == OperationOutcome::cancelled) && effects == 0) return "";
    std::string text = fmt::format("{} with {} effects; ", to_text(outcome), effects);
    for (const std::string& line : sim.scheduler().trace().last()) text += line + "\n";
    return text;
  }
  PlanSim sim;
  std::shared_ptr<std::optional<Result<OperationId>>> answer;
};

TEST(EveryStep, FailsBeforeAndAfterItsEffect) {
  for (const auto commit : commits) {
    for (std::size_t step = 0; step < steps; ++step) {
      for (const bool after_effect : {false, true}) {
        PlanFaults faults;
        faults.fail_step = step;
        faults.fail_after_effect = after_effect;
        Life life(step, faults, commit);
        ASSERT_TRUE(life.sim.scheduler().run_until([&] { return life.ended(); }, 600s));
        const OperationView view = life.sim.operations(0).list().front();
        const bool after_commit = commit && step > *commit;
        if (after_commit) {
          // It fails each time: after the commit that needs a person, and going on once it works again.
          ASSERT_EQ(view.outcome, OperationOutcome::failed);
          life.sim.faults().fail_step.reset();
          const auto retried = sim::start(life.sim.clients(0), life.sim.operations(0).retry(view.id));
          ASSERT_TRUE(life.sim.scheduler().run_until([&] { return retried->has_value() && life.ended(); }, 600s));
        }
        EXPECT_EQ(life.verdict(), "") << "step " << step;
        const bool succeeds = after_commit || (commit == step && after_effect);
        EXPECT_EQ(life.sim.operations(0).list().front().outcome, succeeds ? OperationOutcome::succeeded : OperationOutcome::undone);
      }
    }
  }
}

TEST(EveryStep, HappensTwice) {
  for (const auto commit : commits) {
    PlanFaults faults;
    faults.repeat = true;
    Life life(3, faults, commit);
    ASSERT_TRUE(life.sim.scheduler().run_until([&] { return life.ended(); }, 600s));
    EXPECT_EQ(life.verdict(), "");
  }
}

TEST(EveryStep, ADaemonEndsAtEachStepOfTheScheduler) {
  std::size_t crashes = 0;
  for (const auto commit : commits) {
    for (const std::size_t victim : {std::size_t{0}, std::size_t{1}}) {
      for (const bool failing : {false, true}) {
        PlanFaults faults;
        if (failing) faults.fail_step = 2;
        for (std::size_t crash_at = 0;; ++crash_at) {
          Life life(crash_at, faults, commit);
          std::size_t count = 0;
          const bool reached = life.sim.scheduler().run_until([&] { return count++ == crash_at || life.ended(); }, 600s);
          ASSERT_TRUE(reached);
          if (life.ended()) break;
          const bool accepted = life.answer->has_value();
          life.sim.crash(victim);
          life.sim.scheduler().run_until([] { return false; }, 3s);
          life.sim.faults().fail_step.reset();
          life.sim.boot(victim);
          ++crashes;
          // A request that was not answered may be unknown to the daemon; one that was answered never is.
          const bool done = life.sim.scheduler().run_until([&] { return life.ended(); }, 600s);
          if (!done && !accepted && victim == 0 && life.sim.operations(0).list().empty()) {
            EXPECT_TRUE(life.sim.effects_of("vm/x").empty());
            continue;
          }
          ASSERT_TRUE(done) << "crash at " << crash_at;
          // It may have insisted in vain while the step was still failing.
          if (life.sim.operations(0).list().front().outcome == OperationOutcome::failed) {
            const auto retried = sim::start(life.sim.clients(0), life.sim.operations(0).retry(life.sim.operations(0).list().front().id));
            ASSERT_TRUE(life.sim.scheduler().run_until([&] { return retried->has_value() && life.ended(); }, 600s));
          }
          ASSERT_EQ(life.verdict(), "") << "crash at " << crash_at << " of " << victim;
        }
      }
    }
  }
  RecordProperty("crash_points", static_cast<int>(crashes));
  EXPECT_GT(crashes, 500u);
}

/// One life with everything at once. What it prints is enough to repeat it.
std::string chaos(std::uint64_t seed) {
  sim::Chance chance(seed * 7919 + 1);
  PlanFaults faults;
  faults.run_error_percent = static_cast<unsigned>(chance.below(25));
  faults.undo_error_percent = static_cast<unsigned>(chance.below(25));
  faults.unreachable_percent = static_cast<unsigned>(chance.below(25));
  faults.lost_percent = static_cast<unsigned>(chance.below(25));
  faults.duplicate_percent = 50;
  Life life(seed, faults, commits[chance.below(commits.size())]);
  if (chance.one_in(2)) life.sim.scheduler().set_order(sim::Scheduler::Order::first_come);
  for (std::uint64_t crashes = chance.below(5); crashes > 0; --crashes) {
    const std::uint64_t after = chance.below(60);
    std::uint64_t count = 0;
    life.sim.scheduler().run_until([&] { return count++ >= after; }, 600s);
    const std::size_t victim = chance.below(2);
    life.sim.crash(victim);
    life.sim.scheduler().run_until([] { return false; }, std::chrono::milliseconds(chance.below(3000)));
    life.sim.boot(victim);
    if (chance.one_in(3) && life.sim.up(0) && !life.sim.operations(0).list().empty()) {
      [[maybe_unused]] const auto cancelled = sim::start(life.sim.clients(0), life.sim.operations(0).cancel(life.sim.operations(0).list().front().id));
    }
  }
  life.sim.scheduler().run_until([&] { return life.ended(); }, 3600s);
  // Then the faults heal, and what needed a person is retried: bounded.
  life.sim.faults() = PlanFaults{};
  for (int tries = 0; tries < 3; ++tries) {
    if (life.sim.operations(0).list().empty()) return life.sim.effects_of("vm/x").empty() ? "" : "effects of an unknown operation";
    if (!life.sim.scheduler().run_until([&] { return life.ended(); }, 600s)) return "does not end after the faults healed";
    const OperationView view = life.sim.operations(0).list().front();
    if (view.outcome != OperationOutcome::failed) break;
    const auto retried = sim::start(life.sim.clients(0), life.sim.operations(0).retry(view.id));
    life.sim.scheduler().run_until([&] { return retried->has_value(); }, 10s);
  }
  // What is still under way (a delayed request, say) must change nothing.
  life.sim.scheduler().run_until([] { return false; }, 20s);
  return life.verdict();
}

TEST(EveryStep, ManySeeds) {
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) ASSERT_EQ(chaos(seed), "") << "seed " << seed;
}

}  // namespace
}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <set>

#include "world/plan_sim.h"
#include "world/schedule.h"

namespace mcv::sim {
namespace {

using namespace std::chrono_literals;

struct Wanted {
  std::size_t node = 0;
  std::string object;
  std::size_t steps = 0;
  std::shared_ptr<std::optional<Result<OperationId>>> answer;
};

OperationView* find(std::vector<OperationView>& views, const std::string& object) {
  for (OperationView& view : views) {
    if (view.object == object) return &view;
  }
  return nullptr;
}

}  // namespace

/// Several operations at once, from both sides, over different objects.
ScheduleReport plan_schedule(std::uint64_t seed, bool print_trace) {
  ScheduleReport report;
  report.seed = seed;
  report.kind = "plan";
  Chance chance(seed ^ 0x9e3779b97f4a7c15ULL);
  PlanFaults faults;
  faults.run_error_percent = static_cast<unsigned>(chance.below(15));
  faults.undo_error_percent = static_cast<unsigned>(chance.below(20));
  faults.unreachable_percent = static_cast<unsigned>(chance.below(20));
  faults.lost_percent = static_cast<unsigned>(chance.below(20));
  faults.duplicate_percent = 50;
  PlanSim sim(seed, faults);
  sim.scheduler().trace().set_print(print_trace);
  if (chance.one_in(2)) sim.scheduler().set_order(Scheduler::Order::first_come);
  sim.boot(0);
  sim.boot(1);
  std::vector<Wanted> wanted;
  const auto cover = [&](const std::string& fault) {
    for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
      if (!sim.up(node)) continue;
      for (const OperationView& view : sim.operations(node).list()) {
        if (view.final()) continue;
        for (std::size_t i = 0; i < view.steps.size(); ++i) {
          if (view.steps[i].state == StepState::running) ++report.covered[fmt::format("step {}{} × {}", i, view.progress == "undoing" ? " undo" : "", fault)];
        }
      }
    }
  };
  const std::uint64_t rounds = chance.between(3, 6);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    Wanted next;
    next.node = chance.below(2);
    next.object = fmt::format("vm/{}", round);
    next.steps = chance.between(2, 6);
    std::optional<std::size_t> commit;
    if (chance.percent(70)) commit = chance.below(next.steps);
    next.answer = start(sim.clients(next.node), sim.operations(next.node).submit(PlanSim::plan(next.object, next.steps, commit)));
    wanted.push_back(next);
    std::uint64_t count = chance.below(80);
    sim.scheduler().run_until([&] { return count-- == 0; }, 30s);
    const std::size_t victim = chance.below(2);
    switch (chance.below(4)) {
      case 0:
      case 1:
        cover("daemon crash");
        sim.crash(victim);
        sim.scheduler().run_until([] { return false; }, std::chrono::milliseconds(chance.below(4000)));
        sim.boot(victim);
        break;
      case 2:
        cover("disk full");
        sim.disk(victim).reserve_used = true;
        sim.scheduler().run_until([] { return false; }, std::chrono::milliseconds(chance.below(4000)));
        sim.disk(victim).reserve_used = false;
        break;
      case 3: {
        const auto views = sim.operations(victim).list();
        if (views.empty()) break;
        cover("cancel");
        [[maybe_unused]] const auto cancelled = start(sim.clients(victim), sim.operations(victim).cancel(views.front().id));
        break;
      }
    }
  }
  sim.faults() = PlanFaults{};
  const auto idle = [&] { return sim.ready(0) && sim.ready(1) && sim.operations(0).running() + sim.operations(1).running() == 0; };
  for (int tries = 0; tries < 3; ++tries) {
    if (!sim.scheduler().run_until(idle, 3600s)) {
      report.violations.push_back("an operation does not end after the faults healed");
      break;
    }
    for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
      for (const OperationView& view : sim.operations(node).list()) {
        if (view.outcome != OperationOutcome::failed) continue;
        const auto retried = start(sim.clients(node), sim.operations(node).retry(view.id));
        sim.scheduler().run_until([&] { return retried->has_value(); }, 10s);
      }
    }
  }
  sim.scheduler().run_until([] { return false; }, 20s);
  for (const std::string& seen : sim.violations()) report.violations.push_back(seen);
  for (const Wanted& item : wanted) {
    auto views = sim.operations(item.node).list();
    const OperationView* view = find(views, item.object);
    const std::size_t effects = sim.effects_of(item.object).size();
    const bool accepted = item.answer->has_value() && (*item.answer)->ok();
    if (view == nullptr) {
      // The oldest finished ones are forgotten (the limit is 5); one that was accepted is never lost otherwise.
      const bool forgotten = views.size() >= 5;
      if (accepted && !forgotten) report.violations.push_back(item.object + " was accepted and is lost");
      if (effects != 0 && effects != item.steps) report.violations.push_back(fmt::format("{} is forgotten with {} of {} effects", item.object, effects, item.steps));
      continue;
    }
    const bool whole = view->outcome == OperationOutcome::succeeded && effects == item.steps;
    const bool none = (view->outcome == OperationOutcome::undone || view->outcome == OperationOutcome::cancelled) && effects == 0;
    if (!whole && !none) {
      report.violations.push_back(fmt::format("{} is {} with {} of {} effects", item.object, view->outcome ? to_text(*view->outcome) : "running", effects, item.steps));
    }
  }
  report.events = sim.scheduler().steps();
  report.trace.assign(sim.scheduler().trace().last().begin(), sim.scheduler().trace().last().end());
  report.trace_hash = sim.scheduler().trace().hash();
  return report;
}

}  // namespace mcv::sim

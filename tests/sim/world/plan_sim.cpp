// SPDX-License-Identifier: Apache-2.0
#include "world/plan_sim.h"

#include <fmt/format.h>

namespace mcv::sim {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

std::size_t index_of(const NodeName& node) { return node.str() == "A" ? 0 : 1; }
std::string name_of(std::size_t node) { return node == 0 ? "A" : "B"; }

}  // namespace

/// Effect: the name in params is in the set.  Undo: it is not.
class SetAction final : public Action {
 public:
  SetAction(PlanSim& sim, std::size_t node, Owner owner) : sim_(sim), node_(node), clock_(sim.scheduler_, owner, Time{0}, 0) {}

  asio::awaitable<Result<Json>> run(StepContext context) override {
    const std::string name = context.params.at("name").get<std::string>();
    enter(context);
    co_await pause();
    const bool planned = sim_.faults_.fail_step == context.step;
    const bool fails = planned || sim_.scheduler_.chance().percent(sim_.faults_.run_error_percent);
    const bool effect_first = planned ? sim_.faults_.fail_after_effect : sim_.scheduler_.chance().one_in(2);
    if (!fails || effect_first) put(name);
    co_await pause();
    leave(context);
    if (fails) co_return Error(ErrorCode::command_failed, "injected");
    const Json result = {{"made", name}};
    co_return result;
  }
  asio::awaitable<Status> undo(StepContext context) override {
    enter(context);
    co_await pause();
    const bool fails = sim_.scheduler_.chance().percent(sim_.faults_.undo_error_percent);
    if (!fails || sim_.scheduler_.chance().one_in(2)) remove(context.params.at("name").get<std::string>());
    co_await pause();
    leave(context);
    if (fails) co_return Error(ErrorCode::command_failed, "injected into undo");
    co_return success();
  }
  asio::awaitable<Result<Landed>> landed(StepContext context) override {
    co_await pause();
    if (sim_.scheduler_.chance().percent(sim_.faults_.undo_error_percent)) co_return Landed::not_yet;
    co_return sim_.effects_.count(context.params.at("name").get<std::string>()) ? Landed::yes : Landed::no;
  }

 private:
  asio::awaitable<void> pause() {
    const milliseconds delay(sim_.scheduler_.chance().between(1, 40));
    co_await clock_.sleep_for(delay);
  }
  void put(const std::string& name) {
    sim_.effects_.insert(name);
    sim_.scheduler_.say(name_of(node_) + " put " + name);
  }
  void remove(const std::string& name) {
    sim_.effects_.erase(name);
    sim_.scheduler_.say(name_of(node_) + " remove " + name);
  }
  std::string key(const StepContext& context) const { return fmt::format("{} on {}", context.operation.str(), name_of(node_)); }
  void enter(const StepContext& context) {
    if (++sim_.in_flight_[key(context)] > 1) sim_.violations_.push_back("two actions at once: " + key(context));
  }
  void leave(const StepContext& context) { --sim_.in_flight_[key(context)]; }

  PlanSim& sim_;
  std::size_t node_;
  SimClock clock_;
};

class PlanSimDispatcher final : public StepDispatcher {
 public:
  PlanSimDispatcher(PlanSim& sim, std::size_t node, Owner owner) : sim_(sim), node_(node), owner_(owner), clock_(sim.scheduler_, owner, Time{0}, 0) {}

  asio::awaitable<Result<Json>> run(NodeName node, StepCall call, Progress progress) override;
  asio::awaitable<Status> undo(NodeName node, StepCall call) override;
  asio::awaitable<Result<Landed>> landed(NodeName node, StepCall call) override;
  void interrupt(NodeName node, OperationId operation, std::size_t step) override;

 private:
  enum class Fate { delivered, not_sent, request_lost, answer_lost, late };
  Fate fate_of(std::size_t target);
  template <typename T, typename Start>
  asio::awaitable<T> over_the_network(std::size_t target, Start start_there);

  PlanSim& sim_;
  std::size_t node_;
  Owner owner_;
  SimClock clock_;
};

struct PlanSim::Daemon {
  Daemon(PlanSim& sim, std::size_t node)
      : owner(sim.scheduler_.new_owner()),
        executor(sim.scheduler_.executor(owner)),
        clock(sim.scheduler_, owner, sim.scheduler_.now(), 0),
        store(sim.scheduler_, owner, sim.disks_[node]),
        dispatcher(sim, node, owner),
        steps(executor, table),
        clients(executor) {
    table.add("put", std::make_unique<SetAction>(sim, node, owner));
    Operations::Settings settings;
    settings.node = NodeName::trusted(name_of(node));
    settings.keep_finished = 5;
    settings.on_broken_store = [this](const Error&) { broken = true; };
    operations = std::make_unique<Operations>(executor, clock, store, dispatcher, std::move(settings));
  }
  Owner owner;
  asio::any_io_executor executor;
  SimClock clock;
  SimStore store;
  ActionTable table;
  PlanSimDispatcher dispatcher;
  LocalSteps steps;
  std::unique_ptr<Operations> operations;
  TaskGroup clients;
  std::shared_ptr<std::optional<Status>> resumed;
  bool broken = false;
};

namespace {

Error lost_answer() { return Error(ErrorCode::outcome_unknown, "the peer did not answer"); }

}  // namespace

PlanSimDispatcher::Fate PlanSimDispatcher::fate_of(std::size_t target) {
  if (!sim_.up(target)) return Fate::not_sent;
  if (target == node_) return Fate::delivered;
  Chance& chance = sim_.scheduler_.chance();
  const PlanFaults& faults = sim_.faults_;
  if (chance.percent(faults.unreachable_percent)) return Fate::not_sent;
  if (!chance.percent(faults.lost_percent)) return Fate::delivered;
  if (chance.percent(faults.duplicate_percent)) return Fate::late;
  return chance.one_in(2) ? Fate::request_lost : Fate::answer_lost;
}

template <typename T, typename Start>
asio::awaitable<T> PlanSimDispatcher::over_the_network(std::size_t target, Start start_there) {
  const milliseconds there(sim_.scheduler_.chance().between(1, 20));
  const milliseconds back(sim_.scheduler_.chance().between(1, 20));
  co_await clock_.sleep_for(there);
  const Fate fate = fate_of(target);
  if (fate == Fate::not_sent) co_return Error(ErrorCode::peer_unreachable, "the peer cannot be reached");
  const Owner life = sim_.daemons_[target]->owner;
  std::shared_ptr<std::optional<T>> answer;
  if (fate == Fate::late) {
    PlanSim& sim = sim_;
    const milliseconds late(sim_.scheduler_.chance().between(100, 5000));
    sim_.scheduler_.after(life, late, [&sim, target, start_there]() { start_there(*sim.daemons_[target]); });
  }
  if (fate == Fate::delivered || fate == Fate::answer_lost) answer = start_there(*sim_.daemons_[target]);
  if (fate != Fate::delivered) {
    co_await clock_.sleep_for(milliseconds(2000));
    co_return lost_answer();
  }
  while (!answer->has_value()) {
    co_await clock_.sleep_for(milliseconds(5));
    if (!sim_.up(target) || sim_.daemons_[target]->owner != life) co_return lost_answer();
  }
  co_await clock_.sleep_for(back);
  T value = std::move(**answer);
  co_return value;
}

asio::awaitable<Result<Json>> PlanSimDispatcher::run(NodeName node, StepCall call, Progress) {
  if (sim_.faults_.repeat) {
    auto first = [call](PlanSim::Daemon& daemon) { return start(daemon.clients, daemon.steps.run(call, Progress())); };
    const Result<Json> ignored = co_await over_the_network<Result<Json>>(index_of(node), first);
    if (!ignored.ok()) co_return ignored.error();
    call.sequence += 500'000;
  }
  auto again = [call](PlanSim::Daemon& daemon) { return start(daemon.clients, daemon.steps.run(call, Progress())); };
  co_return co_await over_the_network<Result<Json>>(index_of(node), again);
}

asio::awaitable<Status> PlanSimDispatcher::undo(NodeName node, StepCall call) {
  if (sim_.faults_.repeat) call.sequence += 500'000;
  auto begin = [call](PlanSim::Daemon& daemon) { return start(daemon.clients, daemon.steps.undo(call)); };
  co_return co_await over_the_network<Status>(index_of(node), begin);
}

asio::awaitable<Result<Landed>> PlanSimDispatcher::landed(NodeName node, StepCall call) {
  if (sim_.faults_.repeat) call.sequence += 500'000;
  auto begin = [call](PlanSim::Daemon& daemon) { return start(daemon.clients, daemon.steps.landed(call)); };
  co_return co_await over_the_network<Result<Landed>>(index_of(node), begin);
}

void PlanSimDispatcher::interrupt(NodeName node, OperationId operation, std::size_t step) {
  const std::size_t target = index_of(node);
  if (sim_.up(target)) sim_.daemons_[target]->steps.interrupt(operation, step);
}

PlanSim::PlanSim(std::uint64_t seed, PlanFaults faults) : scheduler_(seed), faults_(faults) {}

Operations& PlanSim::operations(std::size_t node) { return *daemons_[node]->operations; }
TaskGroup& PlanSim::clients(std::size_t node) { return daemons_[node]->clients; }

bool PlanSim::ready(std::size_t node) {
  if (!up(node) || !daemons_[node]->resumed->has_value()) return false;
  const Status& resumed = **daemons_[node]->resumed;
  if (!resumed.ok()) violations_.push_back(name_of(node) + " does not resume: " + resumed.error().message());
  return resumed.ok();
}

PlanSim::~PlanSim() {
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
    if (up(node)) crash(node);
  }
}

void PlanSim::boot(std::size_t node) {
  scheduler_.say("boot " + name_of(node));
  daemons_[node] = std::make_unique<Daemon>(*this, node);
  daemons_[node]->resumed = start(daemons_[node]->clients, daemons_[node]->operations->resume_all());
}

void PlanSim::crash(std::size_t node) {
  scheduler_.say("crash " + name_of(node));
  scheduler_.drop(daemons_[node]->owner);
  daemons_[node].reset();
  std::erase_if(in_flight_, [&](const auto& item) { return item.first.ends_with(" on " + name_of(node)); });
}

Plan PlanSim::plan(const std::string& object, std::size_t steps, std::optional<std::size_t> commit) {
  Plan plan;
  plan.kind = "test";
  plan.object = object;
  plan.summary = "test " + object;
  for (std::size_t i = 0; i < steps; ++i) {
    PlannedStep step;
    step.action = "put";
    step.node = NodeName::trusted(name_of(i % 2));
    step.params = {{"name", fmt::format("{}/{}", object, i)}};
    step.commits = commit == i;
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

std::set<std::string> PlanSim::effects_of(const std::string& object) const {
  std::set<std::string> found;
  for (const std::string& name : effects_) {
    if (name.starts_with(object + "/")) found.insert(name);
  }
  return found;
}

}  // namespace mcv::sim

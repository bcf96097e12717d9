// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "cluster/store/shared_state.h"
#include "engine/run.h"
#include "world/nothing.h"
#include "world/schedule.h"
#include "world/sim_host.h"

namespace mcv::sim {
namespace {

using namespace std::chrono_literals;

std::string name_of(std::size_t node) { return node == 0 ? "A" : "B"; }

/// What a client was told about one change.
struct Asked {
  enum class Told { nothing, committed, refused, unknown };
  std::string id;
  std::string key;
  std::size_t node = 0;
  Told told = Told::nothing;
  bool on_both = false;
};

/// Cheap enough for every event: how many objects there are, and the sum of where each was changed last.
std::pair<std::size_t, std::uint64_t> summary(const ClusterState& state) {
  std::pair<std::size_t, std::uint64_t> sum{};
  for (const Kind kind : {Kind::node, Kind::network, Kind::pool, Kind::vm, Kind::volume, Kind::setting}) {
    for (const auto& [key, entry] : state.all(kind)) {
      ++sum.first;
      sum.second += entry.revision;
    }
  }
  return sum;
}

struct Life {
  Life(Scheduler& scheduler, NodeDisk& disk, SimCorosync& corosync, SimPeerWorld& network, NoProcesses& processes, NoSockets& sockets, std::size_t node)
      : parts(scheduler, disk, corosync, network, processes, sockets, node, name_of(node), scheduler.new_owner()),
        state(std::make_unique<SharedState>(parts.host)),
        tasks(parts.host.executor) {}
  SimHost parts;
  std::unique_ptr<SharedState> state;
  TaskGroup tasks;
  std::optional<Error> failed;
};

class StateWorld {
 public:
  StateWorld(std::uint64_t seed, bool print) : scheduler_(seed), corosync_(scheduler_), network_(scheduler_) {
    scheduler_.trace().set_print(print);
    if (scheduler_.chance().one_in(2)) scheduler_.set_order(Scheduler::Order::first_come);
  }
  ~StateWorld() {
    for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) end_daemon(node);
  }

  ScheduleReport run(std::uint64_t seed);

 private:
  Scheduler scheduler_;
  SimCorosync corosync_;
  SimPeerWorld network_;
  NoProcesses processes_;
  NoSockets sockets_;
  std::array<NodeDisk, 2> disks_;
  std::array<std::unique_ptr<Life>, 2> lives_;
  std::vector<std::shared_ptr<Asked>> asked_;
  ScheduleReport report_;
  std::string last_fault_ = "none";
  std::uint64_t next_change_ = 0;
  std::map<std::string, std::pair<std::size_t, std::uint64_t>> seen_at_;  ///< hash of the last committed entry -> what was seen there
  bool authority_ = false;  ///< A took a generation and B has not been met since
  bool both_decide_ = false;          ///< by two false statements: each is told "on one node", and each says the truth
  std::set<std::string> given_up_;    ///< changes that only the history held that was not chosen

  void violation(std::string text) {
    scheduler_.say("VIOLATION " + text);
    report_.violations.push_back(std::move(text));
  }
  Chance& chance() { return scheduler_.chance(); }
  SharedState& state(std::size_t node) { return *lives_[node]->state; }
  bool up(std::size_t node) const { return lives_[node] != nullptr; }

  template <typename T>
  std::optional<T> finish(std::size_t node, boost::asio::awaitable<T> work, Time limit = 60s) {
    const auto result = start(lives_[node]->tasks, std::move(work));
    run_events([&] { return result->has_value(); }, limit);
    return *result;
  }
  template <typename Condition>
  bool run_events(Condition condition, Time limit) {
    return scheduler_.run_until(
        [&] {
          audit();
          return condition() || !report_.violations.empty();
        },
        limit);
  }

  void start_daemon(std::size_t node);
  void end_daemon(std::size_t node);
  void revive();
  bool set_up();
  void ask(std::size_t node, bool may_compete = true);
  boost::asio::awaitable<void> propose(std::size_t node, Change change, std::shared_ptr<Asked> asked);
  bool durable(std::size_t node, const std::string& id) const;
  void fault();
  void audit();
  void heal_and_check();
  void take_authority();
  void decide_on_both();
  void choose(std::size_t base);
  void go_on_apart(std::size_t base);
  bool kept_apart();
};

void StateWorld::start_daemon(std::size_t node) {
  scheduler_.say("mcvd starts on " + name_of(node));
  lives_[node] = std::make_unique<Life>(scheduler_, disks_[node], corosync_, network_, processes_, sockets_, node);
  Life* life = lives_[node].get();
  life->state->on_failure([life](Error error) { life->failed = error; });
  const auto loaded = finish(node, life->state->load());
  if (!loaded || !loaded->ok()) {
    violation(fmt::format("{} does not load: {}", name_of(node), loaded ? loaded->error().message() : "no end"));
    return;
  }
  [[maybe_unused]] const auto group = finish(node, life->state->start_group());
}

void StateWorld::end_daemon(std::size_t node) {
  if (!lives_[node]) return;
  scheduler_.say("mcvd ends on " + name_of(node));
  scheduler_.drop(lives_[node]->parts.owner);
  lives_[node].reset();
}

/// systemd: a daemon that gave up on its store starts again.
void StateWorld::revive() {
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
    if (!up(node) || !lives_[node]->failed) continue;
    end_daemon(node);
    start_daemon(node);
  }
}

bool StateWorld::set_up() {
  start_daemon(0);
  start_daemon(1);
  const auto made = finish(0, state(0).initialise());
  if (!made || !made->ok()) return false;
  Change nodes;
  nodes.summary = "join";
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
    NodeRecord record;
    record.name = NodeName::trusted(name_of(node));
    record.id = static_cast<std::uint32_t>(node + 1);
    record.cluster_address = fmt::format("10.0.0.{}", node + 1);
    nodes.mutations.push_back(put_new(record));
  }
  const auto joined = finish(0, state(0).propose(nodes));
  if (!joined || !joined->ok()) return false;
  const auto adopted = finish(1, state(1).adopt(state(0).snapshot()));
  if (!adopted || !adopted->ok()) return false;
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) corosync_.start(node);
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
    const auto started = finish(node, state(node).start_group());
    if (!started || !started->ok()) return false;
  }
  const auto together = finish(0, state(0).wait_together(30s), 60s);
  return together && *together;
}

boost::asio::awaitable<void> StateWorld::propose(std::size_t node, Change change, std::shared_ptr<Asked> asked) {
  const std::string fault = last_fault_;
  const Result<Committed> answer = co_await state(node).propose(std::move(change));
  if (answer.ok()) {
    asked->told = Asked::Told::committed;
    asked->on_both = answer->on_both_nodes;
    // I3 at the very moment of the answer: durable on both, or on the one that holds authority while the other is off.
    if (!durable(node, asked->id)) violation(fmt::format("{} acknowledged {} before it was durable there", name_of(node), asked->id));
    if (asked->on_both && !durable(1 - node, asked->id)) violation(fmt::format("{} acknowledged {} before the peer had it", name_of(node), asked->id));
    if (!asked->on_both && !authority_ && !both_decide_) violation(fmt::format("{} acknowledged {} alone without authority", name_of(node), asked->id));
  } else {
    asked->told = answer.error().kind() == ErrorKind::outcome_unknown ? Asked::Told::unknown : Asked::Told::refused;
  }
  ++report_.covered[fmt::format("change {} × {}", answer.ok() ? "committed" : std::string(to_text(answer.error().code())), fault)];
  scheduler_.say(fmt::format("{} was told {}: {}", name_of(node), asked->id, answer.ok() ? "committed" : answer.error().message()));
}

bool StateWorld::durable(std::size_t node, const std::string& id) const {
  for (const auto& [table, rows] : disks_[node].store.tables) {
    for (const auto& [key, value] : rows) {
      if (value.find(id) != std::string::npos) return true;
    }
  }
  return false;
}

void StateWorld::ask(std::size_t node, bool may_compete) {
  if (!up(node)) return;
  auto asked = std::make_shared<Asked>();
  const std::uint64_t number = next_change_++;
  asked->id = fmt::format("change-{:06}-{}", number, name_of(node));
  asked->key = "key-" + asked->id;
  asked->node = node;
  Change change;
  change.id = asked->id;
  change.summary = asked->id;
  change.mutations.push_back(put_setting(state(node).current(), asked->key, "1"));
  // Some compete for one object: at most one of two with the same expectation may win.
  if (may_compete && chance().one_in(3)) change.mutations.push_back(put_setting(state(node).current(), "shared", std::to_string(number)));
  asked_.push_back(asked);
  lives_[node]->tasks.spawn(propose(node, std::move(change), asked));
}

void StateWorld::fault() {
  const std::size_t node = chance().below(2);
  switch (chance().below(9)) {
    case 0:
    case 1: {
      last_fault_ = "daemon crash";
      if (up(node)) end_daemon(node);
      run_events([] { return false; }, std::chrono::milliseconds(chance().below(3000)));
      if (!up(node)) start_daemon(node);
      return;
    }
    case 2:
    case 3:
      last_fault_ = "cluster link cut";
      scheduler_.say("cut");
      corosync_.cut();
      return;
    case 4:
      last_fault_ = "cluster link back";
      scheduler_.say("heal");
      corosync_.heal();
      return;
    case 5: {
      last_fault_ = "corosync restart";
      corosync_.stop(node);
      run_events([] { return false; }, std::chrono::milliseconds(chance().below(3000)));
      corosync_.start(node);
      return;
    }
    case 6:
      last_fault_ = "disk full";
      scheduler_.say("disk of " + name_of(node) + (disks_[node].store.full ? " has room" : " is full"));
      disks_[node].store.full = !disks_[node].store.full;
      return;
    case 7:
      last_fault_ = "fsync fails";
      disks_[node].store.io_error_percent = disks_[node].store.io_error_percent > 0 ? 0 : 20;
      return;
    case 8: {
      last_fault_ = "power cut";
      scheduler_.say("power cut of " + name_of(node));
      if (up(node)) end_daemon(node);
      corosync_.power_off(node);
      run_events([] { return false; }, std::chrono::milliseconds(chance().below(5000)));
      disks_[node].booted = scheduler_.now();
      corosync_.start(node);
      start_daemon(node);
      return;
    }
  }
}

/// B is off, and that is proven; A goes on alone; B comes back.
void StateWorld::take_authority() {
  if (!up(0) || disks_[0].store.full || disks_[0].store.io_error_percent > 0) return;
  last_fault_ = "peer off, authority taken";
  if (up(1)) end_daemon(1);
  corosync_.power_off(1);
  // A proposal of before may still be answered "on both" from what B had said.
  run_events([&] { return state(0).link().state == LinkState::apart; }, 20s);
  if (state(0).link().state == LinkState::apart) {
    authority_ = true;
    const auto taken = finish(0, state(0).take_generation("confirm-down"));
    authority_ = taken && taken->ok();
    scheduler_.say(fmt::format("A takes a generation: {}", taken && taken->ok() ? "yes" : taken ? taken->error().message() : "no end"));
    ++report_.covered[fmt::format("take generation {} × power cut", taken && taken->ok() ? "yes" : "no")];
    for (std::uint64_t i = chance().below(4); i > 0; --i) ask(0);
    run_events([] { return false; }, 2s);
  }
  corosync_.start(1);
  start_daemon(1);
}

/// Each node is said to be down to the other one, which is false twice: two histories.
void StateWorld::decide_on_both() {
  last_fault_ = "both took a generation";
  for (NodeDisk& disk : disks_) {
    disk.store.full = false;
    disk.store.io_error_percent = 0;
  }
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
    if (!up(node)) start_daemon(node);
  }
  revive();
  scheduler_.say("cut");
  corosync_.cut();
  const auto apart = [&](std::size_t node) { return state(node).link().state == LinkState::apart; };
  run_events([&] { return apart(0) && apart(1); }, 20s);
  both_decide_ = true;
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
    if (!apart(node)) continue;
    const auto taken = finish(node, state(node).take_generation("confirm-down, falsely"));
    scheduler_.say(fmt::format("{} takes a generation: {}", name_of(node), taken && taken->ok()));
    for (std::uint64_t i = chance().below(4); i > 0; --i) ask(node);
  }
  run_events([] { return false; }, std::chrono::milliseconds(chance().below(5000)));
}

/// The other node is said to be lost for good, falsely: `base` goes on with its history, and changes are made in it. Nothing of the
/// other one is given up by that: they stand apart again.
void StateWorld::go_on_apart(std::size_t base) {
  corosync_.cut();
  run_events([&] { return !up(base) || !state(base).link().peer_in_group; }, 20s);
  if (!up(base)) return;
  both_decide_ = true;
  const bool crashes = chance().one_in(4);
  auto taken = start(lives_[base]->tasks, state(base).take_generation("confirm-down of a lost node, falsely"));
  std::uint64_t steps = chance().below(crashes ? 60 : 4000);
  run_events([&] { return steps-- == 0; }, 20s);
  if (crashes) {
    end_daemon(base);
    start_daemon(base);
    run_events([] { return false; }, 2s);
  } else {
    for (std::uint64_t i = chance().below(4); i > 0; --i) ask(base);
    run_events([] { return false; }, 2s);
  }
  ++report_.covered[fmt::format("go on with one of two histories × {}", crashes ? "the daemon dies" : "none")];
  corosync_.heal();
  const auto are_both = [&](LinkState wanted) { return up(0) && up(1) && state(0).link().state == wanted && state(1).link().state == wanted; };
  const auto see_each_other = [&] { return state(0).link().peer_in_group && state(1).link().peer_in_group; };
  run_events([&] { return are_both(LinkState::together) || (are_both(LinkState::diverged) && see_each_other()); }, 60s);
}

/// A person chooses on `base`, whose daemon may die at any step of it; the other one's as well.
void StateWorld::choose(std::size_t base) {
  if (!up(base) || !up(1 - base)) return;
  Settled settled;
  settled.other = state(1 - base).position();
  settled.proof = "chosen: " + name_of(base);
  settled.change.id = fmt::format("choice-{:06}-{}", next_change_++, name_of(base));
  settled.change.summary = "choose";
  settled.change.mutations.push_back({Kind::setting, "given-up-" + settled.change.id, std::nullopt, Json(name_of(1 - base))});
  scheduler_.say("the history of " + name_of(base) + " is chosen");
  auto chosen = start(lives_[base]->tasks, state(base).settle(std::move(settled)));
  const std::uint64_t kind = chance().below(4);
  std::uint64_t steps = chance().below(150);
  run_events([&] { return steps-- == 0; }, 20s);
  static constexpr std::array<const char*, 4> names = {"none", "the chosen node's daemon dies", "the other node's daemon dies", "cluster link cut"};
  if (kind == 1) end_daemon(base);
  if (kind == 2) end_daemon(1 - base);
  if (kind == 3) corosync_.cut();
  ++report_.covered[fmt::format("choose a history × {}", names[kind])];
}

/// Two histories: both are kept until one is chosen; that one loses nothing, the other one's changes answer "not applied".
bool StateWorld::kept_apart() {
  const auto link = [&](std::size_t node) { return up(node) ? state(node).link().state : LinkState::failed; };
  const auto settled = [&] {
    return (link(0) == LinkState::together && link(1) == LinkState::together) || (link(0) == LinkState::diverged && link(1) == LinkState::diverged);
  };
  bool ever_diverged = false;
  std::array<std::set<std::string>, 2> only_there;  // changes that one of the two histories holds and the other one does not
  for (int tries = 0; tries < 12 && report_.violations.empty(); ++tries) {
    corosync_.heal();
    for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
      corosync_.start(node);
      if (!up(node)) start_daemon(node);
    }
    revive();
    if (!run_events(settled, 120s)) break;
    if (link(0) == LinkState::together) break;
    const auto look_at_both = [&] {
      // A choice of before may have become durable meanwhile: there is one history then.
      if (link(0) != LinkState::diverged || link(1) != LinkState::diverged) return;
      only_there = {};
      for (const auto& asked : asked_) {
        const bool with_a = state(0).current().setting(asked->key).has_value();
        const bool with_b = state(1).current().setting(asked->key).has_value();
        if (with_a != with_b) only_there[with_a ? 0 : 1].insert(asked->id);
      }
    };
    look_at_both();
    ever_diverged = true;
    for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
      const auto refused = finish(node, state(node).propose({fmt::format("late-{:06}", next_change_++), "late", {put_setting(state(node).current(), "late", "1")}}));
      if (!refused || refused->ok()) violation(name_of(node) + " changes one of two histories");
    }
    const std::size_t base = chance().below(2);
    if (chance().one_in(3)) {
      go_on_apart(base);
      look_at_both();
    }
    if (chance().one_in(3)) {
      // Typed on both at once, each for its own: nobody hears of the other's choice.
      corosync_.cut();
      choose(base);
      choose(1 - base);
    } else {
      choose(base);
    }
  }
  if (!report_.violations.empty()) return false;
  if (link(0) != LinkState::together || link(1) != LinkState::together) {
    violation(fmt::format("two histories do not become one by choosing: A {}, B {}", to_text(link(0)), to_text(link(1))));
    return false;
  }
  ++report_.covered[ever_diverged ? "one history × two were kept apart" : "one history × by the rules"];
  // Whose history it is says the last choice in it.
  std::optional<std::size_t> winner;
  for (const GenerationRecord& record : state(0).generations()) {
    if (record.settles) winner = record.taken_by == "A" ? 0 : 1;
  }
  if (ever_diverged && !winner) violation("two histories became one, and nobody chose");
  if (winner) given_up_ = only_there[1 - *winner];
  both_decide_ = false;
  return true;
}

/// After every event: the same place in the same history means the same configuration, at any time and on any node. So
/// nothing is seen that is not committed.
void StateWorld::audit() {
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
    if (!up(node)) continue;
    const Position position = state(node).position();
    const auto now = summary(state(node).current());
    const auto [seen, is_new] = seen_at_.try_emplace(position.hash, now);
    if (!is_new && seen->second != now) violation(fmt::format("{} shows another configuration at index {} than was seen there before", name_of(node), position.index));
  }
  // Commits alone are right until contact: A was told so and B was proven off when it began.
  if (authority_ && up(0) && state(0).link().state == LinkState::together) authority_ = false;
  if (!up(0) || !up(1)) return;
  const Position a = state(0).position();
  const Position b = state(1).position();
  if (a.generation == b.generation && a.index == b.index && a.hash != b.hash) violation(fmt::format("two histories at index {}", a.index));
}

void StateWorld::heal_and_check() {
  last_fault_ = "healed";
  for (NodeDisk& disk : disks_) {
    disk.store.full = false;
    disk.store.io_error_percent = 0;
  }
  corosync_.heal();
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
    corosync_.start(node);
    if (!up(node)) start_daemon(node);
  }
  revive();
  const auto together = [&] {
    return up(0) && up(1) && state(0).link().state == LinkState::together && state(1).link().state == LinkState::together;
  };
  run_events([&] { return together() || (up(0) && lives_[0]->failed) || (up(1) && lives_[1]->failed); }, 120s);
  revive();
  run_events(together, 120s);
  // A commit that was under way may still have drawn its failure: once more, from the disk.
  run_events([] { return false; }, 15s);
  revive();
  run_events(together, 120s);
  if (!report_.violations.empty()) return;
  if (!together()) {
    violation(fmt::format("not together after the heal: A {} ({}), B {} ({})", to_text(state(0).link().state), state(0).link().reason, to_text(state(1).link().state),
                          state(1).link().reason));
    return;
  }
  run_events([] { return false; }, 15s);
  ask(0, false);
  ask(1, false);
  run_events([] { return false; }, 15s);
  if (state(0).position() != state(1).position()) violation("the positions differ after the heal");
  if (state(0).current().hash() != state(1).current().hash()) violation("the hashes differ after the heal");
  for (const auto& asked : asked_) {
    const bool there = state(0).current().setting(asked->key).has_value();
    if (asked->told == Asked::Told::committed && !there && !given_up_.contains(asked->id)) violation(asked->id + " was acknowledged and is lost");
    if (given_up_.contains(asked->id) && there) violation(asked->id + " is of the history that was given up, and is there");
    if (asked->told == Asked::Told::refused && there) violation(asked->id + " was refused and is there");
    if (asked->told == Asked::Told::nothing) continue;
    const auto outcome = finish(1, state(1).outcome(asked->id));
    const bool says = outcome && outcome->ok() && (*outcome)->state == ChangeOutcome::committed;
    const bool forgotten = outcome && outcome->ok() && (*outcome)->state == ChangeOutcome::forgotten;
    if (!forgotten && says != there) violation(fmt::format("{}: asked for, the answer is '{}', and it is {}", asked->id, says, there));
  }
  if (asked_.back()->told != Asked::Told::committed) violation("no change is possible after the heal");
}

ScheduleReport StateWorld::run(std::uint64_t seed) {
  report_.seed = seed;
  report_.kind = "state";
  if (!set_up()) violation("two healthy nodes do not come together");
  for (std::uint64_t round = chance().between(3, 10); round > 0 && report_.violations.empty(); --round) {
    for (std::uint64_t i = chance().between(1, 3); i > 0; --i) ask(chance().below(2));
    // A fault at any step of what is under way.
    std::uint64_t steps = chance().below(120);
    run_events([&] { return steps-- == 0; }, 5s);
    if (chance().one_in(2)) fault();
    else if (chance().one_in(8)) take_authority();
    if (chance().one_in(3)) run_events([] { return false; }, std::chrono::milliseconds(chance().below(12'000)));
    revive();
  }
  if (report_.violations.empty() && chance().one_in(3)) {
    decide_on_both();
    if (report_.violations.empty() && !kept_apart()) violation("two histories were not ended");
  }
  if (report_.violations.empty()) heal_and_check();
  report_.events = scheduler_.steps();
  report_.trace.assign(scheduler_.trace().last().begin(), scheduler_.trace().last().end());
  report_.trace_hash = scheduler_.trace().hash();
  return report_;
}

}  // namespace

ScheduleReport state_schedule(std::uint64_t seed, bool print_trace) { return StateWorld(seed, print_trace).run(seed); }

}  // namespace mcv::sim

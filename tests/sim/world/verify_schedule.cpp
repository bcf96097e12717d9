// SPDX-License-Identifier: Apache-2.0
// One verify and one thing that happens to it, enumerated: what, at which moment, asked of which node, where the VM runs, and what
// the legs hold. The seed counts through all of them. What both nodes say in the end is held to what is on the disks.
#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "cluster/store/suspects.h"
#include "world/node_world.h"

namespace mcv::sim {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

enum class Event {
  nothing,
  shorter_than_a_poll,
  link_lost,
  link_lost_for_long,   ///< a running guest goes on by consent: writes while it is disconnected
  disconnected_by_hand,
  cluster_link_lost,
  daemon_a_killed,
  daemon_b_killed,
  power_of_a,
  power_of_b,
  second_from_other_node,
  second_by_timer,
  cancelled,
};
constexpr std::array event_names = {"nothing", "shorter than a poll", "link lost", "link lost for long", "disconnected by hand", "cluster link lost", "daemon of A killed",
                                    "daemon of B killed", "power of A cut", "power of B cut", "a second one from the other node", "a second one by the timer", "cancelled"};
enum class Moment { begins, halfway, ended };  ///< ended in the kernel, not yet in the configuration
constexpr std::array moment_names = {"as it begins", "halfway", "when the kernel is through"};
enum class Legs { equal, differ_on_a, differ_on_b, rewritten };
constexpr std::array legs_names = {"equal", "A's changed", "B's changed", "rewritten in flight"};
enum class Guest { off, on_a, on_b };
constexpr std::array guest_names = {"off", "on A", "on B"};

struct Case {
  Event event = Event::nothing;
  Moment moment = Moment::begins;
  Legs legs = Legs::equal;
  Guest guest = Guest::off;
  std::size_t asked = 0;
};

Case case_of(std::uint64_t number) {
  Case chosen;
  const auto digit = [&number](std::size_t base) {
    const std::size_t value = number % base;
    number /= base;
    return value;
  };
  chosen.event = static_cast<Event>(digit(event_names.size()));
  chosen.moment = static_cast<Moment>(digit(moment_names.size()));
  chosen.legs = static_cast<Legs>(digit(legs_names.size()));
  chosen.guest = static_cast<Guest>(digit(guest_names.size()));
  chosen.asked = digit(2);
  return chosen;
}

/// Where guests do not write: the first quarter and the last.
constexpr std::uint64_t changed_blocks[] = {200, 16'000};
constexpr std::uint64_t first_rewritten = 300;
constexpr std::uint64_t rewritten_blocks = 40;
constexpr std::uint64_t not_the_guests = 100;

class VerifySchedule : public NodeWorld {
 public:
  using NodeWorld::NodeWorld;
  ScheduleReport run(std::uint64_t seed);

 private:
  const ClusterState& state(std::size_t node) { return daemon(node).shared.current(); }
  bool differs() const { return chosen_.legs == Legs::differ_on_a || chosen_.legs == Legs::differ_on_b; }
  bool in_peace() const { return chosen_.event == Event::nothing || chosen_.event == Event::shorter_than_a_poll || is_second(); }
  bool is_second() const { return chosen_.event == Event::second_from_other_node || chosen_.event == Event::second_by_timer; }
  bool gated(std::size_t node, const std::string& volume);
  std::size_t comparing();
  void prepare();
  void rewrite_pages();
  OperationId begin_verify(std::size_t node, const Json& body);
  std::optional<OperationView> view(const OperationId& id);
  bool ended(const OperationId& id) {
    const auto now = view(id);
    return now && now->final();
  }
  void wait_for_moment(const OperationId& id);
  bool by_hand(std::size_t node, const std::string& verb);
  void happen(const OperationId& id);
  void second(const OperationId& id);
  void settle();
  std::string verdict_in(const OperationId& id, const std::string& volume);
  void judge(const OperationId& id);
  void judge_again();
  void judge_history(const std::string& last);
  void judge_gate(bool closed);
  void end_of_story();

  Case chosen_;
  bool rewrites_ = false;
  std::uint64_t next_page_ = 0;
  std::uint32_t minor_ = 0;  ///< of vm1-0
  std::vector<OperationId> asked_;
};

bool VerifySchedule::gated(std::size_t node, const std::string& volume) {
  const VolumeName name = VolumeName::trusted(volume);
  return state(node).volume(name)->verdict.kind == VerdictKind::mismatch || daemon(node).verify_gate.is_suspect(name);
}

/// Volumes that a kernel compares now.
std::size_t VerifySchedule::comparing() {
  std::size_t count = 0;
  for (const std::size_t node : both) {
    for (const SimDrbd::Seen& seen : drbd_->look(node)) {
      if (seen.replication == "VerifyS") ++count;
    }
  }
  return count;
}

void VerifySchedule::prepare() {
  if (!set_up_pair()) return violation("two healthy nodes cannot be set up");
  for (const std::string vm : {"vm1", "vm2"}) {
    const Json boot = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
    const Json disk = {{"size", std::uint64_t{64} << 20}};
    const Json create = {{"name", vm},         {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})}, {"storage_type", "drbd"},
                         {"networks", {"lan"}}, {"boot", boot}, {"hypervisor", "qemu"}, {"node", chosen_.guest == Guest::on_b ? "B" : "A"}};
    insist(0, "POST", "/v1/vms", create, "vm create");
  }
  if (well() && chosen_.guest != Guest::off) {
    insist(0, "POST", "/v1/vms/vm1/start", Json::object(), "vm start");
    const std::size_t where = chosen_.guest == Guest::on_a ? 0 : 1;
    run_events([&] { return std::any_of(machines_[where]->vmms.begin(), machines_[where]->vmms.end(), [](const auto& item) { return item.second->booted; }); }, 60s);
  }
  if (!well()) return;
  minor_ = state(0).volume(VolumeName::trusted("vm1-0"))->minor;
  if (differs()) {
    for (const std::uint64_t block : changed_blocks) drbd_->corrupt(chosen_.legs == Legs::differ_on_a ? 0 : 1, minor_, block, 4711);
  }
  if (chosen_.event == Event::shorter_than_a_poll) drbd_->verify_pace = {1, 20};
  else if (chosen_.moment == Moment::halfway) drbd_->verify_pace = {400, 900};
  rewrites_ = chosen_.legs == Legs::rewritten;
  if (rewrites_) rewrite_pages();
}

/// One page after the other, so that no page differs at every look.
void VerifySchedule::rewrite_pages() {
  if (!rewrites_) return;
  drbd_->flicker(minor_, first_rewritten + next_page_++ % rewritten_blocks);
  scheduler_.after(0, milliseconds(90), [this]() { rewrite_pages(); });
}

OperationId VerifySchedule::begin_verify(std::size_t node, const Json& body) {
  const Answer answer = call(node, "POST", "/v1/verify", body, false);
  if (!answer.ok() || !answer.body.contains("operation")) {
    violation(fmt::format("verify is refused: {}", answer.error ? answer.error->message() : "no operation"));
    return {};
  }
  const OperationId id = OperationId::trusted(answer.body["operation"].value("id", ""));
  asked_.push_back(id);
  return id;
}

std::optional<OperationView> VerifySchedule::view(const OperationId& id) {
  const std::size_t coordinator = id.str().starts_with("A-") ? 0 : 1;
  if (!up(coordinator)) return std::nullopt;
  auto found = daemon(coordinator).operations.get(id);
  if (!found.ok()) return std::nullopt;
  return std::move(*found);
}

void VerifySchedule::wait_for_moment(const OperationId& id) {
  bool has_begun = false;
  const auto reached = [&] {
    const std::vector<SimDrbd::Seen> legs = drbd_->look(id.str().starts_with("A-") ? 0 : 1);
    const auto leg = std::find_if(legs.begin(), legs.end(), [](const SimDrbd::Seen& seen) { return seen.replication == "VerifyS"; });
    const bool compares = leg != legs.end();
    has_begun = has_begun || compares;
    switch (chosen_.moment) {
      case Moment::begins: return compares;
      case Moment::halfway: return compares && leg->verified_sectors * 2 >= (std::uint64_t{64} << 20) / 512;
      case Moment::ended: return has_begun && !compares;
    }
    return true;
  };
  run_events([&] { return reached() || ended(id); }, 120s);
}

/// While a first one runs: joined or behind it, never beside it, never refused.
void VerifySchedule::second(const OperationId& id) {
  const bool by_timer = chosen_.event == Event::second_by_timer;
  Json body = {{"all", true}};
  if (by_timer) body["scheduled"] = true;
  const bool is_over = ended(id);
  const OperationId other = begin_verify(1 - chosen_.asked, body);
  if (!well()) return;
  if (by_timer && !is_over && other != id) violation("a timer's verify does not take the result of the one that runs");
  const auto over = [&] {
    if (comparing() > 1) violation("two verifies run side by side");
    return ended(id) && ended(other);
  };
  run_events(over, 600s);
  const auto now = view(other);
  if (well() && (!now || now->outcome != OperationOutcome::succeeded)) violation("the second verify does not succeed");
}

/// drbdadm typed on a node, for vm1-0.
bool VerifySchedule::by_hand(std::size_t node, const std::string& verb) {
  const auto answer = drbd_->run(node, {"drbdadm", "--config-file", "/etc/drbd.d/mcv-vm1-0.res", verb, "mcv-vm1-0"});
  return answer && answer->exit_code == 0;
}

void VerifySchedule::happen(const OperationId& id) {
  fault_ = fmt::format("{} {}", event_names[static_cast<std::size_t>(chosen_.event)], moment_names[static_cast<std::size_t>(chosen_.moment)]);
  scheduler_.say("EVENT " + fault_);
  const std::string coordinator = id.str().substr(0, 1);
  switch (chosen_.event) {
    case Event::nothing:
    case Event::shorter_than_a_poll: return;
    case Event::link_lost:
    case Event::link_lost_for_long:
      drbd_->cut();
      pass(chosen_.event == Event::link_lost ? Time(milliseconds(chance().between(1000, 4000))) : Time(25s));
      drbd_->heal();
      return;
    case Event::disconnected_by_hand: {
      const std::size_t node = chance().below(2);
      if (!by_hand(node, "disconnect")) violation("a person cannot disconnect vm1-0");
      pass(5s);
      // The other side waits for a connection; on this one it is configured again, unless the daemon was faster.
      static_cast<void>(by_hand(node, "connect"));
      return;
    }
    case Event::cluster_link_lost:
      network_.cut = true;
      corosync_.cut();
      pass(milliseconds(chance().between(2000, 20'000)));
      network_.cut = false;
      corosync_.heal();
      return;
    case Event::daemon_a_killed:
    case Event::daemon_b_killed: {
      const std::size_t node = chosen_.event == Event::daemon_a_killed ? 0 : 1;
      end_daemon(node);
      pass(milliseconds(chance().below(4000)));
      start_daemon(node);
      return;
    }
    case Event::power_of_a: return power_cut(0);
    case Event::power_of_b: return power_cut(1);
    case Event::second_from_other_node:
    case Event::second_by_timer: return second(id);
    case Event::cancelled: call(chosen_.asked, "POST", "/v1/operations/" + id.str() + "/cancel", Json::object(), false); return;
  }
}

/// Until both nodes are in contact and every volume has two good copies again.
void VerifySchedule::settle() {
  heal();
  wait_idle();
  check_configuration();
  const auto redundant = [&] {
    for (const std::string volume : {"vm1-0", "vm2-0"}) {
      const auto seen = daemon(0).drbd.volumes();
      const auto found = seen.find(volume);
      if (found == seen.end() || !found->second.redundant() || found->second.replication != ReplicationState::established) return false;
    }
    return true;
  };
  if (well() && !run_events(redundant, 300s)) violation("the copies do not come together after the faults healed");
}

std::string VerifySchedule::verdict_in(const OperationId& id, const std::string& volume) {
  const auto now = view(id);
  if (!now || !now->result.is_object() || !now->result.contains("volumes")) return "";
  for (const Json& one : now->result["volumes"]) {
    if (one.value("volume", "") == volume) return one.value("verdict", "");
  }
  return "";
}

/// What the disturbed one may say.
void VerifySchedule::judge(const OperationId& id) {
  const auto now = view(id);
  if (!now || !now->final()) return violation("the verify has no end");
  const std::string verdict = verdict_in(id, "vm1-0");
  ++report_.covered[fmt::format("{} {}, legs {}: {}", event_names[static_cast<std::size_t>(chosen_.event)], in_peace() ? "" : moment_names[static_cast<std::size_t>(chosen_.moment)],
                                legs_names[static_cast<std::size_t>(chosen_.legs)], verdict.empty() ? to_text(*now->outcome) : verdict)];
  const bool was_cancelled = chosen_.event == Event::cancelled && now->outcome == OperationOutcome::cancelled;
  if (verdict.empty() && !was_cancelled) return violation(fmt::format("the verify {} says nothing of vm1-0", to_text(*now->outcome)));
  if (verdict == "mismatch" && !differs()) violation("a mismatch where nothing was changed behind DRBD's back");
  if (verdict == "suspect" && !differs() && chosen_.legs != Legs::rewritten) violation("suspect where no two copies ever differed");
  for (const std::string_view other : {"mismatch", "suspect"}) {
    if (verdict_in(id, "vm2-0") == other) violation(fmt::format("{} of a volume nobody touched", other));
  }
  if (in_peace()) {
    const std::string right = differs() ? "mismatch" : "clean";
    if (verdict != right) violation(fmt::format("in peace the verdict is {} instead of {}", verdict, right));
    if (verdict_in(id, "vm2-0") != "clean") violation("in peace the other volume is not clean");
  }
  // A clean that stands is a statement about the disks.
  for (const std::size_t node : both) {
    const auto kind = state(node).volume(VolumeName::trusted("vm1-0"))->verdict.kind;
    if (kind == VerdictKind::mismatch && !differs()) violation(fmt::format("{} holds a mismatch where nothing was changed", node_name(node)));
    if (kind == VerdictKind::clean && !gated(node, "vm1-0") && chosen_.legs != Legs::rewritten && !drbd_->differing(minor_, not_the_guests).empty()) {
      violation(fmt::format("{} calls vm1-0 clean, and its legs differ", node_name(node)));
    }
    if (gated(node, "vm1-0") && !differs() && chosen_.legs != Legs::rewritten) violation("a gate without a difference on " + node_name(node));
    if (gated(node, "vm1-0") && chosen_.legs == Legs::rewritten && in_peace()) violation("a guest that rewrites pages closed its gate on " + node_name(node));
  }
  if (gated(0, "vm1-0") != gated(1, "vm1-0")) violation("the nodes do not agree on the gate");
  // What saw differences and did not come to its end keeps it closed.
  if ((verdict == "suspect" || verdict == "mismatch") && !gated(0, "vm1-0")) violation(fmt::format("the verdict {} closes no gate", verdict));
}

/// A start where it is off, a move where it runs.
void VerifySchedule::judge_gate(bool closed) {
  for (const std::size_t node : both) {
    if (!well()) return;
    const bool runs = !machines_[0]->vmms.empty() || !machines_[1]->vmms.empty();
    const std::size_t owner = state(0).vm(VmName::trusted("vm1"))->owner.str() == "A" ? 0 : 1;
    const Json move = {{"node", node_name(1 - owner)}, {"wait_for_shutdown", true}, {"timeout_seconds", 5}};
    const Json body = runs ? move : Json::object();
    const std::string what = runs ? "migrate" : "start";
    const Answer answer = call(node, "POST", "/v1/vms/vm1/" + what + "?dry_run=true", body, false);
    const bool is_refused = answer.error && answer.error->code() == ErrorCode::verify_gate;
    if (closed && !is_refused) violation(fmt::format("{} on {} is not refused by the gate: {}", what, node_name(node), answer.error ? answer.error->message() : "allowed"));
    if (!closed && !answer.ok()) violation(fmt::format("{} on {} is refused although the copies are equal: {}", what, node_name(node), answer.error ? answer.error->message() : "no answer"));
  }
}

void VerifySchedule::judge_history(const std::string& last) {
  pass(3s);
  std::array<Json, 2> runs;
  for (const std::size_t node : both) {
    const Answer answer = call(node, "GET", "/v1/verify/history?name=vm1-0", Json(), false);
    if (!answer.ok()) return violation("the history cannot be had from " + node_name(node));
    runs[node] = answer.body["runs"];
    for (const Json& run : runs[node]) {
      if (run.value("result", "") == "running" || run.value("result", "") == "unknown") violation("a run has no end on " + node_name(node) + ": " + run.dump());
    }
    if (runs[node].empty() || runs[node][0].value("result", "") != last) {
      return violation(fmt::format("the last run on {} is not the {} that was just made: {}", node_name(node), last, runs[node].dump()));
    }
    for (const OperationId& id : asked_) {
      const std::string verdict = verdict_in(id, "vm1-0");
      const auto is_told = [&](const Json& run) { return run.value("operation", "") == id.str() && run.value("result", "") == verdict; };
      if (!verdict.empty() && std::none_of(runs[node].begin(), runs[node].end(), is_told)) violation(fmt::format("{} does not know that {} was {}", node_name(node), id.str(), verdict));
    }
  }
  if (runs[0] != runs[1]) violation("the nodes tell different histories");
}

/// Once more with nothing in its way: the truth, found, counted, gated or lifted.
void VerifySchedule::judge_again() {
  rewrites_ = false;
  pass(2s);
  const std::set<std::uint64_t> truth = drbd_->differing(minor_, not_the_guests);
  scheduler_.say(fmt::format("{} blocks differ", truth.size()));
  const OperationId id = begin_verify(1 - chosen_.asked, {{"vms", {"vm1"}}});
  if (!well()) return;
  run_events([&] { return ended(id); }, 600s);
  const std::string right = truth.empty() ? "clean" : "mismatch";
  if (verdict_in(id, "vm1-0") != right) return violation(fmt::format("{} blocks differ, and a verify in peace says {}", truth.size(), verdict_in(id, "vm1-0")));
  std::uint64_t sectors = 0;
  const auto recorded = state(1).volume(VolumeName::trusted("vm1-0"));
  for (const SectorRange& range : recorded->verdict.ranges) {
    sectors += range.count;
    if (truth.count(range.start / 8) == 0) violation(fmt::format("the verdict names sector {}, which is equal", range.start));
  }
  if (sectors != truth.size() * 8) violation(fmt::format("{} sectors are in the verdict, {} differ", sectors, truth.size() * 8));
  judge_gate(!truth.empty());
  if (well()) judge_history(right);
}

void VerifySchedule::end_of_story() {
  wait_idle();
  for (const std::string vm : {"vm1", "vm2"}) {
    if (!well()) return;
    command(0, "POST", "/v1/vms/" + vm + "/kill", Json::object());
    if (insist(0, "DELETE", "/v1/vms/" + vm, Json(), "vm delete")) acknowledged_.erase(vm);
  }
  if (!well()) return;
  wait_idle();
  pass(10s);
  check_configuration();
  look_for_orphans();
}

ScheduleReport VerifySchedule::run(std::uint64_t seed) {
  chosen_ = case_of(seed);
  scheduler_.say(fmt::format("CASE {} {}, legs {}, vm1 {}, asked of {}", event_names[static_cast<std::size_t>(chosen_.event)], moment_names[static_cast<std::size_t>(chosen_.moment)],
                             legs_names[static_cast<std::size_t>(chosen_.legs)], guest_names[static_cast<std::size_t>(chosen_.guest)], node_name(chosen_.asked)));
  prepare();
  OperationId id;
  if (well()) id = begin_verify(chosen_.asked, {{"all", true}});
  if (well()) wait_for_moment(id);
  if (well()) happen(id);
  if (well()) settle();
  if (well()) judge(id);
  if (well()) judge_again();
  end_of_story();
  return finish("verify", seed);
}

}  // namespace

ScheduleReport verify_schedule(std::uint64_t seed, bool print_trace) { return VerifySchedule(seed, print_trace).run(seed); }

}  // namespace mcv::sim

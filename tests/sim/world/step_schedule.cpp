// SPDX-License-Identifier: Apache-2.0
// One fault at one step of one plan, enumerated: which command, which of its steps (as the planner returned them), which moment
// of the step, which node and what happens to it. The seed counts through all of them, so a range of seeds is complete.
#include <array>
#include <fmt/format.h>
#include <vector>

#include "world/node_world.h"
#include "world/step_faults.h"

namespace mcv::sim {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

const VmName guest = VmName::trusted("vm1");
const std::string guest_path = "/v1/vms/vm1";

/// One command of the story and when it is done.
struct Chapter {
  std::string name;
  std::size_t node = 0;
  std::string method;
  std::string target;
  Json body;
  std::function<bool()> done;
  bool always = true;  ///< in a story that is disturbed elsewhere, too; else only when it is the one to disturb
  std::function<void()> before = {};  ///< what it is about, in a healthy world
};

bool is_join(const Chapter& chapter) { return chapter.name == "join" || chapter.name == "join again"; }

enum class Moment { begins, runs, ended };
enum class Blow { daemon_crash, power_cut, tools_fail, tools_hang };

constexpr std::array<const char*, 3> moment_names = {"as it begins", "while it runs", "when it has ended"};
constexpr std::array<const char*, 4> blow_names = {"daemon crash", "power cut", "tools fail", "tools hang"};

struct Case {
  std::size_t step = 0;
  Moment moment = Moment::begins;
  std::size_t victim = 0;
  Blow blow = Blow::daemon_crash;
};

/// Per step: two blows at three moments on two nodes, and the two that concern the tools of both.
constexpr std::size_t cases_of_a_step = 2 * 3 * 2 + 2;

Case case_of(std::uint64_t number, std::size_t steps) {
  Case chosen;
  chosen.step = number % steps;
  const std::size_t rest = (number / steps) % cases_of_a_step;
  if (rest >= 12) {
    chosen.blow = rest == 12 ? Blow::tools_fail : Blow::tools_hang;
    return chosen;
  }
  chosen.blow = static_cast<Blow>(rest % 2);
  chosen.victim = rest / 2 % 2;
  chosen.moment = static_cast<Moment>(rest / 4);
  return chosen;
}

class StepSchedule : public NodeWorld {
 public:
  using NodeWorld::NodeWorld;
  ScheduleReport run(std::uint64_t seed);
  /// The same for a removal and the join that follows it, under a guest that writes.
  ScheduleReport run_removal(std::uint64_t seed);
  /// The same for repairs of what changed behind DRBD's back.
  ScheduleReport run_repair(std::uint64_t seed);
  /// The same for a disk that DRBD gave up and that is attached again.
  ScheduleReport run_attach(std::uint64_t seed);
  /// The same for local disks that become replicated, and back.
  ScheduleReport run_convert(std::uint64_t seed);
  /// The same for things that belong to nothing and are deleted by name.
  ScheduleReport run_orphan(std::uint64_t seed);
  /// What a step answers, instead of what happens around it: both stories, one after the other.
  ScheduleReport run_answers(std::uint64_t seed);

 private:
  const ClusterState& state(std::size_t node) { return daemon(node).shared.current(); }
  bool agreed();
  bool runs_on(std::size_t node) { return up(node) && daemon(node).guests.facts(guest).state == RunState::running; }
  std::size_t owner() { return state(0).vm(guest)->owner.str() == "A" ? 0 : 1; }
  std::vector<Chapter> story();
  std::vector<Chapter> removal_story();
  std::vector<Chapter> repair_story();
  std::vector<Chapter> attach_story();
  std::vector<Chapter> orphan_story();
  std::vector<Chapter> convert_story();
  void plant_orphan(std::size_t node);
  bool is_open_anywhere();
  void lose_disk(std::size_t node);
  void make_differ(std::size_t bad);
  bool is_repaired();
  void begin();
  bool is_blank(std::size_t node);
  bool is_redundant();
  void delete_quarantined(std::size_t node);
  void audit_removed();
  Json join_body();
  Answer ask(const Chapter& chapter);
  void achieve(const Chapter& chapter);
  void disturb(const Chapter& chapter, std::uint64_t number);
  std::optional<OperationView> view(std::size_t coordinator, const OperationId& id);
  void strike(const Case& chosen, std::size_t coordinator, const OperationId& id);
  void shut_down_inside();
  void disturb_answer(const Chapter& chapter, std::uint64_t number);
  void nothing_is_left_of(const Chapter& chapter);
  void end_of_story();
  void end_of_removal();

  StepFaults step_faults_;
};

/// One configuration, known to both, or not a cluster yet.
bool StepSchedule::agreed() {
  if (!up(0) || !up(1)) return false;
  // Passive: it was removed, and does not know yet or is not blank yet.
  if (daemon(0).departure.is_passive() || daemon(1).departure.is_passive()) return false;
  if (!state(0).is_cluster() && !state(1).is_cluster()) return true;
  for (const std::size_t node : both) {
    if (daemon(node).shared.link().state != LinkState::together) return false;
  }
  return daemon(0).shared.position() == daemon(1).shared.position();
}

std::vector<Chapter> StepSchedule::story() {
  const Json boot = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
  const Json disk = {{"size", std::uint64_t{64} << 20}};
  const Json create = {{"name", guest.str()}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})},
                       {"storage_type", "drbd"}, {"networks", {"lan"}}, {"boot", boot}, {"hypervisor", "qemu"}};
  const Json wait = {{"node", "B"}, {"wait_for_shutdown", true}, {"timeout_seconds", 60}, {"start_after_migration", true}};
  const Json offline = {{"node", "B"}, {"start_after_migration", true}};
  const auto off = [this] { return !runs_on(0) && !runs_on(1); };
  const auto runs = [this] { return runs_on(owner()); };
  const auto clean = [this] { return state(0).volume(VolumeName::trusted("vm1-0"))->verdict.kind == VerdictKind::clean; };
  return {
      {"join", 0, "POST", "/v1/cluster/add-node", Json(), [this] { return state(0).is_cluster() && state(1).is_cluster(); }},
      {"storage create", 1, "POST", "/v1/storage", {{"name", "fast"}, {"vg", "vg0"}, {"thin", true}}, [this] { return state(0).pool(PoolName::trusted("fast")).ok(); }},
      {"drbd enable", 0, "POST", "/v1/drbd/enable", Json::object(), [this] { return state(0).setting("drbd") == "enabled"; }},
      {"network create", 1, "POST", "/v1/networks", {{"name", "lan"}, {"bridge", "br0"}}, [this] { return state(0).network(NetworkName::trusted("lan")).ok(); }},
      {"vm create", 0, "POST", "/v1/vms", create, [this] { return state(0).vm(guest).ok(); }},
      {"vm start", 0, "POST", guest_path + "/start", Json::object(), runs},
      {"migrate, waiting", 0, "POST", guest_path + "/migrate", wait, [] { return true; }, false},
      {"verify", 1, "POST", "/v1/verify", {{"all", true}}, clean},
      {"vm stop", 1, "POST", guest_path + "/stop", {{"timeout_seconds", 60}}, off},
      {"migrate", 1, "POST", guest_path + "/migrate", offline, [this] { return owner() == 1; }, false},
      {"vm start there", 0, "POST", guest_path + "/start", Json::object(), runs, false},
      {"vm kill", 0, "POST", guest_path + "/kill", Json::object(), off},
      {"vm delete", 1, "DELETE", guest_path, Json(), [this] { return !state(0).vm(guest).ok(); }},
      {"network delete", 0, "DELETE", "/v1/networks/lan", Json(), [this] { return !state(0).network(NetworkName::trusted("lan")).ok(); }},
      {"storage delete", 0, "DELETE", "/v1/storage/fast", Json(), [this] { return !state(0).pool(PoolName::trusted("fast")).ok(); }},
  };
}

/// What a join needs: the other node's invitation, made anew each time.
Json StepSchedule::join_body() {
  const Answer invited = call(1, "POST", "/v1/cluster/connect-string", Json::object(), false);
  return {{"connect_string", invited.ok() ? invited.body.value("connect_string", "") : ""}, {"check_only", false}};
}

NodeWorld::Answer StepSchedule::ask(const Chapter& chapter) {
  const Json body = is_join(chapter) ? join_body() : chapter.body;
  return call(chapter.node, chapter.method, chapter.target, body, false);
}

/// As an operator would repeat it, in a healthy world.
void StepSchedule::achieve(const Chapter& chapter) {
  const auto achieved = [&] { return agreed() && chapter.done(); };
  for (int tries = 0; tries < 7 && well(); ++tries) {
    if (run_events(achieved, 5s)) return;
    // A bridge that no network needs yet goes with the power; the refusals say how to make it again.
    if (is_join(chapter) || chapter.name == "network create") {
      for (const std::size_t node : both) command(node, "POST", "/v1/node/init", {{"all", true}});
    }
    command(chapter.node, chapter.method, chapter.target, is_join(chapter) ? join_body() : chapter.body);
    wait_idle();
    if (run_events(achieved, 20s)) return;
    pass(20s);
    keep_alive();
  }
  if (well()) violation(fmt::format("{} does not work in a healthy world", chapter.name));
}

std::optional<OperationView> StepSchedule::view(std::size_t coordinator, const OperationId& id) {
  if (!up(coordinator)) return std::nullopt;
  auto found = daemon(coordinator).operations.get(id);
  if (!found.ok()) return std::nullopt;
  return std::move(*found);
}

void StepSchedule::strike(const Case& chosen, std::size_t coordinator, const OperationId& id) {
  switch (chosen.blow) {
    case Blow::daemon_crash:
      end_daemon(chosen.victim);
      pass(milliseconds(chance().below(4000)));
      start_daemon(chosen.victim);
      return;
    case Blow::power_cut: return power_cut(chosen.victim);
    case Blow::tools_fail: tool_faults_.fail_percent = 100; break;
    case Blow::tools_hang: tool_faults_.hang_percent = 100; break;
  }
  run_events([&] {
    const auto now = view(coordinator, id);
    return !now || now->final() || now->steps[chosen.step].state != StepState::running;
  }, 120s);
}

void StepSchedule::disturb(const Chapter& chapter, std::uint64_t number) {
  const Answer answer = ask(chapter);
  if (!answer.ok()) return violation(fmt::format("{} does not work in a healthy world: {}", chapter.name, answer.error ? answer.error->message() : "no answer"));
  // Done within the answer: there is no plan to disturb.
  if (!answer.body.is_object() || !answer.body.contains("operation")) return;
  const OperationId id = OperationId::trusted(answer.body["operation"].value("id", ""));
  const std::size_t coordinator = id.str().starts_with("A-") ? 0 : 1;
  const auto first = view(coordinator, id);
  if (!first || first->steps.empty()) return violation(fmt::format("{}: the operation {} is not known", chapter.name, id.str()));
  const Case chosen = case_of(number, first->steps.size());
  const auto reached = [&] {
    const auto now = view(coordinator, id);
    if (!now || now->final()) return true;
    const StepState step = now->steps[chosen.step].state;
    return chosen.moment == Moment::ended ? step == StepState::done : step == StepState::running || step == StepState::done;
  };
  run_events(reached, 300s);
  if (chosen.moment == Moment::runs) {
    std::uint64_t events = chance().between(1, 60);
    run_events([&] { return events-- == 0; }, 5s);
  }
  if (!well()) return;
  fault_ = fmt::format("{} {}", blow_names[static_cast<std::size_t>(chosen.blow)], moment_names[static_cast<std::size_t>(chosen.moment)]);
  const StepView& step = first->steps[chosen.step];
  const char* where = chosen.victim == coordinator ? "coordinator" : "other node";
  scheduler_.say(fmt::format("BLOW {} at step {} {} of {} ({})", fault_, chosen.step, step.action, chapter.name, node_name(chosen.victim)));
  ++report_.covered[fmt::format("{}: {} {} × {}, {}", chapter.name, chosen.step, step.action, fault_, where)];
  strike(chosen, coordinator, id);
  heal();
  wait_idle();
}

void StepSchedule::begin() {
  for (const std::size_t node : both) start_daemon(node);
  for (const std::size_t node : both) {
    insist(node, "POST", "/v1/node/init", {{"all", true}}, "node init");
    insist(node, "PUT", "/v1/node/addresses", {{"cluster_address", node_address(node)}}, "node set-ip-address");
  }
}

bool StepSchedule::is_blank(std::size_t node) {
  return up(node) && daemon(node).shared.link().state == LinkState::single && daemon(node).own_record().ok() && join::own_objects(state(node)).empty();
}

bool StepSchedule::is_redundant() {
  const auto volumes = daemon(0).drbd.volumes();
  const auto seen = volumes.find("vm1-0");
  return seen != volumes.end() && seen->second.redundant();
}

void StepSchedule::delete_quarantined(std::size_t node) {
  const Answer listed = call(node, "GET", "/v1/quarantine", Json(), false);
  if (!listed.ok()) return violation("the quarantine cannot be listed");
  for (const Json& copy : listed.body["copies"]) insist(node, "DELETE", "/v1/quarantine/" + copy.value("name", ""), Json(), "quarantine delete");
}

std::vector<Chapter> StepSchedule::removal_story() {
  std::vector<Chapter> chapters;
  for (Chapter& chapter : story()) {
    // Up to a guest that runs on A; the end of the story ends it.
    const bool wanted = chapter.always && chapter.name != "verify";
    if (wanted) chapters.push_back(std::move(chapter));
    if (chapters.empty() || chapters.back().name != "vm start") continue;
    const auto removed = [this] { return !state(0).is_cluster() && is_blank(1) && !disks_[0].files.there("/etc/corosync/corosync.conf"); };
    const auto clean = [this] { return is_redundant() && state(0).volume(VolumeName::trusted("vm1-0"))->verdict.kind == VerdictKind::clean; };
    const auto runs = [this] { return runs_on(0); };
    const Chapter start = chapters.back();
    chapters.push_back({"remove", 0, "POST", "/v1/cluster/remove-node", {{"node", "B"}}, removed});
    // Whatever a power cut did: on one leg it starts again, with all it was told is there.
    chapters.push_back({"vm start on one leg", 0, start.method, start.target, start.body, runs});
    chapters.push_back({"join again", 0, "POST", "/v1/cluster/add-node", Json(), [this] { return state(0).is_cluster() && state(1).is_cluster() && is_redundant(); }});
    chapters.push_back({"verify again", 1, "POST", "/v1/verify", {{"all", true}}, clean});
  }
  return chapters;
}

constexpr std::uint64_t bad_block = 40;  ///< a guest never writes there, so that only a copy changes it
constexpr std::uint64_t good_value = 4711;
constexpr std::uint64_t bad_value = 666;

/// One side changes behind DRBD's back, and a verify marks where.
void StepSchedule::make_differ(std::size_t bad) {
  const VolumeName disk = VolumeName::trusted("vm1-0");
  const std::uint32_t minor = state(0).volume(disk)->minor;
  drbd_->corrupt(1 - bad, minor, bad_block, good_value);
  drbd_->corrupt(bad, minor, bad_block, bad_value);
  const auto differs = [&] { return agreed() && state(0).volume(disk)->verdict.kind == VerdictKind::mismatch; };
  for (int tries = 0; tries < 3 && well() && !differs(); ++tries) {
    insist(0, "POST", "/v1/verify", {{"all", true}}, "verify of unequal copies");
    run_events(differs, 10s);
  }
  if (well() && !differs()) violation("a verify did not find a block that was changed behind DRBD's back");
}

/// Both hold what the good side held, and what the other one held is kept until a clean verify.
bool StepSchedule::is_repaired() {
  if (!is_redundant()) return false;
  const std::uint32_t minor = state(0).volume(VolumeName::trusted("vm1-0"))->minor;
  for (const std::size_t node : both) {
    if (drbd_->on_disk(node, minor, bad_block) != good_value) return false;
  }
  // A node whose power goes while it writes copies what is marked when it is back, whoever asks: the kernel's own repair.
  if (fault_.starts_with("power cut")) return true;
  for (const std::size_t node : both) {
    for (const auto& [name, volume] : machines_[node]->lvm.volumes) {
      const auto kept = volume.blocks.find(bad_block);
      if (name.find("/mcvs-") != std::string::npos && kept != volume.blocks.end() && kept->second == bad_value) return true;
    }
  }
  return false;
}

std::vector<Chapter> StepSchedule::repair_story() {
  const std::string resync = guest_path + "/resync";
  const Json from_there = {{"source", "B"}, {"source_confirmed", true}, {"full", true}};
  const auto repaired = [this] { return is_repaired(); };
  const auto clean = [this] {
    if (state(0).volume(VolumeName::trusted("vm1-0"))->verdict.kind != VerdictKind::clean) return false;
    for (const std::size_t node : both) {
      for (const auto& [name, volume] : machines_[node]->lvm.volumes) {
        if (name.find("/mcvs-") != std::string::npos) return false;
      }
    }
    return true;
  };
  std::vector<Chapter> chapters;
  for (Chapter& chapter : story()) {
    if (!chapter.always || chapter.name == "verify") continue;
    chapters.push_back(std::move(chapter));
    const std::string name = chapters.back().name;
    if (name == "vm start") chapters.push_back({"resync", 1, "POST", resync, Json::object(), repaired, false, [this] { make_differ(1); }});
    if (name == "vm stop") {
      chapters.push_back({"resync, stopped", 0, "POST", resync, Json::object(), repaired, false, [this] { make_differ(1); }});
      chapters.push_back({"resync, all of the other side", 0, "POST", resync, from_there, repaired, false, [this] { make_differ(0); }});
      chapters.push_back({"verify of the repair", 1, "POST", "/v1/verify", {{"all", true}}, clean});
    }
  }
  return chapters;
}

/// Written to for a while after that, so that there is something to copy.
void StepSchedule::lose_disk(std::size_t node) {
  const std::uint32_t minor = state(0).volume(VolumeName::trusted("vm1-0"))->minor;
  if (!run_events([&] { return drbd_->lose_disk(node, minor, false); }, 60s) && well()) violation("a disk of a healthy pair cannot be lost");
  const auto recorded = [&] {
    const authority::Standpoint now = daemon(node).authority.standpoint();
    return now.consents.stands(now.self, VolumeName::trusted("vm1-0"));
  };
  if (!run_events(recorded, 30s) && well()) violation("nobody wrote down that a disk was lost");
  pass(2s);
}

std::vector<Chapter> StepSchedule::attach_story() {
  const auto whole = [this] {
    const authority::Standpoint now = daemon(0).authority.standpoint();
    return is_redundant() && now.ledger.standing(now.self).empty() && now.ledger.standing(now.peer).empty() && now.consents.standing(now.self).empty() && now.consents.standing(now.peer).empty();
  };
  std::vector<Chapter> chapters;
  for (Chapter& chapter : story()) {
    if (!chapter.always || chapter.name == "verify") continue;
    chapters.push_back(std::move(chapter));
    if (chapters.back().name != "vm start") continue;
    chapters.push_back({"attach", 1, "POST", guest_path + "/attach", Json::object(), whole, false, [this] { lose_disk(1); }});
    chapters.push_back({"attach, under the guest", 0, "POST", guest_path + "/attach", Json::object(), whole, false, [this] { lose_disk(0); }});
    const auto clean = [this] { return state(0).volume(VolumeName::trusted("vm1-0"))->verdict.kind == VerdictKind::clean; };
    chapters.push_back({"verify of what was attached", 1, "POST", "/v1/verify", {{"all", true}}, clean});
  }
  return chapters;
}

/// What the guest was told is there must be there in whatever it is started on next: the auditor looks at each start.
std::vector<Chapter> StepSchedule::convert_story() {
  const auto kind = [this] { return state(0).volume(VolumeName::trusted("vm1-0"))->kind; };
  const auto replicated = [this, kind] { return kind() == VolumeKind::drbd && is_redundant() && !is_open_anywhere(); };
  const auto local = [this, kind] {
    if (kind() != VolumeKind::local || state(0).volume(VolumeName::trusted("vm1-0"))->port != 0) return false;
    for (const std::size_t node : both) {
      if (!drbd_->look(node).empty() || machines_[node]->lvm.volumes.contains("vg0/mcv-vm1-0.md") || disks_[node].files.there("/etc/drbd.d/mcv-vm1-0.res")) return false;
    }
    return machines_[owner()]->lvm.volumes.contains("vg0/mcv-vm1-0") && !machines_[1 - owner()]->lvm.volumes.contains("vg0/mcv-vm1-0");
  };
  const auto clean = [this] { return state(0).volume(VolumeName::trusted("vm1-0"))->verdict.kind == VerdictKind::clean; };
  const std::string target = guest_path + "/storage-type";
  const Json to_drbd = {{"storage_type", "drbd"}};
  const Json to_local = {{"storage_type", "local"}};
  std::map<std::string, Chapter> of;
  std::vector<Chapter> chapters;
  for (Chapter& chapter : story()) {
    of.emplace(chapter.name, chapter);
    if (chapter.name == "vm create") chapter.body["storage_type"] = "local";
    const bool is_before = of.size() <= 6 || chapter.name == "vm delete" || chapter.name == "network delete" || chapter.name == "storage delete";
    if (is_before) chapters.push_back(std::move(chapter));
    if (chapters.back().name != "vm start" || of.size() != 6) continue;
    const auto again = [&](const std::string& name, const std::string& called) {
      Chapter one = of.contains(name) ? of.at(name) : Chapter();
      if (name == "vm stop") one = {"vm stop", 1, "POST", guest_path + "/kill", Json::object(), [this] { return !runs_on(0) && !runs_on(1); }};
      one.name = called;
      chapters.push_back(std::move(one));
    };
    again("vm stop", "stop of a local guest");
    chapters.push_back({"replicate", 1, "POST", target, to_drbd, replicated});
    again("vm start", "start of the replicated guest");
    chapters.push_back({"verify of what was replicated", 1, "POST", "/v1/verify", {{"all", true}}, clean});
    again("vm stop", "stop of the replicated guest");
    chapters.push_back({"localise", 0, "POST", target, to_local, local});
    again("vm start", "start of the local guest");
    again("vm stop", "stop of the local guest");
  }
  return chapters;
}

bool StepSchedule::is_open_anywhere() {
  for (const std::size_t node : both) {
    for (const SimDrbd::Seen& seen : drbd_->look(node)) {
      if (seen.primary) return true;
    }
  }
  return false;
}

/// What a node has of a volume that nobody knows, as after a restore of its system from a backup.
void StepSchedule::plant_orphan(std::size_t node) {
  const VolumeName gone = VolumeName::trusted("gone-0");
  for (const std::string name : {"vg0/mcv-gone-0", "vg0/mcv-gone-0.md"}) {
    Lv volume;
    volume.size = 64u << 20;
    volume.tags = {"mcv", "mcv.by.A-999"};
    volume.pool = "mcv-fast";
    machines_[node]->lvm.volumes[name] = volume;
  }
  const FileDisk::File& known = disks_[node].files.files.at("/etc/drbd.d/mcv-vm1-0.res");
  std::string text = known.text;
  for (std::size_t at = text.find("vm1-0"); at != std::string::npos; at = text.find("vm1-0", at)) text.replace(at, 5, gone.str());
  for (const std::string& was : {"drbd" + std::to_string(state(0).volume(VolumeName::trusted("vm1-0"))->minor), "minor " + std::to_string(state(0).volume(VolumeName::trusted("vm1-0"))->minor)}) {
    for (std::size_t at = text.find(was); at != std::string::npos; at = text.find(was, at + 1)) text.replace(at, was.size(), was.substr(0, was.find_first_of("0123456789")) + "777");
  }
  disks_[node].files.put("/etc/drbd.d/mcv-gone-0.res", text, true);
  drbd_->run(node, {"drbdmeta", "--force", "777", "v08", "/dev/vg0/mcv-gone-0.md", "flex-external", "create-md"});
  drbd_->run(node, {"drbdadm", "--config-file", "/etc/drbd.d/mcv-gone-0.res", "adjust", "mcv-gone-0"});
}

std::vector<Chapter> StepSchedule::orphan_story() {
  std::vector<Chapter> chapters;
  for (Chapter& chapter : story()) {
    if (!chapter.always) continue;
    chapters.push_back(std::move(chapter));
    if (chapters.back().name != "vm start") continue;
    for (const std::size_t node : both) {
      const auto gone = [this, node] {
        const auto& volumes = machines_[node]->lvm.volumes;
        return !volumes.contains("vg0/mcv-gone-0") && !volumes.contains("vg0/mcv-gone-0.md") && !disks_[node].files.there("/etc/drbd.d/mcv-gone-0.res") && drbd_->look(node).size() == 1;
      };
      const std::string target = fmt::format("/v1/orphans/{}/mcv-gone-0", node_name(node));
      chapters.push_back({node == 0 ? "orphan delete" : "orphan delete there", 0, "DELETE", target, Json(), gone, false, [this, node] { plant_orphan(node); }});
    }
  }
  return chapters;
}

/// The guest turns itself off, as soon as it is up.
void StepSchedule::shut_down_inside() {
  const auto pressed = [this] {
    for (auto& [unit, vmm] : machines_[owner()]->vmms) {
      if (machines_[owner()]->power_down(*vmm)) return true;
    }
    return false;
  };
  run_events(pressed, 60s);
}

void StepSchedule::disturb_answer(const Chapter& chapter, std::uint64_t number) {
  step_faults_.choosing = true;
  const Answer answer = ask(chapter);
  if (!answer.ok() || !answer.body.is_object() || !answer.body.contains("operation")) {
    step_faults_.choosing = false;
    if (!answer.ok()) violation(fmt::format("{} does not work in a healthy world: {}", chapter.name, answer.error ? answer.error->message() : "no answer"));
    return;
  }
  const OperationId id = OperationId::trusted(answer.body["operation"].value("id", ""));
  const std::size_t coordinator = id.str().starts_with("A-") ? 0 : 1;
  const auto first = view(coordinator, id);
  if (!first || first->steps.empty()) return violation(fmt::format("{}: the operation {} is not known", chapter.name, id.str()));
  const std::size_t step = number % first->steps.size();
  const StepFaults::Kind kind = StepFaults::kinds[number / first->steps.size() % StepFaults::kinds.size()];
  fault_ = to_text(kind);
  step_faults_.choose(kind, id.str(), step);
  step_faults_.choosing = false;
  scheduler_.say(fmt::format("STEP {} {} of {} {}", step, first->steps[step].action, chapter.name, fault_));
  if (chapter.name == "migrate, waiting") shut_down_inside();
  run_events([&] {
    const auto now = view(coordinator, id);
    return !now || now->final();
  }, 3600s);
  if (well() && step_faults_.met == 0) violation(fmt::format("step {} of {} was never run", step, chapter.name));
  ++report_.covered[fmt::format("{}: {} {} × {}", chapter.name, step, first->steps[step].action, fault_)];
  step_faults_.kind = StepFaults::Kind::none;
  heal();
  wait_idle();
}

/// Done or undone, and the same on both sides. Undone: nothing may be left, and it must be possible now.
void StepSchedule::nothing_is_left_of(const Chapter& chapter) {
  const bool may_be_single = chapter.name == "remove" || chapter.name == "join again";
  if (well() && state(0).is_cluster() && (state(1).is_cluster() || !may_be_single)) check_configuration();
  if (well() && chapter.name == "vm create" && !state(0).vm(guest).ok()) look_for_orphans();
}

void StepSchedule::end_of_story() {
  if (!well()) return;
  pass(10s);
  check_configuration();
  look_for_orphans();
  for (const std::size_t node : both) {
    for (const auto& [name, volume] : machines_[node]->lvm.volumes) violation(fmt::format("I6: orphan {} on {}", name, node_name(node)));
  }
}

void StepSchedule::end_of_removal() {
  if (!well()) return;
  pass(10s);
  check_configuration();
  look_for_orphans();
}

ScheduleReport StepSchedule::run_answers(std::uint64_t seed) {
  step_faults_.defect = [this](std::string text) { violation(std::move(text)); };
  wrap_action_ = [this](host::Host& host, const std::string& name, std::unique_ptr<Action> action) { return with_faults(host, step_faults_, name, std::move(action)); };
  begin();
  std::vector<Chapter> chapters = story();
  const std::vector<std::string> of_others = {"remove", "join again", "resync", "resync, stopped", "resync, all of the other side", "attach", "attach, under the guest", "orphan delete", "orphan delete there", "replicate", "localise"};
  const std::size_t all = chapters.size() + of_others.size();
  std::size_t chosen = seed % all;
  const bool converts = chosen >= chapters.size() + 9;
  const bool deletes = !converts && chosen >= chapters.size() + 7;
  const bool attaches = !converts && !deletes && chosen >= chapters.size() + 5;
  const bool repairs = !converts && !deletes && !attaches && chosen >= chapters.size() + 2;
  const bool removes = !converts && !deletes && !attaches && !repairs && chosen >= chapters.size();
  if (converts || deletes || attaches || repairs || removes) {
    const std::string& name = of_others[chosen - chapters.size()];
    chapters = converts ? convert_story() : deletes ? orphan_story() : attaches ? attach_story() : repairs ? repair_story() : removal_story();
    for (chosen = 0; chapters[chosen].name != name;) ++chosen;
  }
  const std::uint64_t number = seed / all;
  for (std::size_t i = 0; i < chapters.size() && well(); ++i) {
    const Chapter& chapter = chapters[i];
    if (i != chosen && !chapter.always) continue;
    if (chapter.before) chapter.before();
    if (i == chosen && well()) {
      disturb_answer(chapter, number);
      nothing_is_left_of(chapter);
    }
    if (well()) achieve(chapter);
    if (well() && chapter.name == "remove") audit_removed();
    if (well() && chapter.name == "verify again") delete_quarantined(1);
  }
  if (removes) end_of_removal();
  else end_of_story();
  return finish("answer", seed);
}

ScheduleReport StepSchedule::run_removal(std::uint64_t seed) {
  begin();
  const std::vector<Chapter> chapters = removal_story();
  const std::string chosen = seed % 2 == 0 ? "remove" : "join again";
  for (const Chapter& chapter : chapters) {
    if (!well()) break;
    if (chapter.name == chosen) {
      disturb(chapter, seed / 2);
      // Undone or done, and the same on both sides.
      nothing_is_left_of(chapter);
    }
    if (well()) achieve(chapter);
    if (well() && chapter.name == "remove") audit_removed();
    if (well() && chapter.name == "verify again") delete_quarantined(1);
  }
  end_of_removal();
  return finish("removal", seed);
}

ScheduleReport StepSchedule::run_repair(std::uint64_t seed) {
  begin();
  const std::vector<Chapter> chapters = repair_story();
  const std::array<std::string, 3> repairs = {"resync", "resync, stopped", "resync, all of the other side"};
  const std::string chosen = repairs[seed % repairs.size()];
  for (const Chapter& chapter : chapters) {
    if (!well()) break;
    if (!chapter.always && chapter.name != chosen) continue;
    if (well() && chapter.before) chapter.before();
    if (well() && chapter.name == chosen) {
      disturb(chapter, seed / repairs.size());
      nothing_is_left_of(chapter);
    }
    if (well()) achieve(chapter);
  }
  end_of_story();
  return finish("repair", seed);
}

ScheduleReport StepSchedule::run_attach(std::uint64_t seed) {
  begin();
  const std::vector<Chapter> chapters = attach_story();
  const std::string chosen = seed % 2 == 0 ? "attach" : "attach, under the guest";
  for (const Chapter& chapter : chapters) {
    if (!well()) break;
    if (!chapter.always && chapter.name != chosen) continue;
    if (chapter.before) chapter.before();
    if (well() && chapter.name == chosen) {
      disturb(chapter, seed / 2);
      nothing_is_left_of(chapter);
    }
    if (well()) achieve(chapter);
  }
  end_of_story();
  return finish("attach", seed);
}

ScheduleReport StepSchedule::run_convert(std::uint64_t seed) {
  begin();
  const std::vector<Chapter> chapters = convert_story();
  const std::string chosen = seed % 2 == 0 ? "replicate" : "localise";
  for (const Chapter& chapter : chapters) {
    if (!well()) break;
    if (chapter.name == chosen) {
      disturb(chapter, seed / 2);
      nothing_is_left_of(chapter);
      // Undone or done, its disk is closed: the guest is off.
      if (well() && is_open_anywhere()) violation("the disk of a VM that is off stays open");
    }
    if (well()) achieve(chapter);
  }
  end_of_story();
  return finish("convert", seed);
}

ScheduleReport StepSchedule::run_orphan(std::uint64_t seed) {
  begin();
  const std::vector<Chapter> chapters = orphan_story();
  const std::string chosen = seed % 2 == 0 ? "orphan delete" : "orphan delete there";
  for (const Chapter& chapter : chapters) {
    if (!well()) break;
    if (!chapter.always && chapter.name != chosen) continue;
    if (chapter.before) chapter.before();
    if (well() && chapter.name == chosen) disturb(chapter, seed / 2);
    if (well()) achieve(chapter);
  }
  end_of_story();
  return finish("orphan", seed);
}

/// Nothing of the leaver can be opened by what it had, and the remainder has no connection to lose.
void StepSchedule::audit_removed() {
  for (const SimDrbd::Seen& seen : drbd_->look(1)) violation(fmt::format("{} is still in the kernel of B", seen.resource));
  for (const auto& [name, volume] : machines_[1]->lvm.volumes) {
    if (!volume.thin_pool && name.find("/mcvq-") == std::string::npos) violation(fmt::format("{} on B is not in quarantine", name));
  }
  if (corosync_.running(0) || corosync_.running(1)) violation("corosync runs after the removal");
  for (const SimDrbd::Seen& seen : drbd_->look(0)) {
    if (seen.held || seen.connection != "StandAlone") violation(fmt::format("{} on A: {}{}", seen.resource, seen.connection, seen.held ? ", held" : ""));
  }
  const auto volume = state(0).volume(VolumeName::trusted("vm1-0"));
  if (!volume.ok() || volume->verdict.kind != VerdictKind::never) violation("the verdict is not never after a removal");
}

ScheduleReport StepSchedule::run(std::uint64_t seed) {
  begin();
  const std::vector<Chapter> chapters = story();
  const std::size_t chosen = seed % chapters.size();
  for (std::size_t i = 0; i < chapters.size() && well(); ++i) {
    const Chapter& chapter = chapters[i];
    if (i != chosen && !chapter.always) continue;
    if (i == chosen) {
      disturb(chapter, seed / chapters.size());
      nothing_is_left_of(chapter);
    }
    if (well()) achieve(chapter);
  }
  end_of_story();
  return finish("step", seed);
}

}  // namespace

ScheduleReport step_schedule(std::uint64_t seed, bool print_trace) { return StepSchedule(seed, print_trace).run(seed); }
ScheduleReport removal_schedule(std::uint64_t seed, bool print_trace) { return StepSchedule(seed, print_trace).run_removal(seed); }
ScheduleReport repair_schedule(std::uint64_t seed, bool print_trace) { return StepSchedule(seed, print_trace).run_repair(seed); }
ScheduleReport attach_schedule(std::uint64_t seed, bool print_trace) { return StepSchedule(seed, print_trace).run_attach(seed); }
ScheduleReport convert_schedule(std::uint64_t seed, bool print_trace) { return StepSchedule(seed, print_trace).run_convert(seed); }
ScheduleReport orphan_schedule(std::uint64_t seed, bool print_trace) { return StepSchedule(seed, print_trace).run_orphan(seed); }
ScheduleReport answer_schedule(std::uint64_t seed, bool print_trace) { return StepSchedule(seed, print_trace).run_answers(seed); }

}  // namespace mcv::sim

// SPDX-License-Identifier: Apache-2.0
// The main job from two bare machines to none the worse: every command of it, each with faults between all of its steps, and
// each then done in the healthy world, as an operator would repeat it.
#include <array>
#include <fmt/format.h>

#include "world/node_world.h"

namespace mcv::sim {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

const VmName guest = VmName::trusted("vm1");
constexpr const char* guest_path = "/v1/vms/vm1";

class MainJobSchedule : public NodeWorld {
 public:
  MainJobSchedule(std::uint64_t seed, bool print, bool rough) : NodeWorld(seed, print) {
    faults_at_events_ = true;
    rough_ = rough;
  }
  ScheduleReport run(std::uint64_t seed);

 private:
  const ClusterState& state(std::size_t node) { return daemon(node).shared.current(); }
  std::size_t anywhere() { return chance().below(2); }
  /// The command with faults, and then everything at rest.
  void try_it(std::size_t node, const char* method, const std::string& target, const Json& body);
  /// ... and, unless `done` holds now, again without faults until it works.
  template <typename Condition>
  void achieve(std::size_t node, const char* method, const std::string& target, const Json& body, const char* what, Condition done);

  /// One configuration, known to both, or not a cluster yet.
  bool agreed();
  void prepare(std::size_t node);
  bool joined();
  void join();
  void add_pool(std::size_t node);
  void add_network(std::size_t node);
  void create_guest();
  void run_guest();
  void close_the_gate();
  void take_down();
  bool runs_on(std::size_t node) { return up(node) && daemon(node).guests.facts(guest).state == RunState::running; }
  std::size_t owner() { return state(0).vm(guest)->owner.str() == "A" ? 0 : 1; }
};

void MainJobSchedule::try_it(std::size_t node, const char* method, const std::string& target, const Json& body) {
  if (!well()) return;
  command(node, method, target, body, true);
  heal();
  wait_idle();
}

template <typename Condition>
void MainJobSchedule::achieve(std::size_t node, const char* method, const std::string& target, const Json& body, const char* what, Condition done) {
  try_it(node, method, target, body);
  // Asked of two nodes that agree: each of them may have learnt of the last commit a moment later.
  const auto achieved = [&] { return agreed() && done(); };
  for (int tries = 0; tries < 6 && well(); ++tries) {
    if (run_events(achieved, 5s)) return;
    command(node, method, target, body);
    wait_idle();
    if (run_events(achieved, 5s)) return;
    pass(20s);
    keep_alive();
  }
  if (well()) violation(fmt::format("{} does not work in a healthy world", what));
}

/// Both commands may be repeated at any time, so they are: a power cut takes the bridge away.
void MainJobSchedule::prepare(std::size_t node) {
  try_it(node, "POST", "/v1/node/init", {{"all", true}});
  if (well()) insist(node, "POST", "/v1/node/init", {{"all", true}}, "node init");
  const Json addresses = {{"cluster_address", node_address(node)}};
  try_it(node, "PUT", "/v1/node/addresses", addresses);
  if (well()) insist(node, "PUT", "/v1/node/addresses", addresses, "node set-ip-address");
}

bool MainJobSchedule::joined() {
  for (const std::size_t node : both) {
    if (!up(node) || !state(node).is_cluster() || daemon(node).shared.link().state != LinkState::together) return false;
  }
  return true;
}

bool MainJobSchedule::agreed() {
  if (!up(0) || !up(1)) return false;
  if (!state(0).is_cluster() && !state(1).is_cluster()) return true;
  return joined() && daemon(0).shared.position() == daemon(1).shared.position();
}

void MainJobSchedule::join() {
  for (int tries = 0; tries < 6 && well(); ++tries) {
    const Answer invited = call(1, "POST", "/v1/cluster/connect-string", Json::object(), false);
    if (invited.ok()) {
      const Json body = {{"connect_string", invited.body.value("connect_string", "")}, {"check_only", false}};
      command(0, "POST", "/v1/cluster/add-node", body, tries == 0);
      heal();
    }
    wait_idle();
    if (!well()) return;
    if (run_events([&] { return joined(); }, 60s)) return;
    // Undone: the other node is free again, and bare.
    if (!state(0).is_cluster()) {
      if (daemon(1).reservation.kept()) violation("I6: B is still reserved for a cluster that did not take it");
      for (const auto& [name, volume] : machines_[1]->lvm.volumes) violation(fmt::format("I6: orphan {} on B, which did not join", name));
    }
    // The bridge of a network may be gone with the power, and the node says so.
    for (const std::size_t node : both) command(node, "POST", "/v1/node/init", {{"all", true}});
    pass(20s);
  }
  if (well()) violation("two healthy nodes do not become a cluster");
}

void MainJobSchedule::add_pool(std::size_t node) {
  const auto done = [&] { return state(node).pool(PoolName::trusted("fast")).ok(); };
  achieve(node, "POST", "/v1/storage", {{"name", "fast"}, {"vg", "vg0"}, {"thin", true}}, "storage create", done);
}

void MainJobSchedule::add_network(std::size_t node) {
  const auto done = [&] { return state(node).network(NetworkName::trusted("lan")).ok(); };
  const Json body = {{"name", "lan"}, {"bridge", "br0"}};
  try_it(node, "POST", "/v1/networks", body);
  if (!well() || done()) return;
  for (int tries = 0; tries < 6 && well() && !(agreed() && done()); ++tries) {
    // A bridge that no network needs yet goes with the power; the refusal says how to make it again.
    for (const std::size_t side : both) insist(side, "POST", "/v1/node/init", {{"all", true}}, "node init");
    command(node, "POST", "/v1/networks", body);
    wait_idle();
    pass(5s);
    keep_alive();
  }
  if (well() && !done()) violation("network create does not work in a healthy world");
}

void MainJobSchedule::create_guest() {
  const Json boot = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
  const Json disk = {{"size", std::uint64_t{64} << 20}};
  const Json create = {{"name", guest.str()}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})},
                       {"storage_type", "drbd"}, {"networks", {"lan"}}, {"boot", boot}, {"hypervisor", "qemu"}};
  try_it(anywhere(), "POST", "/v1/vms", create);
  if (well()) check_configuration();
  if (!well() || state(0).vm(guest).ok()) return;
  // Undone: nothing may be left, and it must be possible now.
  look_for_orphans();
  if (well()) achieve(anywhere(), "POST", "/v1/vms", create, "vm create", [&] { return state(0).vm(guest).ok(); });
}

void MainJobSchedule::run_guest() {
  achieve(anywhere(), "POST", fmt::format("{}/start", guest_path), Json::object(), "vm start", [&] { return runs_on(owner()); });
  if (!well()) return;
  pass(milliseconds(chance().below(10'000)));
  const std::size_t target = 1 - owner();
  const Json move = {{"node", node_name(target)}, {"wait_for_shutdown", true}, {"timeout_seconds", 60}, {"start_after_migration", true}};
  try_it(anywhere(), "POST", fmt::format("{}/migrate", guest_path), move);
  if (!well()) return;
  achieve(anywhere(), "POST", fmt::format("{}/stop", guest_path), {{"timeout_seconds", 60}}, "vm stop", [&] { return !runs_on(0) && !runs_on(1); });
  if (well() && owner() != target) {
    const Json offline = {{"node", node_name(target)}, {"start_after_migration", true}};
    achieve(anywhere(), "POST", fmt::format("{}/migrate", guest_path), offline, "migrate", [&] { return owner() == target; });
  }
  const auto clean = [&] { return state(0).volume(VolumeName::trusted("vm1-0"))->verdict.kind == VerdictKind::clean; };
  if (well()) achieve(anywhere(), "POST", "/v1/verify", {{"all", true}}, "verify", clean);
  if (well()) check_configuration();
}

/// One copy changes behind DRBD's back: found, and from then on the VM neither starts nor moves, until a verify is clean again.
void MainJobSchedule::close_the_gate() {
  // Off, so that no write of its own makes the block good again.
  achieve(anywhere(), "POST", fmt::format("{}/stop", guest_path), {{"timeout_seconds", 60}}, "vm stop", [&] { return !runs_on(0) && !runs_on(1); });
  if (!well()) return;
  const VolumeRecord volume = *state(0).volume(VolumeName::trusted("vm1-0"));
  const auto verdict_is = [&](VerdictKind kind) {
    return [this, kind] { return state(0).volume(VolumeName::trusted("vm1-0"))->verdict.kind == kind; };
  };
  const auto at_rest = [&] {
    for (const std::size_t node : both) {
      for (const SimDrbd::Seen& seen : drbd_->look(node)) {
        if (seen.disk != "UpToDate" || seen.replication != "Established") return false;
      }
    }
    return agreed();
  };
  if (!run_events(at_rest, 300s) && well()) violation("I4: the copies do not become equal in a healthy world");
  if (!well()) return;
  constexpr std::uint64_t block = 3;
  const std::size_t side = anywhere();
  const std::uint64_t good = drbd_->on_disk(side, volume.minor, block);
  drbd_->corrupt(side, volume.minor, block, good + 1'000'000);
  // Without faults: a link lost after the difference was marked sends the good block again.
  if (!insist(anywhere(), "POST", "/v1/verify", {{"all", true}}, "verify of unequal copies")) return;
  if (!run_events(verdict_is(VerdictKind::mismatch), 5s) && well()) violation("a verify did not find a block that was changed behind DRBD's back");
  const Json move = {{"node", node_name(1 - owner())}, {"start_after_migration", true}};
  const std::array<std::pair<std::string, Json>, 2> gated = {{{fmt::format("{}/start", guest_path), Json::object()}, {fmt::format("{}/migrate", guest_path), move}}};
  for (const auto& [target, body] : gated) {
    if (!well()) return;
    const Answer answer = call(anywhere(), "POST", target, body, false);
    // Where several things are in the way the first one gives the code, and each is named.
    const bool is_gated = answer.error && (answer.error->code() == ErrorCode::verify_gate || answer.error->message().find("verify-gate") != std::string::npos);
    if (!is_gated) {
      violation(fmt::format("the gate is open: POST {} with unequal copies: {}", target, answer.error ? answer.error->message() : answer.answered ? "accepted" : "no answer"));
    }
  }
  drbd_->corrupt(side, volume.minor, block, good);
  if (well()) achieve(anywhere(), "POST", "/v1/verify", {{"all", true}}, "verify of equal copies", verdict_is(VerdictKind::clean));
  if (well()) achieve(anywhere(), "POST", fmt::format("{}/start", guest_path), Json::object(), "vm start", [&] { return runs_on(owner()); });
}

void MainJobSchedule::take_down() {
  command(anywhere(), "POST", fmt::format("{}/kill", guest_path), Json::object());
  wait_idle();
  achieve(anywhere(), "DELETE", guest_path, Json(), "vm delete", [&] { return !state(0).vm(guest).ok(); });
  if (!well()) return;
  pass(10s);
  check_configuration();
  look_for_orphans();
  achieve(anywhere(), "DELETE", "/v1/networks/lan", Json(), "network delete", [&] { return !state(0).network(NetworkName::trusted("lan")).ok(); });
  achieve(anywhere(), "DELETE", "/v1/storage/fast", Json(), "storage delete", [&] { return !state(0).pool(PoolName::trusted("fast")).ok(); });
  if (!well()) return;
  check_configuration();
  for (const std::size_t node : both) {
    for (const auto& [name, volume] : machines_[node]->lvm.volumes) violation(fmt::format("I6: orphan {} on {}", name, node_name(node)));
  }
}

ScheduleReport MainJobSchedule::run(std::uint64_t seed) {
  for (const std::size_t node : both) start_daemon(node);
  for (const std::size_t node : both) prepare(node);
  // Storage and networks may be there before the second node is: the join brings them along.
  const bool early = chance().one_in(2);
  if (early && well()) add_pool(0);
  if (early && well()) add_network(0);
  if (well()) join();
  if (!early && well()) add_pool(anywhere());
  if (well()) {
    const auto enabled = [&] { return state(0).setting("drbd") == "enabled"; };
    achieve(anywhere(), "POST", "/v1/drbd/enable", Json::object(), "drbd enable", enabled);
  }
  if (!early && well()) add_network(anywhere());
  if (well()) check_configuration();
  if (well()) create_guest();
  if (well()) run_guest();
  // By the seed and not by chance: the seeds that failed once keep their faults.
  if (well() && seed % 7 == 5) close_the_gate();
  if (well()) take_down();
  return finish(rough_ ? "rough" : "job", seed);
}

}  // namespace

ScheduleReport main_job_schedule(std::uint64_t seed, bool print_trace) { return MainJobSchedule(seed, print_trace, false).run(seed); }
ScheduleReport rough_schedule(std::uint64_t seed, bool print_trace) { return MainJobSchedule(seed, print_trace, true).run(seed); }

}  // namespace mcv::sim

// SPDX-License-Identifier: Apache-2.0
// Both daemons whole, over the machine models. The auditor looks after every event.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "daemon/node/node.h"
#include "daemon/routes/api.h"
#include "engine/run.h"
#include "world/schedule.h"
#include "world/secret_watch.h"
#include "world/sim_host.h"
#include "world/sim_log.h"
#include "world/sim_machine.h"
#include "world/sim_processes.h"

namespace mcv::sim {

/// Not the default: a path that somebody wrote by hand shows.
inline constexpr const char* state_directory = "/srv/mcv";

std::string node_name(std::size_t node);
std::string node_address(std::size_t node);

/// What a package brings.
struct Build {
  std::string version = "sim";
  Abilities abilities = {};
};

/// What stands before each action of a daemon, if anything.
using WrapAction = decltype(NodeSettings::wrap_action);

/// One life of a whole daemon, from its start to its crash.
struct NodeLife {
  NodeLife(Scheduler& scheduler, NodeDisk& disk, SimCorosync& corosync, SimPeerWorld& network, SimMachine& machine, ToolFaults& faults, std::size_t node, Build build, WrapAction wrap_action, Owner owner)
      : processes(scheduler, owner, machine, faults),
        sockets(scheduler, owner, machine),
        parts(scheduler, disk, corosync, network, processes, sockets, node, node_name(node), owner),
        clients(parts.host.executor) {
    NodeSettings settings;
    settings.version = std::move(build.version);
    settings.abilities = std::move(build.abilities);
    settings.state_directory = state_directory;
    settings.wrap_action = std::move(wrap_action);
    settings.on_failure = [this](Error error) { failed = std::move(error); };
    daemon = std::make_unique<Node>(parts.host, std::move(settings));
    api = std::make_unique<Api>(*daemon);
  }
  SimProcesses processes;
  SimSockets sockets;
  SimHost parts;
  std::unique_ptr<Node> daemon;
  std::unique_ptr<Api> api;
  TaskGroup clients;
  std::optional<Error> failed;
  std::shared_ptr<std::optional<Status>> started;
};

/// The models of two machines, the daemons on them, a client, faults, and the auditor. Schedules derive from it.
class NodeWorld {
 public:
  NodeWorld(std::uint64_t seed, bool print);
  ~NodeWorld();

 protected:
  static constexpr std::array<std::size_t, 2> both = {0, 1};

  struct Answer {
    std::optional<Error> error;
    Json body;
    bool answered = false;
    bool ok() const { return answered && !error; }
  };

  Chance& chance() { return scheduler_.chance(); }
  bool up(std::size_t node) const { return lives_[node] != nullptr; }
  Node& daemon(std::size_t node) { return *lives_[node]->daemon; }
  bool well() const { return report_.violations.empty(); }
  void violation(std::string text);

  void start_daemon(std::size_t node);
  void end_daemon(std::size_t node);
  void power_cut(std::size_t node);
  void power_off(std::size_t node);
  void power_on(std::size_t node);
  /// systemd starts a daemon that ended.
  void keep_alive();
  void keep_alive(std::size_t node);
  void end_faults();
  /// I1 and the state of both machines; runs after every event.
  void audit();
  template <typename Condition>
  bool run_events(Condition condition, Time limit) {
    return scheduler_.run_until(
        [&] {
          audit();
          return condition() || !well();
        },
        limit);
  }
  void pass(Time time);
  /// Until the next fault, or until there is nothing left to disturb.
  template <typename Condition>
  void wait_for_fault(Condition over, std::uint64_t least_ms, std::uint64_t most_ms) {
    if (!faults_at_events_) {
      run_events(over, std::chrono::milliseconds(chance().between(least_ms, most_ms)));
      return;
    }
    std::uint64_t events = chance().below(chance().one_in(3) ? 1000 : 100);
    run_events([&] { return over() || events-- == 0; }, std::chrono::seconds(60));
  }

  Answer call(std::size_t node, const std::string& method, const std::string& target, const Json& body, bool with_faults);
  /// The call and, when it is long work, its end. True when it succeeded.
  bool command(std::size_t node, const std::string& method, const std::string& target, const Json& body, bool with_faults = false);
  /// In a healthy world a command works, at the latest when what was disturbed has settled.
  bool insist(std::size_t node, const std::string& method, const std::string& target, const Json& body, const char* what);
  bool set_up_pair();
  void maybe_fault();
  void begin_fault(const char* name, std::size_t node);
  /// What a network, a clock, a disk and a system do besides: one-way links, late requests, steps of the clock, fsyncs that fail,
  /// slow tools, corosync or the kernel's helper killed.
  void rough_fault(std::size_t node, bool one_is_off);
  void end_rough_faults();
  void heal();
  /// The same on one node, while the other one is off.
  void heal_node(std::size_t node);
  /// Operations that need a person are retried, as one would.
  void wait_idle();
  /// What happened is looked at on both nodes; the answers are held against the contract of the API (call()).
  void look_as_an_operator();
  /// Nothing of any VM may be left on either machine.
  void look_for_orphans();
  void check_configuration();
  /// Figures and trace of the run.
  ScheduleReport finish(const char* kind, std::uint64_t seed);

  Scheduler scheduler_;
  SimLog log_{scheduler_};
  SimCorosync corosync_;
  SimPeerWorld network_;
  std::array<NodeDisk, 2> disks_;
  SecretWatch secrets_{{&disks_[0].files, &disks_[1].files}, std::string(state_directory) + "/secrets.json"};
  std::array<std::unique_ptr<SimMachine>, 2> machines_;
  std::unique_ptr<SimDrbd> drbd_;
  ToolFaults tool_faults_;
  std::array<Build, 2> builds_;  ///< of the daemon that is installed
  WrapAction wrap_action_;  ///< of the daemons that are started from now on
  std::array<std::unique_ptr<NodeLife>, 2> lives_;
  ScheduleReport report_;
  std::string fault_ = "none";
  std::string in_flight_;          ///< the request that a fault meets before it is answered
  std::set<std::size_t> resets_;   ///< nodes that reset themselves and are to boot again
  /// A person said of a living node that it is off: its guest may execute, with every write held, until it hears of that.
  bool false_word_ = false;
  bool rough_ = false;             ///< those faults, too
  bool helpers_lost_ = false;      ///< the programs the kernel calls are killed
  bool faults_at_events_ = false;  ///< after some events, so between any two steps; else after some time
  std::map<std::string, std::map<std::uint64_t, std::uint64_t>> acknowledged_;  ///< VM -> block -> value
  /// A person accepted a copy that may be older, on this node: the guest's disk is that one, and what the other copy has more is
  /// kept apart. Only the policy run-alone comes to this.
  std::map<std::string, std::size_t> accepted_on_;
  std::map<std::string, std::map<std::uint64_t, std::uint64_t>> other_lineage_;
  std::string may_run_twice_;  ///< ... by a false word: until the nodes meet it executes twice, each time on a copy of its own

 private:
  void run_helper(std::size_t node, const std::string& resource, SimDrbd::ExitCode done);
  void connect_helper(std::size_t node, VolumeName volume, std::function<void(int)> once, Time until, std::function<bool()> same_kernel);
  void notice_end(Owner life, std::function<void(int)> once, Time until);
  void audit_open(SimMachine& machine, SimVmm& vmm);
  void watch_secrets();
};

}  // namespace mcv::sim

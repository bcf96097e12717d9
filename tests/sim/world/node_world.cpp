// SPDX-License-Identifier: Apache-2.0
#include "world/node_world.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "storage/drbd/helper/fence_protocol.h"
#include "storage/drbd/resource_file.h"
#include "world/api_contract.h"

namespace mcv::sim {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

std::string node_name(std::size_t node) { return node == 0 ? "A" : "B"; }
std::string node_address(std::size_t node) { return fmt::format("10.0.0.{}", node + 1); }

NodeWorld::~NodeWorld() {
  for (const std::size_t node : both) end_daemon(node);
}

void NodeWorld::violation(std::string text) {
  scheduler_.say("VIOLATION " + text);
  if (report_.violations.size() < 10) report_.violations.push_back(std::move(text));
}

void NodeWorld::pass(Time time) {
  run_events([] { return false; }, time);
}

NodeWorld::NodeWorld(std::uint64_t seed, bool print) : scheduler_(seed), corosync_(scheduler_), network_(scheduler_) {
  scheduler_.trace().set_print(print);
  if (chance().one_in(2)) scheduler_.set_order(Scheduler::Order::first_come);
  std::array<SimDrbd::Node, 2> drbd_nodes;
  for (const std::size_t node : both) {
    FileDisk& files = disks_[node].files;
    machines_[node] = std::make_unique<SimMachine>(scheduler_, node, node_name(node), files, corosync_);
    SimMachine& machine = *machines_[node];
    machine.lvm.groups["vg0"] = std::uint64_t{20} << 30;
    SimLink uplink;
    uplink.up = true;
    uplink.address = node_address(node);
    machine.links["eth0"] = uplink;
    files.put("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nmcv-guest:x:998:998::/nonexistent:/usr/sbin/nologin\n", true);
    files.put("/usr/bin/qemu-system-x86_64", "binary", true);
    files.put("/usr/lib/mcv/mcv-drbd-helper", "binary", true);
    files.put("/boot/vmlinuz", "kernel", true);
    files.put("/boot/initrd", "initramfs", true);
    machine.on_acknowledged = [this, node](const std::string& vm, std::uint64_t block, std::uint64_t value) {
      const auto accepted = accepted_on_.find(vm);
      const bool is_other = accepted != accepted_on_.end() && accepted->second != node;
      (is_other ? other_lineage_ : acknowledged_)[vm][block] = value;
    };
    // From within an event of its own daemon: the power goes a moment later, and comes back with the next look.
    machine.on_reset = [this, node](SimMachine&) {
      scheduler_.after(0, 1ms, [this, node]() {
        if (!machines_[node]->powered()) return;
        scheduler_.say("reset of " + node_name(node));
        power_off(node);
        resets_.insert(node);
      });
    };
    machine.on_open = [this](SimMachine& where, SimVmm& vmm) { audit_open(where, vmm); };
    drbd_nodes[node] = SimDrbd::Node{&machine.lvm, &files, node_name(node)};
  }
  drbd_ = std::make_unique<SimDrbd>(scheduler_, drbd_nodes);
  for (const std::size_t node : both) machines_[node]->attach(*drbd_);
  drbd_->fence_peer = [this](std::size_t node, const std::string& resource, SimDrbd::ExitCode done) { run_helper(node, resource, std::move(done)); };
  watch_secrets();
  tool_faults_.seen = [this](const host::Argv& argv, const std::string& fault) {
    secrets_.heard("a command line of " + argv.front(), host::to_shell_line(argv));
    if (fault == "ok") return;
    std::string tool = argv.front();
    if ((tool == "drbdadm" || tool == "drbdsetup" || tool == "systemctl") && argv.size() > 1) tool += " " + (tool == "drbdadm" && argv.size() > 3 ? argv[3] : argv[1]);
    ++report_.covered[fmt::format("{} × {}", tool, fault)];
  };
}

boost::asio::awaitable<void> answer_kernel(Node& node, VolumeName volume, std::function<void(int)> done) {
  const authority::FenceAnswer answer = co_await node.consents.answer_kernel(std::move(volume));
  done(static_cast<int>(answer));
}

/// mcv-drbd-helper: looks for a daemon for some seconds, and gives up after its bound, whatever became of that daemon.
void NodeWorld::run_helper(std::size_t node, const std::string& resource, SimDrbd::ExitCode done) {
  const auto volume = drbd::volume_of_resource(resource);
  if (!volume.ok()) return done(1);
  auto told = std::make_shared<bool>(false);
  std::function<void(int)> once = [told, done = std::move(done)](int code) {
    if (std::exchange(*told, true)) return;
    done(code);
  };
  const std::uint64_t boots = machines_[node]->boots();
  const auto same_kernel = [this, node, boots] { return machines_[node]->powered() && machines_[node]->boots() == boots; };
  if (helpers_lost_) {
    // Killed: the kernel hears of a program that did not say anything.
    scheduler_.after(0, 1s, [once, same_kernel]() {
      if (same_kernel()) once(1);
    });
    return;
  }
  scheduler_.after(0, drbd::fence::answer_bound, [once, same_kernel]() {
    if (same_kernel()) once(1);
  });
  connect_helper(node, *volume, once, scheduler_.now() + Time(drbd::fence::connect_bound), same_kernel);
}

void NodeWorld::connect_helper(std::size_t node, VolumeName volume, std::function<void(int)> once, Time until, std::function<bool()> same_kernel) {
  if (!same_kernel()) return;
  if (up(node) && lives_[node]->started && lives_[node]->started->has_value()) {
    // From the daemon to the kernel: a process ends in between.
    std::function<void(int)> told = [this, once](int code) { scheduler_.after(0, 1ms, [once, code]() { once(code); }); };
    lives_[node]->clients.spawn(answer_kernel(daemon(node), std::move(volume), std::move(told)));
    notice_end(lives_[node]->parts.owner, once, scheduler_.now() + Time(drbd::fence::answer_bound));
    return;
  }
  if (scheduler_.now() >= until) return once(1);
  scheduler_.after(0, 100ms, [this, node, volume, once, until, same_kernel]() { connect_helper(node, volume, once, until, same_kernel); });
}

/// A daemon that ends closes what it was asked on: no answer.
void NodeWorld::notice_end(Owner life, std::function<void(int)> once, Time until) {
  if (!scheduler_.alive(life)) return once(1);
  if (scheduler_.now() < until) scheduler_.after(0, 500ms, [this, life, once, until]() { notice_end(life, once, until); });
}

void NodeWorld::start_daemon(std::size_t node) {
  scheduler_.say("mcvd starts on " + node_name(node));
  lives_[node] = std::make_unique<NodeLife>(scheduler_, disks_[node], corosync_, network_, *machines_[node], tool_faults_, node, builds_[node], wrap_action_, scheduler_.new_owner());
  NodeLife& life = *lives_[node];
  log_.name(life.parts.owner, node_name(node));
  life.started = start(life.clients, life.daemon->start());
  run_events([&] { return life.started->has_value(); }, 300s);
  if (life.started->has_value() && !(*life.started)->ok()) {
    scheduler_.say(fmt::format("mcvd on {} cannot start: {}", node_name(node), (*life.started)->error().message()));
    life.failed = (*life.started)->error();
  }
}

void NodeWorld::end_daemon(std::size_t node) {
  if (!lives_[node]) return;
  scheduler_.say("mcvd ends on " + node_name(node));
  scheduler_.drop(lives_[node]->parts.owner);
  lives_[node].reset();
}

void NodeWorld::power_cut(std::size_t node) {
  power_off(node);
  pass(milliseconds(chance().between(500, 20'000)));
  power_on(node);
}

void NodeWorld::power_off(std::size_t node) {
  end_daemon(node);
  machines_[node]->power_off();
  network_.powered_off.insert(node_address(node));
}

void NodeWorld::power_on(std::size_t node) {
  disks_[node].booted = scheduler_.now();
  machines_[node]->boot();
  network_.powered_off.erase(node_address(node));
  if (disks_[node].files.there("/etc/corosync/corosync.conf")) corosync_.start(node);
  start_daemon(node);
}

void NodeWorld::keep_alive() {
  for (const std::size_t node : both) keep_alive(node);
}

void NodeWorld::keep_alive(std::size_t node) {
  if (resets_.erase(node) != 0) power_on(node);
  for (int tries = 0; tries < 5 && machines_[node]->powered() && (!up(node) || lives_[node]->failed); ++tries) {
    end_daemon(node);
    pass(1s);
    start_daemon(node);
  }
}

void NodeWorld::watch_secrets() {
  log_.on_line = [this](std::string_view line) { secrets_.heard("the log", line); };
  for (const std::size_t node : both) {
    disks_[node].files.on_write = [this](const std::string& path, const std::string& text, unsigned mode) { secrets_.written(path, text, mode); };
    disks_[node].store.on_commit = [this](const host::StoreBatch& batch) {
      for (const host::StoreBatch::Put& put : batch.puts) secrets_.heard("table " + put.table + " of the store", put.value);
    };
  }
}

void NodeWorld::audit() {
  if (auto found = secrets_.finding()) violation(std::move(*found));
  std::map<std::string, int> executing;
  for (const std::size_t node : both) {
    for (const auto& [unit, vmm] : machines_[node]->vmms) {
      if (vmm->executes() && !(false_word_ && machines_[node]->held(*vmm))) ++executing[vmm->vm];
    }
  }
  for (const auto& [vm, count] : executing) {
    if (count > 1 && vm != may_run_twice_) violation("I1: " + vm + " executes twice");
  }
  std::set<std::string> primary;
  for (const SimDrbd::Seen& seen : drbd_->look(0)) {
    const bool has_two = !may_run_twice_.empty() && seen.resource == "mcv-" + may_run_twice_ + "-0";
    if (seen.primary && !has_two && !(false_word_ && seen.held)) primary.insert(seen.resource);
  }
  for (const SimDrbd::Seen& seen : drbd_->look(1)) {
    if (seen.primary && !(false_word_ && seen.held) && primary.count(seen.resource) != 0) violation("I1: " + seen.resource + " is Primary on both nodes");
  }
}

/// I2: whoever opens the disk finds every write its guest was told is there.
void NodeWorld::audit_open(SimMachine& machine, SimVmm& vmm) {
  const auto accepted = accepted_on_.find(vmm.vm);
  const bool is_other = accepted != accepted_on_.end() && node_name(accepted->second) != machine.name();
  for (const auto& [block, value] : (is_other ? other_lineage_ : acknowledged_)[vmm.vm]) {
    if (machine.read(vmm, block) < value) {
      violation(fmt::format("I2: {} starts on {} without the acknowledged write {} to block {} (it has {})", vmm.vm, machine.name(), value, block, machine.read(vmm, block)));
      return;
    }
  }
}

boost::asio::awaitable<api::ApiReply> ask(Api& api, api::ApiCall call, std::string target) { co_return co_await api.answer(std::move(call), std::move(target)); }

NodeWorld::Answer NodeWorld::call(std::size_t node, const std::string& method, const std::string& target, const Json& body, bool with_faults) {
  Answer answer;
  if (!up(node) || !lives_[node]->started->has_value()) return answer;
  api::ApiCall request;
  request.method = method;
  request.path = target;
  if (!body.is_null()) request.body = body.dump();
  request.caller.uid = 0;
  scheduler_.say(fmt::format("client on {}: {} {}", node_name(node), method, target));
  const Owner life = lives_[node]->parts.owner;
  const auto reply = start(lives_[node]->clients, ask(*lives_[node]->api, std::move(request), target));
  if (with_faults) {
    wait_for_fault([&] { return reply->has_value(); }, 0, 2999);
    in_flight_ = fmt::format("{} {}", method, target);
    if (!reply->has_value()) maybe_fault();
    in_flight_.clear();
  }
  run_events([&] { return reply->has_value() || !scheduler_.alive(life); }, 300s);
  if (!reply->has_value()) {
    if (scheduler_.alive(life) && report_.violations.empty()) violation(fmt::format("I4: {} {} does not answer within five minutes", method, target));
    return answer;
  }
  answer.answered = true;
  for (const std::string& text : ApiContract::get().check(method, target, body, **reply)) violation(fmt::format("contract of the API: {} {}: {}", method, target, text));
  if (const auto* error = std::get_if<Error>(&**reply)) {
    answer.error = *error;
    scheduler_.say(fmt::format("  refused: {}: {}", to_text(error->code()), error->message()));
  }
  if (auto json = api::document_of(**reply)) answer.body = std::move(json->body);
  secrets_.heard(fmt::format("the answer to {} {}", method, target), answer.error ? answer.error->to_text() : answer.body.dump());
  return answer;
}

bool NodeWorld::command(std::size_t node, const std::string& method, const std::string& target, const Json& body, bool with_faults) {
  const Answer answer = call(node, method, target, body, with_faults);
  const bool began = answer.ok() && answer.body.is_object() && answer.body.contains("operation");
  if (!began) {
    // What was refused or done at once leaves a healthy world behind like everything else.
    if (with_faults) heal();
    return answer.ok();
  }
  const std::string id = answer.body["operation"].value("id", "");
  const std::size_t coordinator = id.starts_with("A-") ? 0 : 1;
  const auto state_of = [&]() -> std::string {
    if (!up(coordinator)) return "";
    const auto view = daemon(coordinator).operations.get(OperationId::trusted(id));
    if (!view.ok()) return "";
    return view->outcome ? std::string(to_text(*view->outcome)) : "running";
  };
  const auto ended = [&] { return !state_of().empty() && state_of() != "running"; };
  for (int round = 0; round < 12 && !ended() && report_.violations.empty(); ++round) {
    if (with_faults) wait_for_fault(ended, 100, 8000);
    else run_events(ended, 120s);
    if (ended() || !with_faults) break;
    maybe_fault();
    keep_alive();
  }
  if (with_faults) heal();
  // A write that was under way may still fail now: systemd starts that daemon, too.
  const auto has_failed = [&] { return (up(0) && lives_[0]->failed) || (up(1) && lives_[1]->failed); };
  for (int rounds = 0; rounds < 5 && well(); ++rounds) {
    run_events([&] { return ended() || has_failed(); }, 900s);
    if (ended() || !has_failed()) break;
    keep_alive();
  }
  const std::string state = state_of();
  scheduler_.say(fmt::format("  {} {}: {}", id, target, state.empty() ? "unknown" : state));
  const std::string kind = answer.body["operation"].value("kind", "?");
  ++report_.covered[fmt::format("{} {} × {}", kind, state.empty() ? "unknown" : state, fault_)];
  if (up(coordinator)) {
    const auto view = daemon(coordinator).operations.get(OperationId::trusted(id));
    if (view.ok() && view->error) scheduler_.say("    " + view->error->message());
    if (view.ok() && !view->final()) violation(fmt::format("I4: {} ({}) does not end after the faults healed: {}", id, kind, view->progress));
  }
  return state == "succeeded";
}

bool NodeWorld::insist(std::size_t node, const std::string& method, const std::string& target, const Json& body, const char* what) {
  for (int tries = 0; tries < 6 && report_.violations.empty(); ++tries) {
    if (command(node, method, target, body)) return true;
    pass(20s);
    keep_alive();
  }
  violation(fmt::format("{} does not work in a healthy world", what));
  return false;
}

/// Two daemons, a cluster with storage, replication and a network.
bool NodeWorld::set_up_pair() {
  for (const std::size_t node : both) start_daemon(node);
  for (const std::size_t node : both) {
    if (!command(node, "POST", "/v1/node/init", {{"all", true}})) return false;
    if (!command(node, "PUT", "/v1/node/addresses", {{"cluster_address", node_address(node)}})) return false;
  }
  const Answer invited = call(1, "POST", "/v1/cluster/connect-string", Json::object(), false);
  if (!invited.ok()) return false;
  const std::string text = invited.body.value("connect_string", "");
  if (!command(0, "POST", "/v1/cluster/add-node", {{"connect_string", text}, {"check_only", false}})) return false;
  return command(0, "POST", "/v1/storage", {{"name", "fast"}, {"vg", "vg0"}, {"thin", true}}) && command(0, "POST", "/v1/drbd/enable", Json::object()) &&
         command(0, "POST", "/v1/networks", {{"name", "lan"}, {"bridge", "br0"}});
}

void NodeWorld::begin_fault(const char* name, std::size_t node) {
  fault_ = name;
  scheduler_.say(fmt::format("FAULT {} ({})", name, node_name(node)));
  if (!in_flight_.empty()) ++report_.covered[fmt::format("{} × {}", in_flight_, name)];
  for (const std::size_t side : both) {
    if (!up(side)) continue;
    for (const OperationView& view : daemon(side).operations.list()) {
      if (view.final()) continue;
      for (const StepView& step : view.steps) {
        if (step.state == StepState::running) ++report_.covered[fmt::format("{}{} × {}", step.action, view.progress == "undoing" ? " undo" : "", name)];
      }
    }
  }
}

void NodeWorld::maybe_fault() {
  if (!chance().percent(70)) return;
  std::size_t node = chance().below(2);
  const bool one_is_off = !machines_[0]->powered() || !machines_[1]->powered();
  if (one_is_off) node = machines_[0]->powered() ? 0 : 1;
  if (rough_ && chance().percent(60)) return rough_fault(node, one_is_off);
  const auto begin = [&](const char* name) { begin_fault(name, node); };
  switch (chance().below(10)) {
    case 0:
    case 1:
    case 2:
      begin("daemon crash");
      end_daemon(node);
      pass(milliseconds(chance().below(4000)));
      start_daemon(node);
      return;
    case 3:
      begin("tools fail");
      tool_faults_.fail_percent = 15;
      return;
    case 4:
      begin("tools hang");
      tool_faults_.hang_percent = 8;
      return;
    case 5:
      begin("peer link loses");
      network_.refuse_percent = 10;
      network_.lose_request_percent = 10;
      network_.lose_answer_percent = 10;
      return;
    case 6:
      if (one_is_off) return;
      begin("cluster link cut");
      network_.cut = true;
      corosync_.cut();
      pass(milliseconds(chance().between(100, 10'000)));
      network_.cut = false;
      corosync_.heal();
      return;
    case 7:
      if (one_is_off) return;
      begin("replication link cut");
      drbd_->cut();
      pass(milliseconds(chance().between(100, 10'000)));
      drbd_->heal();
      return;
    case 8:
      begin("power cut");
      power_cut(node);
      return;
    case 9:
      begin("disk full");
      disks_[node].store.full = true;
      disks_[node].files.full = chance().one_in(2);
      return;
  }
}

void NodeWorld::heal() {
  end_faults();
  keep_alive();
}

void NodeWorld::heal_node(std::size_t node) {
  end_faults();
  keep_alive(node);
}

void NodeWorld::end_faults() {
  scheduler_.say("heal");
  tool_faults_.fail_percent = 0;
  tool_faults_.hang_percent = 0;
  network_.refuse_percent = network_.lose_request_percent = network_.lose_answer_percent = 0;
  for (NodeDisk& disk : disks_) {
    disk.store.full = false;
    disk.files.full = false;
  }
  if (rough_) end_rough_faults();
}

void NodeWorld::wait_idle() {
  const auto idle = [&] {
    return up(0) && up(1) && daemon(0).operations.running() + daemon(1).operations.running() == 0;
  };
  std::string failed;
  for (int tries = 0; tries < 5 && report_.violations.empty(); ++tries) {
    if (!run_events(idle, 1800s)) {
      std::string which;
      for (const std::size_t node : both) {
        if (!up(node)) continue;
        const Link link = daemon(node).shared.link();
        which += fmt::format("; {} is {} {}", node_name(node), to_text(link.state), link.reason);
        for (const OperationView& view : daemon(node).operations.list()) {
          if (!view.final()) which += fmt::format("; {} ({}): {}", view.id.str(), view.kind, view.progress);
        }
      }
      violation("I6: an operation does not end after the faults healed" + which);
      return;
    }
    failed.clear();
    for (const std::size_t node : both) {
      for (const OperationView& view : daemon(node).operations.list()) {
        if (view.outcome != OperationOutcome::failed) continue;
        const std::string why = view.error ? view.error->message() : "";
        scheduler_.say(fmt::format("retry {}: {}", view.id.str(), why));
        const auto retried = start(lives_[node]->clients, daemon(node).operations.retry(view.id));
        run_events([&] { return retried->has_value(); }, 60s);
        if (retried->has_value() && (*retried)->ok()) failed = fmt::format("{} ({}): {}", view.id.str(), view.kind, why);
      }
    }
    if (failed.empty()) return look_as_an_operator();
  }
  if (well()) violation("I6: an operation fails again and again in a healthy world: " + failed);
}

void NodeWorld::look_as_an_operator() {
  for (const std::size_t node : both) {
    for (const char* target : {"/v1/operations", "/v1/info", "/v1/vms"}) {
      const Answer answer = call(node, "GET", target, Json(), false);
      if (answer.error) violation(fmt::format("GET {} on {}: {}", target, node_name(node), answer.error->message()));
    }
  }
  // One may have failed meanwhile, by a commit that was begun before the faults ended: systemd starts it again.
  for (const std::size_t node : both) {
    if (up(node) && lives_[node]->failed) keep_alive(node);
  }
}

void NodeWorld::look_for_orphans() {
  for (const std::size_t node : both) {
    for (const auto& [name, volume] : machines_[node]->lvm.volumes) {
      if (!volume.thin_pool) violation(fmt::format("I6: orphan logical volume {} on {}", name, node_name(node)));
    }
    for (const SimDrbd::Seen& seen : drbd_->look(node)) violation(fmt::format("I6: orphan DRBD resource {} on {}", seen.resource, node_name(node)));
    for (const auto& [path, file] : disks_[node].files.files) {
      const bool is_of_a_vm = (path.starts_with("/run/mcv/vm/") || path.starts_with("/run/mcv/runs/")) && path != "/run/mcv/vm/." && path != "/run/mcv/runs/.";
      if (path.ends_with(".res") || is_of_a_vm) violation(fmt::format("I6: orphan {} on {}", path, node_name(node)));
    }
    for (const auto& [name, link] : machines_[node]->links) {
      if (link.tap) violation(fmt::format("I6: orphan tap {} on {}", name, node_name(node)));
    }
    for (const auto& [unit, state] : machines_[node]->units) violation(fmt::format("I6: orphan service {} on {}", unit, node_name(node)));
  }
}

void NodeWorld::check_configuration() {
  const auto together = [&] {
    return up(0) && up(1) && daemon(0).shared.link().state == LinkState::together && daemon(1).shared.link().state == LinkState::together;
  };
  for (int tries = 0; tries < 3; ++tries) {
    if (!run_events(together, 300s)) {
      if (report_.violations.empty()) violation("I3: the nodes do not come together: " + daemon(0).shared.link().reason);
      return;
    }
    pass(5s);
    if (together()) break;
    // A daemon may fail after the faults ended, by a commit that was begun before: systemd starts it again.
    keep_alive();
  }
  if (!(daemon(0).shared.position() == daemon(1).shared.position()) || daemon(0).shared.current().hash() != daemon(1).shared.current().hash()) {
    violation("I3: the configurations differ after the heal");
  }
}

ScheduleReport NodeWorld::finish(const char* kind, std::uint64_t seed) {
  report_.seed = seed;
  report_.kind = kind;
  report_.events = scheduler_.steps();
  report_.trace.assign(scheduler_.trace().last().begin(), scheduler_.trace().last().end());
  report_.trace_hash = scheduler_.trace().hash();
  return report_;
}

}  // namespace mcv::sim

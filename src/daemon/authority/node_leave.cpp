// SPDX-License-Identifier: Apache-2.0
#include "daemon/authority/node_leave.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "cluster/plans/vm_plans.h"
#include "daemon/node/node.h"
#include "storage/drbd/volume_life.h"

namespace mcv {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// Together less than hvctl waits, which is less than the unit's TimeoutStopSec (docs/operations.md has the sum).
constexpr std::uint32_t guest_patience_seconds = 60;   ///< then its power is cut
constexpr host::Duration guests_bound = 100s;
constexpr host::Duration starts_bound = 15s;
constexpr host::Duration demote_bound = 15s;
constexpr host::Duration down_bound = 25s;
constexpr host::Duration demote_patience = 8s;
constexpr std::chrono::milliseconds contact_bound = 5s;
/// An operation that holds a VM longer waits for something.
constexpr host::Duration holder_patience = 5s;
constexpr host::Duration leave_pause = 500ms;
constexpr std::chrono::milliseconds systemd_bound = 10s;

}  // namespace

/// Work on several objects at a time, which one bound ends the wait for.
struct NodeLeave::Phase {
  explicit Phase(asio::any_io_executor executor) : changed(std::move(executor)) {}
  std::size_t running = 0;
  host::Wakeup changed;

  static Ticket enter(std::shared_ptr<Phase> phase) {
    ++phase->running;
    return Ticket(nullptr, [phase](void*) {
      --phase->running;
      phase->changed.notify();
    });
  }
};

NodeLeave::NodeLeave(Node& node) : node_(node), starts_(std::make_shared<Phase>(node.host.executor)), changed_(node.host.executor) {}

void NodeLeave::say(std::string line) {
  spdlog::info("leave: {}", line);
  report_.lines.push_back(std::move(line));
}

bool NodeLeave::keeps_closed() const {
  if (leaving_) return true;
  const authority::Standpoint now = node_.authority.standpoint();
  const authority::Leave* leave = now.own_leave.standing();
  return leave != nullptr && leave->boot == now.boot;
}

Result<NodeLeave::Ticket> NodeLeave::begin(const std::string& what, bool is_replicated) {
  if (node_.departure.is_passive()) return node_.departure.refusal();
  if (leaving_) {
    return Error(ErrorCode::no_authority, fmt::format("{}: {} is being shut down and leaves", what, node_.self().str()))
        .with_safe("nothing was started or opened here")
        .with_next("hvctl info on the other node");
  }
  if (is_replicated) {
    MCV_CHECK(authority::may_open_replicated(node_.authority.standpoint(), what));
  }
  return Phase::enter(starts_);
}

asio::awaitable<Status> NodeLeave::check_shutting_down() {
  host::Command ask;
  ask.argv = {"systemctl", "is-system-running"};
  ask.deadline = systemd_bound;
  MCV_CO_TRY(const host::ProcessResult done, co_await node_.host.processes.run(std::move(ask)));
  if (done.out.starts_with("stopping")) co_return success();
  const std::string word = done.out.substr(0, done.out.find('\n'));
  co_return Error(ErrorCode::not_confirmed, fmt::format("{} leaves only while its machine is being shut down, and systemd says that it is {}", node_.self().str(), word.empty() ? "in an unknown state" : word))
      .with_safe("nothing was stopped, nobody was told")
      .with_next("systemctl reboot, or systemctl poweroff: the node then leaves by itself");
}

asio::awaitable<Result<NodeLeave::Report>> NodeLeave::run() {
  MCV_CO_CHECK(co_await check_shutting_down());
  while (under_way_) co_await changed_.wait();
  if (report_.left) co_return report_;
  leaving_ = true;
  under_way_ = true;
  report_ = Report{};
  // In a task of its own: a client that goes away does not stop it.
  node_.tasks.spawn(do_it());
  while (under_way_) co_await changed_.wait();
  co_return report_;
}

asio::awaitable<void> NodeLeave::do_it() {
  std::shared_ptr<void> ended(nullptr, [this](void*) {
    under_way_ = false;
    changed_.notify();
  });
  const host::Instant until = node_.host.clock.now() + guests_bound;
  co_await stop_guests(until);
  const bool none_starts = co_await wait_for(starts_, starts_bound);
  if (!none_starts) say("a start or an opening here has not ended in time");
  // One that was on its way when the door was closed, on the other node's behalf.
  co_await stop_guests(until);
  co_await for_all_volumes(&NodeLeave::demote, demote_bound);
  // A daemon that was killed in the middle and started again needs a moment to be in contact.
  const LinkState link = node_.shared.link().state;
  if (link == LinkState::apart || link == LinkState::syncing) static_cast<void>(co_await node_.shared.wait_together(contact_bound));
  co_await consent();
  // With or without it: a leg that goes down in order is outdated by the kernels themselves, and the other one writes on.
  co_await for_all_volumes(&NodeLeave::take_down, down_bound);
  say(report_.left ? "done" : "done, without the other node's word");
}

asio::awaitable<bool> NodeLeave::wait_for(std::shared_ptr<Phase> phase, host::Duration bound) {
  const host::Instant deadline = node_.host.clock.now() + bound;
  while (phase->running != 0) {
    const host::Instant now = node_.host.clock.now();
    if (now >= deadline) co_return false;
    co_await phase->changed.wait_for(node_.host.clock, deadline - now);
  }
  co_return true;
}

// --- guests ------------------------------------------------------------------------------------------------

/// Unknown counts: a silent monitor does not prove that nothing runs.
bool NodeLeave::stands(const VmName& vm) const {
  const auto all = node_.guests.facts();
  const auto found = all.find(vm.str());
  return found != all.end() && found->second.state != RunState::stopped;
}

asio::awaitable<void> NodeLeave::stop_guests(host::Instant until) {
  const auto phase = std::make_shared<Phase>(node_.host.executor);
  std::vector<VmName> running;
  for (const VmRecord& vm : node_.shared.current().vms()) {
    // One that an operation is about to start counts: the operation meets the closed door, or its guest is stopped.
    const bool is_held = node_.operations.holder_of("vm/" + vm.name.str()).has_value();
    if (stands(vm.name) || (is_held && vm.owner == node_.self())) running.push_back(vm.name);
  }
  if (running.empty()) co_return;
  for (const VmName& vm : running) node_.tasks.spawn(stop_guest(vm, until, Phase::enter(phase)));
  const bool all_stopped = co_await wait_for(phase, until - node_.host.clock.now());
  std::vector<std::string> names;
  for (const VmName& vm : running) names.push_back(vm.str());
  say(fmt::format("{}: {}", fmt::join(names, ", "), all_stopped ? "stopped" : "not stopped in time"));
}

/// By operations like any other, so that nothing overlaps and a crash is gone on from.
asio::awaitable<void> NodeLeave::stop_guest(VmName vm, host::Instant until, Ticket) {
  const std::string object = "vm/" + vm.str();
  std::optional<OperationId> met;   // the operation that holds the VM, and since when
  host::Instant met_at{};
  bool was_asked = false;
  while (node_.host.clock.now() < until) {
    const std::optional<OperationId> holder = node_.operations.holder_of(object);
    if (!holder && !stands(vm)) co_return;
    if (holder) {
      if (holder != met) met_at = node_.host.clock.now();
      met = holder;
      // It waits for the guest, perhaps for ever: none of that goes on here.
      if (node_.host.clock.now() - met_at > holder_patience) {
        const Status cancelled = co_await node_.operations.cancel(*holder);
        static_cast<void>(cancelled.ok());
      }
      co_await node_.host.clock.sleep_for(leave_pause);
      continue;
    }
    if (was_asked) say(fmt::format("{} does not react to its power button: its power is cut", vm.str()));
    const std::optional<std::uint32_t> patience = was_asked ? std::nullopt : std::optional<std::uint32_t>(guest_patience_seconds);
    auto plan = plans::stop_for_leave(node_.shared.current(), vm, node_.self(), patience);
    if (!plan.ok()) co_return say(fmt::format("{}: {}", vm.str(), plan.error().message()));
    auto submitted = co_await node_.operations.submit(std::move(*plan));
    if (!submitted.ok()) {
      co_await node_.host.clock.sleep_for(leave_pause);
      continue;
    }
    was_asked = true;
    const OperationId id = *submitted;
    const auto ended = co_await node_.operations.wait_end(id);
    if (ended.ok() && ended->error) spdlog::warn("leave: {}: {}", vm.str(), ended->error->message());
  }
}

// --- disks -------------------------------------------------------------------------------------------------

asio::awaitable<void> NodeLeave::for_all_volumes(EachVolume each, host::Duration bound) {
  const auto phase = std::make_shared<Phase>(node_.host.executor);
  const std::vector<VolumeRecord> volumes = node_.shared.current().volumes();
  for (const VolumeRecord& volume : volumes) {
    if (volume.kind == VolumeKind::drbd) node_.tasks.spawn((this->*each)(volume.name, Phase::enter(phase)));
  }
  const bool ended = co_await wait_for(phase, bound);
  if (!ended) say("not every replicated disk could be closed in time");
}

asio::awaitable<void> NodeLeave::demote(VolumeName volume, Ticket) {
  const Status closed = co_await drbd::ensure_secondary(node_.host, node_.drbd, volume, demote_patience);
  if (!closed.ok()) say(fmt::format("{} stays open: {}", volume.str(), closed.error().message()));
}

asio::awaitable<void> NodeLeave::take_down(VolumeName volume, Ticket) {
  co_await node_.leave_down(volume);
  const Status down = co_await drbd::ensure_down(node_.host, node_.drbd, volume);
  if (!down.ok()) say(fmt::format("{} is not taken down: {}", volume.str(), down.error().message()));
}

// --- the other node ----------------------------------------------------------------------------------------

/// What speaks against saying that this node left; nothing: it may be said.
std::optional<std::string> NodeLeave::obstacle() const {
  const ClusterState& state = node_.shared.current();
  const Link link = node_.shared.link();
  if (!state.is_cluster()) return "there is no other node to tell";
  if (link.state != LinkState::together) return fmt::format("{} is not told: {}", link.peer, link.reason.empty() ? "the nodes are not in contact" : link.reason);
  if (authority::has_left(state, NodeName::trusted(link.peer))) return fmt::format("{} is not told: it left itself and is not back yet", link.peer);
  if (starts_->running != 0) return fmt::format("{} is not told: a start or an opening here has not ended", link.peer);
  if (state.setting("drbd") == "enabled" && !node_.drbd.complete()) return fmt::format("{} is not told: what DRBD does here is not known", link.peer);
  for (const VmRecord& vm : state.vms()) {
    if (stands(vm.name)) return fmt::format("{} is not told: {} has not ended here", link.peer, vm.name.str());
  }
  const std::map<std::string, VolumeFacts> volumes = node_.drbd.volumes();
  for (const auto& [name, facts] : volumes) {
    if (facts.role != DiskRole::secondary) return fmt::format("{} is not told: {} is still open here", link.peer, name);
  }
  return std::nullopt;
}

/// The record of this very leave, from before a crash or new: durable here before anybody hears of it.
asio::awaitable<Result<authority::Leave>> NodeLeave::write_down() {
  MCV_CO_TRY(const std::string boot, co_await node_.authority.boot());
  authority::Leave leave;
  leave.id = node_.host.random.uuid();
  leave.boot = boot;
  leave.wall_seconds = node_.host.clock.wall_seconds();
  leave.volumes = authority::may_be_left(node_.authority.standpoint(), node_.shared.current(), node_.drbd.volumes());
  Json body = leave.to_json();
  auto written = co_await node_.records.append(authority::leave_kind, std::move(body));
  if (!written.ok()) co_return std::move(written).error();
  co_return leave;
}

asio::awaitable<void> NodeLeave::consent() {
  if (const auto why_not = obstacle()) co_return say(*why_not);
  const NodeName peer = NodeName::trusted(node_.shared.link().peer);
  const authority::Standpoint now = node_.authority.standpoint();
  const authority::Leave* earlier = now.own_leave.standing();
  if (earlier != nullptr && earlier->boot != now.boot) {
    co_return say(fmt::format("{} is not told anew: this node left before and is not back yet, so nothing replicated was open here", peer.str()));
  }
  Result<authority::Leave> leave = Error(ErrorCode::not_found, "this node did not leave yet");
  if (earlier != nullptr) leave = *earlier;
  else leave = co_await write_down();
  if (!leave.ok()) co_return say(fmt::format("{} is not told: {}", peer.str(), leave.error().message()));
  Change change = authority::left_change(node_.self(), peer, *leave);
  auto said = co_await node_.shared.propose(std::move(change));
  report_.left = said.ok() && authority::has_left(node_.shared.current(), node_.self());
  if (report_.left) co_return say(fmt::format("{} knows that this node left, and may go on", peer.str()));
  if (said.ok()) co_return say(fmt::format("{} knew that this node left, and that is over", peer.str()));
  say(fmt::format("whether {} knows that this node left: {}", peer.str(), said.error().message()));
  // Refused for certain, and never said before: then it binds nobody. Otherwise it binds this node until both are in contact.
  const bool is_certain = said.error().code() != ErrorCode::outcome_unknown;
  if (earlier != nullptr || !is_certain) co_return;
  Json body = authority::leave_returned_to_json(leave->id, "refused: " + said.error().message());
  auto ended = co_await node_.records.append(authority::leave_ended_kind, std::move(body));
  if (!ended.ok()) say(fmt::format("this node starts nothing replicated until both are in contact: {}", ended.error().message()));
}

}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
// guest.*: the VMM of one VM on this node, with its taps.
#include <algorithm>
#include <fmt/format.h>

#include "daemon/actions/actions.h"
#include "daemon/node/node.h"
#include "hv/start_checks.h"
#include "hv/vm_launch.h"
#include "migrate/offline_planner.h"
#include "net/bridge.h"
#include "net/names.h"
#include "storage/lvm/backing.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

using std::chrono::seconds;

/// A guest that nobody told to stop by a date may run for a year.
constexpr std::uint32_t forever_seconds = 365 * 24 * 3600;

struct GuestParams {
  VmRecord vm;
  std::vector<VolumeRecord> volumes;
  bool gate_overridden = false;
};

Result<GuestParams> guest_params(const StepContext& context) {
  Fields fields(context.params, "guest");
  const Json* vm = fields.object("vm");
  const Json* volumes = fields.array("volumes", false);
  GuestParams params;
  params.gate_overridden = fields.optional_or("gate_overridden", false);
  MCV_CHECK(fields.finish());
  MCV_TRY(params.vm, VmRecord::from_json(*vm));
  if (volumes == nullptr) return params;
  for (const Json& item : *volumes) {
    MCV_TRY(VolumeRecord volume, VolumeRecord::from_json(item));
    params.volumes.push_back(std::move(volume));
  }
  return params;
}

struct NamedGuest {
  VmName vm;
  std::optional<std::uint32_t> timeout_seconds;
};

Result<NamedGuest> named_guest(const StepContext& context) {
  Fields fields(context.params, "guest");
  const auto name = fields.required<std::string>("vm");
  NamedGuest named;
  named.timeout_seconds = fields.optional<std::uint32_t>("timeout_seconds");
  MCV_CHECK(fields.finish());
  MCV_TRY(named.vm, VmName::parse(name));
  return named;
}

Result<migrate::OfflineRequest> offline_request(const StepContext& context) {
  Fields fields(context.params, "migration");
  const auto vm = fields.required<std::string>("vm");
  const auto target = fields.required<std::string>("target");
  migrate::OfflineRequest request;
  request.start_after_migration = fields.required<bool>("start_after_migration");
  MCV_CHECK(fields.finish());
  MCV_TRY(request.vm, VmName::parse(vm));
  MCV_TRY(request.target, NodeName::parse(target));
  return request;
}

Result<hv::VmLaunch> launch_of(Node& node, const GuestParams& params) {
  hv::VmLaunch launch;
  launch.name = params.vm.name;
  launch.uuid = params.vm.uuid;
  launch.cpus = params.vm.cpus;
  launch.memory = params.vm.memory;
  launch.boot = params.vm.boot;
  for (const VolumeRecord& volume : params.volumes) {
    MCV_TRY(const PoolRecord pool, node.shared.current().pool(volume.pool));
    launch.disks.push_back({lvm::guest_path(lvm::pool_on(pool, node.self()), volume), hv::disk_serial(volume.name)});
  }
  for (std::size_t index = 0; index < params.vm.nics.size(); ++index) {
    launch.nics.push_back({net::tap_name(params.vm.name, index), params.vm.nics[index].mac});
  }
  return launch;
}

asio::awaitable<Status> make_taps(Node& node, VmRecord vm) {
  if (vm.nics.empty()) co_return success();
  MCV_CO_TRY(const std::uint32_t owner, co_await node.user_id(node.settings.guests.user));
  for (std::size_t index = 0; index < vm.nics.size(); ++index) {
    MCV_CO_TRY(const NetworkRecord network, node.shared.current().network(vm.nics[index].network));
    net::Tap tap;
    tap.name = net::tap_name(vm.name, index);
    tap.bridge = network.bridge;
    tap.owner = owner;
    MCV_CO_CHECK(co_await net::ensure_tap(node.host, std::move(tap)));
  }
  co_return success();
}

asio::awaitable<Status> remove_taps(Node& node, VmRecord vm) {
  for (std::size_t index = 0; index < vm.nics.size(); ++index) {
    std::string tap = net::tap_name(vm.name, index);
    MCV_CO_CHECK(co_await net::remove_tap(node.host, std::move(tap)));
  }
  co_return success();
}

std::vector<std::string> boot_files(const BootRecord& boot) {
  std::vector<std::string> files;
  for (const std::string* path : {&boot.kernel, &boot.initramfs, &boot.firmware}) {
    if (!path->empty()) files.push_back(*path);
  }
  return files;
}

/// A start that was let through, until the guest manager shows its VMM.
class StartGrant {
 public:
  StartGrant(std::shared_ptr<std::multiset<VmName>> all, const VmName& vm) : all_(std::move(all)), place_(all_->insert(vm)) {}
  ~StartGrant() { all_->erase(place_); }
  StartGrant(const StartGrant&) = delete;
  StartGrant& operator=(const StartGrant&) = delete;

 private:
  std::shared_ptr<std::multiset<VmName>> all_;
  std::multiset<VmName>::iterator place_;
};

/// Two starts were planned at the same time, each when the other did not count yet. Here they are one after the other: from
/// the look at who runs to the grant nothing else gets the loop.
Result<std::shared_ptr<StartGrant>> grant_start(const Node& node, const GuestParams& params, NodeFacts here) {
  here.vms = node.guests.facts();
  for (const VmName& other : *node.starting) {
    VmFacts& facts = here.vms[other.str()];
    if (other != params.vm.name && facts.state == RunState::stopped) facts.state = RunState::starting;
  }
  hv::StartQuestion question{.state = node.shared.current(), .vm = params.vm, .here = here, .is_suspect = node.verify_gate.suspects()};
  question.override_verify_gate = params.gate_overridden;
  MCV_CHECK(hv::to_status(params.vm.name, hv::last_checks(question)));
  return std::make_shared<StartGrant>(node.starting, params.vm.name);
}

asio::awaitable<Result<Json>> start(Node& node, StepContext context) {
  MCV_CO_TRY(GuestParams params, guest_params(context));
  const bool is_replicated = std::any_of(params.volumes.begin(), params.volumes.end(), [](const VolumeRecord& volume) { return volume.kind == VolumeKind::drbd; });
  MCV_CO_TRY(const NodeLeave::Ticket ticket, node.leave.begin(params.vm.name.str() + " is not started", is_replicated));
  // A plan made before this node was away may be older than the other one's decision to take the VM over.
  const bool owns = co_await node.wait_until_owner(params.vm.name, seconds(10));
  if (!owns) {
    co_return Error(ErrorCode::start_refused, fmt::format("{} does not belong to {} any more", params.vm.name.str(), node.self().str()))
        .with_safe("it was not started here")
        .with_next(fmt::format("hvctl vm start {}", params.vm.name.str()));
  }
  // As it is now: whoever waited for a shutdown may have changed it meanwhile.
  MCV_CO_TRY(params.vm, node.shared.current().vm(params.vm.name));
  std::shared_ptr<StartGrant> grant;
  // One that runs already was granted it, in an earlier life of this daemon or of this step.
  if (node.guests.facts(params.vm.name).state == RunState::stopped) {
    Look wanted;
    wanted.files = boot_files(params.vm.boot);
    MCV_CO_TRY(NodeFacts here, co_await node.observer.look(std::move(wanted)));
    MCV_CO_TRY(grant, grant_start(node, params, std::move(here)));
  }
  MCV_CO_TRY(hv::VmLaunch launch, launch_of(node, params));
  // A plan promotes before this step; the node may have rebooted since, and this step be repeated.
  for (const VolumeRecord& volume : params.volumes) {
    MCV_CO_CHECK(co_await promote(node, volume));
  }
  MCV_CO_CHECK(co_await make_taps(node, params.vm));
  MCV_CO_CHECK(co_await node.guests.start(std::move(launch), params.vm.hypervisor));
  const VmFacts facts = node.guests.facts(params.vm.name);
  Json result = {{"node", node.self().str()}, {"hypervisor", facts.hypervisor}};
  co_return result;
}

asio::awaitable<Status> undo_start(Node& node, StepContext context) {
  MCV_CO_TRY(const GuestParams params, guest_params(context));
  MCV_CO_CHECK(co_await node.guests.kill(params.vm.name));
  co_return co_await remove_taps(node, params.vm);
}

asio::awaitable<Result<Json>> stop(Node& node, StepContext context) {
  MCV_CO_TRY(const NamedGuest guest, named_guest(context));
  const host::Duration at_most = seconds(guest.timeout_seconds.value_or(90));
  MCV_CO_CHECK(co_await node.guests.stop(guest.vm, at_most));
  co_return Json();
}

asio::awaitable<Result<Json>> kill(Node& node, StepContext context) {
  MCV_CO_TRY(const NamedGuest guest, named_guest(context));
  MCV_CO_CHECK(co_await node.guests.kill(guest.vm));
  co_return Json();
}

asio::awaitable<Result<Json>> reset(Node& node, StepContext context) {
  MCV_CO_TRY(const NamedGuest guest, named_guest(context));
  MCV_CO_CHECK(co_await node.guests.reset(guest.vm));
  co_return Json();
}

/// In slices, so that a cancelled migration stops waiting soon.
asio::awaitable<Result<Json>> wait_stopped(Node& node, StepContext context) {
  MCV_CO_TRY(const NamedGuest guest, named_guest(context));
  const VmName vm = guest.vm;
  const host::Instant deadline = node.host.clock.now() + seconds(guest.timeout_seconds.value_or(forever_seconds));
  context.progress(std::nullopt, fmt::format("waiting until {} is shut down from inside", vm.str()));
  while (true) {
    if (context.interrupted()) co_return Error(ErrorCode::cancelled, "the operation was cancelled").with_safe(fmt::format("{} runs on", vm.str()));
    auto stopped = co_await node.guests.wait_stopped(vm, seconds(1));
    if (stopped.ok()) co_return Json();
    if (stopped.error().code() != ErrorCode::timed_out) co_return std::move(stopped).error();
    if (node.host.clock.now() >= deadline) {
      co_return Error(ErrorCode::guest_still_running, fmt::format("{} was not shut down in time", vm.str()))
          .with_safe(fmt::format("{} runs on where it was; nothing was moved", vm.str()))
          .with_next(fmt::format("shut it down inside, or: hvctl vm stop {}", vm.str()));
    }
  }
}

asio::awaitable<Result<Json>> release(Node& node, StepContext context) {
  MCV_CO_TRY(const GuestParams params, guest_params(context));
  MCV_CO_CHECK(co_await remove_taps(node, params.vm));
  co_return Json();
}

asio::awaitable<Result<Json>> forget(Node& node, StepContext context) {
  MCV_CO_TRY(const NamedGuest guest, named_guest(context));
  MCV_CO_CHECK(co_await node.guests.forget(guest.vm));
  co_return Json();
}

asio::awaitable<Result<Json>> recheck(Node& node, StepContext context) {
  MCV_CO_TRY(const migrate::OfflineRequest request, offline_request(context));
  MCV_CO_TRY(const VmRecord record, node.shared.current().vm(request.vm));
  Look wanted;
  wanted.files = boot_files(record.boot);
  const plans::Facts facts = co_await node.look_everywhere(std::move(wanted));
  const auto source = facts.find(node.self().str());
  if (source == facts.end()) co_return Error(ErrorCode::internal, "this node cannot look at itself");
  const auto target = facts.find(request.target.str());
  migrate::OfflineQuestion question{node.shared.current(), request, source->second, target == facts.end() ? nullptr : &target->second, node.verify_gate.suspects()};
  const auto refusals = migrate::offline_refusals(question);
  if (!refusals.empty()) co_return migrate::to_error(request, refusals);
  co_return Json();
}

}  // namespace

void add_guest_actions(Node& node) {
  add_action(node, "guest.start", {start, undo_start, never_asked});
  add_action(node, "guest.stop", {stop, nothing_to_undo, never_asked});
  add_action(node, "guest.kill", {kill, nothing_to_undo, never_asked});
  add_action(node, "guest.reset", {reset, nothing_to_undo, never_asked});
  add_action(node, "guest.wait_stopped", {wait_stopped, nothing_to_undo, never_asked});
  add_action(node, "guest.release", {release, nothing_to_undo, never_asked});
  add_action(node, "guest.forget", {forget, nothing_to_undo, never_asked});
  add_action(node, "migrate.recheck", {recheck, nothing_to_undo, never_asked});
}

}  // namespace mcv

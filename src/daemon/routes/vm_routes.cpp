// SPDX-License-Identifier: Apache-2.0
// /v1/vms. Operations on a VM are coordinated by its owner, so that one node's locks order them all.
#include <fmt/format.h>
#include <set>
#include <spdlog/spdlog.h>

#include "cluster/authority/takeover.h"
#include "cluster/plans/convert_plan.h"
#include "daemon/node/node.h"
#include "daemon/routes/api.h"
#include "daemon/routes/console_stream.h"
#include "daemon/routes/forward.h"
#include "daemon/routes/judge.h"
#include "daemon/routes/views.h"
#include "hv/start_checks.h"
#include "migrate/offline_planner.h"
#include "net/names.h"
#include "storage/drbd/repair.h"

namespace mcv::routes {

namespace asio = boost::asio;

namespace {

Result<VmRecord> vm_of(const Node& node, const api::ApiCall& call) {
  MCV_TRY(const VmName name, VmName::parse(call.param("name")));
  return node.shared.current().vm(name);
}

std::vector<std::string> boot_files(const BootRecord& boot) {
  std::vector<std::string> paths;
  for (const std::string* path : {&boot.kernel, &boot.initramfs, &boot.firmware}) {
    if (!path->empty()) paths.push_back(*path);
  }
  return paths;
}

/// What would be done: run_plan answers, and refuses a query that says neither.
bool only_asks(const api::ApiCall& call) {
  const auto dry_run = call.flag("dry_run");
  return dry_run.ok() && *dry_run;
}

/// "?view=brief".
Result<bool> wants_brief(const api::ApiCall& call) {
  MCV_CHECK(call.only_query({"view"}));
  const auto view = call.query.find("view");
  if (view == call.query.end()) return false;
  if (view->second != "brief") return Error(ErrorCode::bad_request, "view must be brief, or absent");
  return true;
}

asio::awaitable<api::ApiReply> list(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const bool brief, wants_brief(call));
  Look wanted;
  const plans::Facts facts = co_await node.look_everywhere(std::move(wanted));
  const access::Sight sight = sight_of(node, call, Permission::vm_list);
  api::TextReply text;
  text.json = brief ? views::brief_vms(node, facts, sight) : views::vms(node, facts, sight);
  co_return text;
}

asio::awaitable<api::ApiReply> show(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({}));
  MCV_CO_TRY(const VmRecord vm, vm_of(node, call));
  Look wanted;
  const plans::Facts facts = co_await node.look_everywhere(std::move(wanted));
  co_return api::reply(views::vm(node, vm, facts));
}

Result<plans::VmIdentity> new_identity(Node& node, std::size_t nics) {
  std::set<std::string> taken;
  for (const VmRecord& vm : node.shared.current().vms()) {
    for (const NicRecord& nic : vm.nics) taken.insert(nic.mac);
  }
  plans::VmIdentity identity;
  identity.uuid = node.host.random.uuid();
  identity.wall_seconds = node.host.clock.wall_seconds();
  for (std::size_t index = 0; index < nics; ++index) {
    MCV_TRY(const std::string mac, net::new_mac(node.host.random, taken));
    identity.macs.push_back(mac);
    taken.insert(mac);
  }
  return identity;
}

asio::awaitable<api::ApiReply> create(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(node.own_record());
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::CreateVm request, requests::create_vm(body));
  if (!boot_files(request.boot).empty()) {
    MCV_CO_CHECK(require(node, call, Permission::vm_boot_files, access::Scope::cluster()));
  }
  Look wanted;
  wanted.files = boot_files(request.boot);
  wanted.volume_groups = !request.disks.empty();
  MCV_CO_TRY(const plans::Facts facts, co_await node.look_to_change(std::move(wanted)));
  MCV_CO_TRY(const plans::VmIdentity identity, new_identity(node, request.networks.size()));
  auto plan = plans::create_vm(node.shared.current(), facts, node.self(), request, identity);
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

asio::awaitable<api::ApiReply> update(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const VmRecord vm, vm_of(node, call));
  MCV_CO_TRY(const Json body, call.json({"lock"}));
  MCV_CO_TRY(const requests::UpdateVm request, requests::update_vm(body));
  if (request.boot) {
    MCV_CO_TRY(const BootRecord after, requests::changed(vm.boot, *request.boot));
    if (boot_files(after) != boot_files(vm.boot)) {
      MCV_CO_CHECK(require(node, call, Permission::vm_boot_files, access::Scope::vm(vm.name)));
    }
  }
  const plans::Updater by{api::who(call.caller), node.host.clock.wall_seconds()};
  if (plans::breaks_lock(vm, request, by.user)) {
    MCV_CO_CHECK(require(node, call, Permission::vm_break_lock, access::Scope::vm(vm.name)));
  }
  auto mutation = plans::update_vm(node.shared.current(), vm.name, request, by);
  std::string summary = plans::update_summary(vm, request);
  co_return co_await run_change(node, std::move(call), std::move(summary), std::move(mutation));
}

/// What this node has of a VM's disks, told apart from everything else by DRBD's generations. One that is not attached is left out.
asio::awaitable<plans::AbsentNode> own_copies(Node& node, VmRecord vm, NodeName absent_name) {
  plans::AbsentNode absent;
  absent.name = std::move(absent_name);
  absent.wall_seconds = node.host.clock.wall_seconds();
  for (const VolumeRecord& volume : node.shared.current().volumes_of(vm)) {
    if (volume.kind != VolumeKind::drbd) continue;
    auto generations = co_await drbd::generations_of(node.host, node.drbd, volume.name);
    if (generations.ok()) absent.generations[volume.name] = std::move(*generations);
  }
  co_return absent;
}

asio::awaitable<api::ApiReply> remove(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_TRY(const VmRecord vm, vm_of(node, call));
  const bool decides_alone = authority::may_act_alone(node.authority.standpoint());
  if (vm.owner != node.self() && !decides_alone) co_return co_await forward(node, vm.owner, std::move(call), PeerClient::patient);
  Look wanted;
  MCV_CO_TRY(const plans::Facts facts, co_await node.look_to_change(std::move(wanted)));
  if (vm.owner != node.self() && facts.contains(vm.owner.str())) co_return co_await forward(node, vm.owner, std::move(call), PeerClient::patient);
  const auto peer = node.peer_record();
  std::optional<plans::AbsentNode> absent;
  if (peer && decides_alone && !facts.contains(peer->name.str())) absent = co_await own_copies(node, vm, peer->name);
  auto plan = plans::delete_vm(node.shared.current(), facts, vm.name, absent);
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

asio::awaitable<api::ApiReply> change_storage_type(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const VmRecord vm, vm_of(node, call));
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const VolumeKind kind, requests::storage_type(body));
  if (vm.owner != node.self()) co_return co_await forward(node, vm.owner, std::move(call), PeerClient::patient);
  Look wanted;
  wanted.volume_groups = true;
  wanted.room = true;
  MCV_CO_TRY(const plans::Facts facts, co_await node.look_to_change(std::move(wanted)));
  plans::ConvertQuestion question{node.shared.current(), facts, vm, kind, node.verify_gate.suspects()};
  Result<Plan> plan = plans::convert_vm(question);
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

Status may_start(const Node& node, const VmRecord& vm, const plans::Facts& facts, bool override_gate, bool takes_over = false) {
  const auto here = facts.find(node.self().str());
  if (here == facts.end()) return Error(ErrorCode::internal, "this node cannot look at itself").with_next("journalctl -u mcvd");
  const auto peer = node.peer_record();
  const auto there = peer ? facts.find(peer->name.str()) : facts.end();
  hv::StartQuestion question{.state = node.shared.current(), .vm = vm, .here = here->second, .is_suspect = node.verify_gate.suspects()};
  question.peer = there == facts.end() ? nullptr : &there->second;
  question.override_verify_gate = override_gate;
  question.takes_over = takes_over;
  const authority::Standpoint now = node.authority.standpoint();
  question.is_fresh_alone = [&now, &here](const VolumeName& volume) {
    const auto seen = here->second.volumes.find(volume.str());
    const bool decides = authority::may_act_alone(now) || authority::authority_over_peer(now) == authority::Authority::single;
    return decides && seen != here->second.volumes.end() && authority::freshness(now, volume, &seen->second) == authority::Freshness::fresh;
  };
  return hv::to_status(vm.name, hv::start_checks(question));
}

/// The volumes whose verdict would stop a start, for people; empty when none would.
std::string closed_gate(const Node& node, const VmRecord& vm) {
  std::string names;
  for (const VolumeRecord& volume : node.shared.current().volumes_of(vm)) {
    if (volume.verdict.kind != VerdictKind::mismatch && !node.verify_gate.is_suspect(volume.name)) continue;
    names += (names.empty() ? "" : ", ") + volume.name.str();
  }
  return names;
}

plans::GateRule gate_rule(const requests::StartVm& request) { return request.override_reason ? plans::GateRule::overridden : plans::GateRule::holds; }

/// Who lifted the gate, and why. Nobody did who only asks what would be done.
void note_override(const VmRecord& vm, const api::ApiCall& call, const requests::StartVm& request) {
  if (!request.override_reason || only_asks(call)) return;
  spdlog::warn("verify gate of {} overridden by {}: {}", vm.name.str(), api::who(call.caller), *request.override_reason);
  if (call.audit) call.audit->text = fmt::format("whatever the verify said, because: {}", *request.override_reason);
}

/// The owner was confirmed down: typed here, the VM becomes this node's.
asio::awaitable<api::ApiReply> take_over(Node& node, api::ApiCall call, VmRecord vm, requests::StartVm request) {
  const bool answers = co_await node.authority.peer_answers();
  const authority::Standpoint now = node.authority.standpoint();
  const std::map<std::string, VolumeFacts> volumes = node.drbd.volumes();
  const authority::TakeOverQuestion question{now, node.shared.current(), vm, volumes, answers};
  MCV_CO_CHECK(authority::may_take_over(question));
  Look wanted;
  wanted.files = boot_files(vm.boot);
  MCV_CO_TRY(NodeFacts here, co_await node.observer.look(std::move(wanted)));
  plans::Facts facts;
  facts[node.self().str()] = std::move(here);
  MCV_CO_CHECK(may_start(node, vm, facts, request.override_reason.has_value(), /*takes_over=*/true));
  note_override(vm, call, request);
  if (!only_asks(call)) spdlog::warn("{} is taken over from {}, asked by {}", vm.name.str(), vm.owner.str(), api::who(call.caller));
  auto plan = plans::take_over_vm(node.shared.current(), vm.name, node.self(), gate_rule(request));
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

asio::awaitable<api::ApiReply> start(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const VmRecord vm, vm_of(node, call));
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::StartVm request, requests::start_vm(body));
  if (request.override_reason) {
    MCV_CO_CHECK(require(node, call, Permission::vm_override_verify, access::Scope::vm(vm.name)));
  }
  const bool alone = node.shared.link().state == LinkState::alone;
  if (vm.owner != node.self() && alone) co_return co_await take_over(node, std::move(call), vm, request);
  if (vm.owner != node.self()) co_return co_await forward(node, vm.owner, std::move(call), PeerClient::patient);
  if (node.guests.facts(vm.name).state == RunState::running) {
    co_return Error(ErrorCode::guest_running, fmt::format("{} runs already", vm.name.str())).with_safe("it goes on").with_next(fmt::format("hvctl vm console {}", vm.name.str()));
  }
  MCV_CO_CHECK(authority::may_start_alone(node.authority.standpoint(), node.shared.current(), vm, node.drbd.volumes()));
  Look wanted;
  wanted.files = boot_files(vm.boot);
  const plans::Facts facts = co_await node.look_everywhere(std::move(wanted));
  MCV_CO_CHECK(may_start(node, vm, facts, request.override_reason.has_value()));
  MCV_CO_CHECK(still_may(node, call));
  note_override(vm, call, request);
  auto plan = plans::start_vm(node.shared.current(), vm.name, gate_rule(request));
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

asio::awaitable<api::ApiReply> stop(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const VmRecord vm, vm_of(node, call));
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::StopVm request, requests::stop_vm(body));
  if (vm.owner != node.self()) co_return co_await forward(node, vm.owner, std::move(call), PeerClient::patient);
  auto plan = plans::stop_vm(node.shared.current(), vm.name, request);
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

asio::awaitable<api::ApiReply> kill(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_TRY(const VmRecord vm, vm_of(node, call));
  if (vm.owner != node.self()) co_return co_await forward(node, vm.owner, std::move(call), PeerClient::patient);
  auto plan = plans::kill_vm(node.shared.current(), vm.name);
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

asio::awaitable<api::ApiReply> reset(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.no_fields());
  MCV_CO_TRY(const VmRecord vm, vm_of(node, call));
  if (vm.owner != node.self()) co_return co_await forward(node, vm.owner, std::move(call), PeerClient::patient);
  // The same guest on the same copy, where it was last Primary: not gated, and not silent.
  const std::string closed = closed_gate(node, vm);
  if (!closed.empty() && !only_asks(call)) {
    spdlog::warn("alarm: {} is restarted in place by {} although the copies of {} differ or may differ; next: hvctl resync {}, then hvctl verify {}", vm.name.str(), api::who(call.caller), closed,
                 vm.name.str(), vm.name.str());
  }
  auto plan = plans::reset_vm(node.shared.current(), vm.name);
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

asio::awaitable<api::ApiReply> migrate(Node& node, api::ApiCall call) {
  MCV_CO_TRY(const VmRecord vm, vm_of(node, call));
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::MigrateVm asked, requests::migrate_vm(body));
  if (vm.owner != node.self()) co_return co_await forward(node, vm.owner, std::move(call), PeerClient::patient);
  Look wanted;
  wanted.files = boot_files(vm.boot);
  const plans::Facts facts = co_await node.look_everywhere(std::move(wanted));
  const auto source = facts.find(node.self().str());
  if (source == facts.end()) co_return Error(ErrorCode::internal, "this node cannot look at itself").with_next("journalctl -u mcvd");
  const auto target = facts.find(asked.node.str());
  migrate::OfflineRequest request;
  request.vm = vm.name;
  request.target = asked.node;
  request.wait_for_shutdown = asked.wait_for_shutdown;
  request.timeout_seconds = asked.timeout_seconds;
  request.start_after_migration = asked.start_after_migration;
  migrate::OfflineQuestion question{node.shared.current(), request, source->second, target == facts.end() ? nullptr : &target->second, node.verify_gate.suspects()};
  auto plan = migrate::plan_offline(question);
  co_return co_await run_plan(node, std::move(call), std::move(plan));
}

asio::awaitable<api::ApiReply> console(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({"replay"}));
  MCV_CO_TRY(const auto replay, call.number("replay", 0, 16 << 20));
  MCV_CO_TRY(const VmRecord vm, vm_of(node, call));
  MCV_CO_CHECK(check_lock(vm, VmUse::console));
  if (call.upgrade != console_protocol) {
    co_return Error(ErrorCode::bad_request, fmt::format("the console needs a client that upgrades to {}", console_protocol)).with_next("hvctl vm console NAME");
  }
  if (vm.owner != node.self()) {
    api::ApiCall sent = call;
    MCV_CO_TRY(auto stream, co_await forward_stream(node, vm.owner, std::move(sent)));
    co_return api::ApiReply(while_allowed(node, call, forwarded_console(vm.owner, std::move(stream))));
  }
  co_return api::ApiReply(while_allowed(node, call, open_console(node, vm.name, replay.value_or(64 * 1024))));
}

}  // namespace

void add_vm_routes(api::Router& router, Node& node) {
  add(router, node, "GET", "/v1/vms", Permission::vm_list, Reach::some, list);
  add(router, node, "POST", "/v1/vms", Permission::vm_create, Reach::cluster, create);
  add(router, node, "GET", "/v1/vms/{name}", Permission::vm_show, Reach::vm, show);
  add(router, node, "PATCH", "/v1/vms/{name}", Permission::vm_update, Reach::vm, update);
  add(router, node, "DELETE", "/v1/vms/{name}", Permission::vm_delete, Reach::vm, remove);
  add(router, node, "POST", "/v1/vms/{name}/storage-type", Permission::vm_update, Reach::vm, change_storage_type);
  add(router, node, "POST", "/v1/vms/{name}/start", Permission::vm_start, Reach::vm, start);
  add(router, node, "POST", "/v1/vms/{name}/stop", Permission::vm_stop, Reach::vm, stop);
  add(router, node, "POST", "/v1/vms/{name}/kill", Permission::vm_kill, Reach::vm, kill);
  add(router, node, "POST", "/v1/vms/{name}/reset", Permission::vm_reset, Reach::vm, reset);
  add(router, node, "POST", "/v1/vms/{name}/migrate", Permission::vm_migrate, Reach::vm, migrate);
  add(router, node, "GET", "/v1/vms/{name}/console", Permission::vm_console, Reach::vm, console);
}

}  // namespace mcv::routes

// SPDX-License-Identifier: Apache-2.0
// resync.*: one side of a volume is copied over the other (docs/adr/0013).
#include <algorithm>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cluster/core/json_value.h"
#include "cluster/plans/steps.h"
#include "daemon/actions/actions.h"
#include "daemon/node/node.h"
#include "storage/drbd/repair.h"
#include "storage/drbd/volume_life.h"
#include "storage/lvm/snapshot.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

using plans::ResyncLeg;
using std::chrono::seconds;

Result<ResyncLeg> leg_of(const StepContext& context) { return ResyncLeg::from_json(context.params); }

Result<lvm::Pool> pool_of(const Node& node, const VolumeRecord& volume) {
  MCV_TRY(const PoolRecord pool, node.shared.current().pool(volume.pool));
  return lvm::pool_on(pool, node.self());
}

/// Nothing of a leg is in the kernel after a power cut: who repairs it needs it there.
asio::awaitable<Status> ensure_there(Node& node, VolumeRecord volume) {
  if (!node.drbd.complete()) {
    drbd::Condition known = [](const drbd::ResourceFacts*) { return true; };
    MCV_CO_CHECK(co_await node.ensure_drbd());
    MCV_CO_TRY(const drbd::ResourceFacts ignored, co_await node.drbd.wait_until(volume.name, std::move(known), seconds(10), "known"));
    static_cast<void>(ignored);
  }
  if (node.drbd.find(volume.name) != nullptr) co_return success();
  MCV_CO_CHECK(co_await node.ensure_drbd());
  const Status up = co_await node.bring_up(volume);
  co_return up;
}

bool guest_is_stopped(const Node& node, const VmName& vm) { return node.guests.facts(vm).state == RunState::stopped; }

// --- snapshot ----------------------------------------------------------------------------------------------

asio::awaitable<Result<Json>> snapshot(Node& node, StepContext context) {
  MCV_CO_TRY(const ResyncLeg leg, leg_of(context));
  lvm::SnapshotSpec spec;
  MCV_CO_TRY(spec.pool, pool_of(node, leg.volume));
  spec.volume = leg.volume.name;
  spec.operation = context.operation;
  spec.after = stamp_of(node.shared.position());
  spec.wall_seconds = node.host.clock.wall_seconds();
  spec.overwritten = leg.overwritten.value_or(leg.full ? leg.volume.size : Bytes::kib(leg.marked_kib));
  const std::string name = lvm::snapshot_name(context.operation, leg.volume.name);
  MCV_CO_CHECK(co_await lvm::ensure_snapshot(node.host, std::move(spec)));
  Json result = {{"snapshot", name}};
  co_return result;
}

/// Kept where a crash of the source let the kernel copy all the same: fewer blocks are marked than there were.
asio::awaitable<Status> undo_snapshot(Node& node, StepContext context) {
  MCV_CO_TRY(const ResyncLeg leg, leg_of(context));
  MCV_CO_TRY(lvm::Pool pool, pool_of(node, leg.volume));
  const drbd::ResourceFacts* now = node.drbd.complete() ? node.drbd.find(leg.volume.name) : nullptr;
  const bool as_it_was = now != nullptr && now->facts.redundant() && now->facts.out_of_sync_kib >= leg.marked_kib;
  if (!as_it_was && leg.marked_kib > 0) {
    spdlog::warn("{}: {} is kept: whether the copy here was written to meanwhile is not known", leg.volume.name.str(), lvm::snapshot_name(context.operation, leg.volume.name));
    co_return success();
  }
  const Status removed = co_await lvm::remove_snapshot_of(node.host, std::move(pool), leg.volume.name, context.operation);
  co_return removed;
}

// --- source ------------------------------------------------------------------------------------------------

/// As the plan saw it, or not at all. Opening it is also what keeps the other side from being opened meanwhile.
Status check_source(const ResyncLeg& leg, const VolumeFacts& now) {
  const std::string& name = leg.volume.name.str();
  if (now.peer_role == DiskRole::primary) {
    return Error(ErrorCode::peer_is_primary, fmt::format("{} is in use on {} by now", name, leg.target.str())).with_safe("neither copy was touched").with_next("hvctl drbd list");
  }
  if (!now.redundant() || now.replication != ReplicationState::established || now.suspended.held()) {
    return Error(ErrorCode::not_up_to_date, fmt::format("{} is not a pair at rest any more: {} here, {} there, {}", name, to_text(now.disk), to_text(now.peer_disk), to_text(now.replication)))
        .with_safe("neither copy was touched")
        .with_next("hvctl drbd list");
  }
  return success();
}

asio::awaitable<Result<Json>> source(Node& node, StepContext context) {
  MCV_CO_TRY(const ResyncLeg leg, leg_of(context));
  MCV_CO_CHECK(co_await ensure_there(node, leg.volume));
  MCV_CO_CHECK(co_await drbd::wait_connected(node.drbd, leg.volume.name, seconds(10)));
  const drbd::ResourceFacts* seen = node.drbd.find(leg.volume.name);
  if (seen == nullptr) co_return Error(ErrorCode::not_found, fmt::format("{} is not in the kernel of {}", leg.volume.name.str(), node.self().str())).with_next("hvctl drbd list");
  MCV_CO_CHECK(check_source(leg, seen->facts));
  MCV_CO_TRY(const std::string generation, co_await drbd::generation_of(node.host, node.drbd, leg.volume.name));
  MCV_CO_CHECK(co_await promote(node, leg.volume));
  Json result = {{"generation", generation}};
  co_return result;
}

/// A guest that runs has it open, and had so before.
asio::awaitable<Status> close_source(Node& node, ResyncLeg leg) {
  if (!guest_is_stopped(node, leg.volume.vm)) co_return success();
  const Status closed = co_await drbd::ensure_secondary(node.host, node.drbd, leg.volume.name, seconds(10));
  co_return closed;
}

asio::awaitable<Status> undo_source(Node& node, StepContext context) {
  MCV_CO_TRY(const ResyncLeg leg, leg_of(context));
  const Status closed = co_await close_source(node, leg);
  co_return closed;
}

// --- the point of no return --------------------------------------------------------------------------------

Result<std::string> generation_before(const StepContext& context) {
  Fields fields(context.params, "resync step");
  const auto asked_by = fields.required<std::uint64_t>("asked_by");
  MCV_CHECK(fields.finish_lenient());
  const std::string generation = value_in(context.result_of(asked_by), "generation", "");
  if (generation.empty()) return Error(ErrorCode::store_corrupt, "the step that opened the source left no generation");
  return generation;
}

asio::awaitable<Result<Json>> diverge(Node& node, StepContext context) {
  MCV_CO_TRY(const ResyncLeg leg, leg_of(context));
  MCV_CO_TRY(const std::string before, generation_before(context));
  MCV_CO_CHECK(co_await ensure_there(node, leg.volume));
  MCV_CO_TRY(const std::string now, co_await drbd::generation_of(node.host, node.drbd, leg.volume.name));
  if (now != before) co_return Json();
  // A reboot since the last step closed it; an attempt that was cut off may have left it alone.
  if (!node.authority.must_stay_apart(leg.volume)) {
    MCV_CO_CHECK(co_await drbd::ensure_connecting(node.host, node.drbd, leg.volume.name));
  }
  MCV_CO_CHECK(co_await drbd::wait_connected(node.drbd, leg.volume.name, seconds(30)));
  MCV_CO_CHECK(co_await promote(node, leg.volume));
  MCV_CO_CHECK(co_await drbd::diverge_from_peer(node.host, node.drbd, leg.volume.name, before));
  co_return Json();
}

asio::awaitable<Status> connect_again(Node& node, ResyncLeg leg) {
  if (node.authority.must_stay_apart(leg.volume)) {
    co_return Error(ErrorCode::no_authority, fmt::format("{} stays apart until both nodes agree who decides", leg.volume.name.str())).with_next("hvctl info");
  }
  const Status connecting = co_await drbd::ensure_connecting(node.host, node.drbd, leg.volume.name);
  co_return connecting;
}

asio::awaitable<Status> undo_diverge(Node& node, StepContext context) {
  MCV_CO_TRY(const ResyncLeg leg, leg_of(context));
  MCV_CO_CHECK(co_await ensure_there(node, leg.volume));
  const Status connecting = co_await connect_again(node, leg);
  co_return connecting;
}

asio::awaitable<Result<Landed>> has_diverged(Node& node, StepContext context) {
  MCV_CO_TRY(const ResyncLeg leg, leg_of(context));
  MCV_CO_TRY(const std::string before, generation_before(context));
  MCV_CO_CHECK(co_await ensure_there(node, leg.volume));
  MCV_CO_TRY(const std::string now, co_await drbd::generation_of(node.host, node.drbd, leg.volume.name));
  if (now != before) co_return Landed::yes;
  // While writes are held the kernel waits with the new generation: contact lets them go on with the old one, authority with a new
  // one. One that left the peer for nothing looks for it again.
  const drbd::ResourceFacts* seen = node.drbd.find(leg.volume.name);
  if (seen == nullptr) co_return Landed::not_yet;
  const bool held = seen->facts.suspended.held();
  if (seen->facts.connection != ConnectionState::standalone) co_return held ? Landed::not_yet : Landed::no;
  MCV_CO_CHECK(co_await connect_again(node, leg));
  co_return Landed::not_yet;
}

// --- the copy ----------------------------------------------------------------------------------------------

asio::awaitable<Result<Json>> mark_all(Node& node, StepContext context) {
  MCV_CO_TRY(const ResyncLeg leg, leg_of(context));
  MCV_CO_CHECK(co_await ensure_there(node, leg.volume));
  MCV_CO_CHECK(co_await drbd::mark_all(node.host, node.drbd, leg.volume.name));
  co_return Json();
}

asio::awaitable<Result<Json>> copy(Node& node, StepContext context) {
  MCV_CO_TRY(const ResyncLeg leg, leg_of(context));
  MCV_CO_CHECK(co_await ensure_there(node, leg.volume));
  MCV_CO_CHECK(co_await connect_again(node, leg));
  MCV_CO_CHECK(co_await drbd::wait_copying(node.drbd, leg.volume.name, seconds(60)));
  co_return Json();
}

asio::awaitable<Result<Json>> release(Node& node, StepContext context) {
  MCV_CO_TRY(const ResyncLeg leg, leg_of(context));
  MCV_CO_CHECK(co_await ensure_there(node, leg.volume));
  MCV_CO_CHECK(co_await close_source(node, leg));
  co_return Json();
}

asio::awaitable<Result<Json>> follow(Node& node, StepContext context) {
  Fields fields(context.params, "resync follow");
  const Json* json = fields.object("volume");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_TRY(const VolumeRecord volume, VolumeRecord::from_json(*json));
  drbd::CopyHooks hooks;
  hooks.interrupted = context.interrupted;
  hooks.progress = [progress = context.progress, name = volume.name.str()](const drbd::CopyProgress& now) {
    if (!now.connected) progress(std::nullopt, fmt::format("{}: waiting for the connection between the nodes", name));
    else progress(static_cast<int>(now.percent), fmt::format("copying {}: {} left, {}/s", name, Bytes::kib(now.left_kib).to_text(), Bytes::kib(now.kib_per_second).to_text()));
  };
  MCV_CO_CHECK(co_await drbd::follow_copy(node.host, node.drbd, volume.name, std::move(hooks)));
  co_return Json();
}

asio::awaitable<Result<Json>> summarise(Node&, StepContext context) {
  Fields fields(context.params, "resync summary");
  const Json* legs = fields.array("legs");
  MCV_CO_CHECK(fields.finish());
  Json volumes = Json::array();
  for (const Json& item : *legs) {
    MCV_CO_TRY(const ResyncLeg leg, ResyncLeg::from_json(item));
    volumes.push_back({{"volume", leg.volume.name.str()},
                       {"source", leg.source.str()},
                       {"target", leg.target.str()},
                       {"marked_kib", leg.marked_kib},
                       {"full", leg.full},
                       {"snapshot", lvm::snapshot_name(context.operation, leg.volume.name)}});
  }
  Json summary = {{"volumes", std::move(volumes)}};
  co_return summary;
}

}  // namespace

void add_resync_actions(Node& node) {
  add_action(node, "resync.snapshot", {snapshot, undo_snapshot, never_asked});
  add_action(node, "resync.source", {source, undo_source, never_asked});
  add_action(node, "resync.diverge", {diverge, undo_diverge, has_diverged});
  add_action(node, "resync.mark_all", {mark_all, nothing_to_undo, never_asked});
  add_action(node, "resync.copy", {copy, nothing_to_undo, never_asked});
  add_action(node, "resync.release", {release, nothing_to_undo, never_asked});
  add_action(node, "resync.follow", {follow, nothing_to_undo, never_asked});
  add_action(node, "resync.summary", {summarise, nothing_to_undo, never_asked});
}

}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
// volume.*: one volume's leg on this node.
#include <algorithm>
#include <fmt/format.h>

#include "cluster/authority/takeover.h"
#include "cluster/core/json_value.h"
#include "daemon/actions/actions.h"
#include "daemon/node/node.h"
#include "storage/drbd/lone_leg.h"
#include "storage/drbd/volume_life.h"
#include "storage/lvm/backing.h"
#include "storage/lvm/snapshot.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

struct VolumeStep {
  VolumeRecord volume;
  lvm::Pool pool;
  std::string token;  ///< marks the LVs of this operation, so that a retry takes them over
};

/// The record, with the numbers the recording step got from the state machine where the plan could not know them.
Result<VolumeStep> volume_step(const Node& node, const StepContext& context) {
  Fields fields(context.params, "volume step");
  const Json* volume = fields.object("volume");
  const auto recorded_by = fields.optional<std::uint64_t>("recorded_by");
  MCV_CHECK(fields.finish());
  VolumeStep step;
  MCV_TRY(step.volume, VolumeRecord::from_json(*volume));
  if (recorded_by) {
    const Json& recorded = context.result_of(*recorded_by);
    const Json volume_now = value_in(value_in(recorded, "volumes", Json()), step.volume.name.str().c_str(), Json());
    // An undo may come for a plan whose recording step never ran: then nothing was created under any number.
    if (!volume_now.is_null()) {
      MCV_TRY(step.volume, VolumeRecord::from_json(volume_now));
    }
  }
  MCV_TRY(const PoolRecord pool, node.shared.current().pool(step.volume.pool));
  step.pool = lvm::pool_on(pool, node.self());
  step.token = context.operation.str();
  return step;
}

struct DataToCopy {
  Bytes size;
  Bytes used;
};

/// What a step before found on the node whose data are copied; nothing where none are.
Result<std::optional<DataToCopy>> data_to_copy(const StepContext& context, const VolumeName& volume) {
  for (const Json& result : context.results) {
    if (value_in(result, "volume", "") != volume.str() || !result.contains("data_size")) continue;
    Fields fields(result, "data to copy");
    const auto size = fields.required<std::uint64_t>("data_size");
    const auto used = fields.required<std::uint64_t>("used");
    MCV_CHECK(fields.finish_lenient());
    return std::optional(DataToCopy{Bytes(size), Bytes(used)});
  }
  return std::optional<DataToCopy>();
}

asio::awaitable<Result<Json>> backing(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  MCV_CO_TRY(const std::optional<DataToCopy> data, data_to_copy(context, step.volume.name));
  MCV_CO_TRY(const lvm::PoolUsage usage, co_await lvm::pool_usage(node.host, step.pool));
  MCV_CO_CHECK(lvm::check_room(step.pool, usage, step.volume.size));
  lvm::BackingSpec spec;
  spec.pool = step.pool;
  spec.name = step.volume.name;
  spec.size = step.volume.size;
  // As large as the data that is copied to it, and with room for them.
  if (data) {
    spec.size = std::max(spec.size, data->size);
    MCV_CO_CHECK(lvm::check_whole_copy(step.pool, usage, data->used));
  }
  spec.token = step.token;
  spec.replicated = step.volume.kind == VolumeKind::drbd;
  spec.guest_user = node.settings.guests.user;
  MCV_CO_TRY(const lvm::Backing made, co_await lvm::ensure_backing(node.host, std::move(spec)));
  Json result = {{"volume", step.volume.name.str()},
                 {"provably_zero", made.provably_zero},
                 {"discard_granularity", made.discard_granularity.count()}};
  co_return result;
}

asio::awaitable<Status> undo_backing(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  co_await node.leave_down(step.volume.name);
  // A daemon that started meanwhile may have brought it up once more after it was taken down.
  if (node.drbd.find(step.volume.name) != nullptr) {
    MCV_CO_CHECK(co_await drbd::ensure_down(node.host, node.drbd, step.volume.name));
  }
  co_return co_await lvm::remove_backing_of(node.host, step.pool, step.volume.name, step.token);
}

/// A leg on each member, from the shared records: the file is the same on both nodes.
Result<drbd::ResourceConfig> resource_config(const Node& node, const VolumeStep& step, Bytes discard_granularity) {
  const ClusterState& state = node.shared.current();
  MCV_TRY(const PoolRecord pool, state.pool(step.volume.pool));
  const auto secret = node.secrets.get(secret_names::drbd);
  if (!secret) {
    return Error(ErrorCode::drbd_disabled, fmt::format("{} has no replication secret", node.self().str())).with_next("hvctl drbd enable");
  }
  drbd::ResourceConfig config;
  config.volume = step.volume.name;
  config.minor = step.volume.minor;
  config.port = step.volume.port;
  config.secret = *secret;
  config.discard_granularity = discard_granularity;
  for (const NodeRecord& member : state.nodes()) {
    const std::string& group = pool.volume_group_on(member.name);
    config.legs.push_back({member.name, member.replication_address(), fmt::format("/dev/{}/{}", group, lvm::data_name(step.volume.name)),
                           fmt::format("/dev/{}/{}", group, lvm::metadata_name(step.volume.name))});
  }
  return config;
}

/// Somebody or something took it away behind mcvd's back: a person puts it back, or gives the VM up, and the operation goes on.
Error backing_gone(const Node& node, const VolumeStep& step) {
  const std::string& group = step.pool.volume_group;
  return Error(ErrorCode::not_found, fmt::format("the logical volume of {} is gone on {}", step.volume.name.str(), node.self().str()))
      .with_safe("nothing was changed by this step; no other copy was touched")
      .with_next(fmt::format("on {}: lvs -a {} shows what is there, vgcfgrestore --list {} what was; when {}/{} is back: hvctl op list, then hvctl op retry ID", node.self().str(), group, group, group,
                             lvm::data_name(step.volume.name)));
}

asio::awaitable<Result<Json>> configure(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  MCV_CO_CHECK(co_await node.ensure_drbd());
  MCV_CO_TRY(const std::optional<lvm::Backing> found, co_await lvm::find_backing(node.host, step.pool, step.volume.name));
  if (!found) co_return backing_gone(node, step);
  MCV_CO_TRY(drbd::ResourceConfig config, resource_config(node, step, found->discard_granularity));
  const std::string meta_disk = found->metadata_path;
  MCV_CO_CHECK(co_await drbd::ensure_resource_file(node.host, std::move(config)));
  // The LVs carry this operation's token: nothing of value can be on the metadata LV.
  MCV_CO_CHECK(co_await drbd::ensure_metadata(node.host, node.drbd, step.volume.name, step.volume.minor, meta_disk, true));
  co_return Json();
}

asio::awaitable<Status> undo_configure(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  co_await node.leave_down(step.volume.name);
  co_return co_await drbd::remove_resource_file(node.host, step.volume.name);
}

asio::awaitable<Result<Json>> up(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  MCV_CO_CHECK(co_await node.ensure_up(step.volume));
  co_return Json();
}

asio::awaitable<Status> undo_up(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  co_await node.leave_down(step.volume.name);
  co_return co_await drbd::ensure_down(node.host, node.drbd, step.volume.name);
}

/// Whether every side reported that its fresh LV reads as zeros (DESIGN 6: the first sync is skipped only then).
bool both_provably_zero(const StepContext& context, const VolumeName& volume, std::size_t sides) {
  std::size_t zero_sides = 0;
  for (const Json& result : context.results) {
    if (value_in(result, "volume", "") == volume.str() && value_in(result, "provably_zero", false)) ++zero_sides;
  }
  return zero_sides == sides;
}

/// The step that brought it up was done, and nothing of that is left after a power cut: who builds a volume brings it up again,
/// nobody else does.
asio::awaitable<Status> still_up(Node& node, const VolumeStep& step) {
  if (!node.drbd.complete() || node.drbd.find(step.volume.name) != nullptr) co_return success();
  MCV_CO_CHECK(co_await node.ensure_drbd());
  co_return co_await node.ensure_up(step.volume);
}

asio::awaitable<Result<Json>> identical(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  const VolumeName name = step.volume.name;
  MCV_CO_CHECK(co_await still_up(node, step));
  MCV_CO_CHECK(co_await drbd::wait_connected(node.drbd, name, seconds(60)));
  // Both know what to do when the two are equal already; an attempt that was cut off may have left it open.
  if (both_provably_zero(context, name, node.shared.current().nodes().size())) {
    MCV_CO_CHECK(co_await drbd::mark_identical(node.host, node.drbd, name, true));
  } else {
    MCV_CO_TRY(const NodeLeave::Ticket ticket, node.leave.begin(fmt::format("volume {}", name.str()), /*is_replicated=*/true));
    MCV_CO_CHECK(co_await drbd::copy_from_here(node.host, node.drbd, name));
  }
  co_return Json();
}

asio::awaitable<Result<Json>> redundant(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  MCV_CO_CHECK(co_await still_up(node, step));
  // A first copy may take long; without one this is done at once.
  MCV_CO_CHECK(co_await drbd::wait_redundant(node.drbd, step.volume.name, minutes(24 * 60)));
  co_return Json();
}

/// A person accepted this copy, and nobody opened it yet: now that it is the only one the kernel takes it for the good one, too.
/// Otherwise no partner could ever be copied to from it.
asio::awaitable<Status> settle_accepted(Node& node, VolumeName volume) {
  const drbd::ResourceFacts* now = node.drbd.complete() ? node.drbd.find(volume) : nullptr;
  if (now == nullptr || now->facts.disk != DiskState::outdated || now->facts.role != DiskRole::secondary) co_return success();
  MCV_CO_TRY(const NodeLeave::Ticket ticket, node.leave.begin(fmt::format("volume {}", volume.str()), /*is_replicated=*/true));
  MCV_CO_CHECK(co_await node.authority.promote(volume));
  const Status closed = co_await drbd::ensure_secondary(node.host, node.drbd, volume, seconds(8));
  co_return closed;
}

/// The configuration names this node alone by now, and so does the file.
asio::awaitable<Result<Json>> one_leg(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  MCV_CO_CHECK(co_await node.ensure_drbd());
  // A start of the daemon brings legs up by the file that still names both: it would fence and connect again.
  co_await node.leave_down(step.volume.name);
  MCV_CO_TRY(const std::optional<lvm::Backing> found, co_await lvm::find_backing(node.host, step.pool, step.volume.name));
  if (!found) co_return backing_gone(node, step);
  MCV_CO_TRY(drbd::ResourceConfig config, resource_config(node, step, found->discard_granularity));
  MCV_CO_CHECK(co_await drbd::ensure_lone(node.host, node.drbd, std::move(config)));
  if (node.drbd.find(step.volume.name) == nullptr) {
    MCV_CO_CHECK(co_await node.bring_up(step.volume));
  }
  MCV_CO_CHECK(co_await settle_accepted(node, step.volume.name));
  co_return Json();
}

/// The other leg is new and empty, and this one is asked whether it is the good one: the kernel copies from here or not at all.
asio::awaitable<Result<Json>> pair(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  MCV_CO_CHECK(co_await node.ensure_drbd());
  MCV_CO_TRY(const std::optional<lvm::Backing> found, co_await lvm::find_backing(node.host, step.pool, step.volume.name));
  if (!found) co_return backing_gone(node, step);
  MCV_CO_TRY(drbd::ResourceConfig config, resource_config(node, step, found->discard_granularity));
  if (node.drbd.find(step.volume.name) == nullptr) {
    MCV_CO_CHECK(co_await node.bring_up(step.volume));
  }
  MCV_CO_CHECK(co_await drbd::ensure_paired(node.host, node.drbd, std::move(config)));
  MCV_CO_CHECK(co_await drbd::ensure_connecting(node.host, node.drbd, step.volume.name));
  co_return Json();
}

/// Connected, and this side is the one that is whole. The copy itself may take hours: `hvctl drbd list` shows it.
asio::awaitable<Result<Json>> following(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  MCV_CO_CHECK(co_await still_up(node, step));
  drbd::Condition follows = [](const drbd::ResourceFacts* now) {
    return now != nullptr && now->facts.connection == ConnectionState::connected && now->facts.disk == DiskState::up_to_date &&
           (now->facts.redundant() || now->facts.replication == ReplicationState::sync_source || now->facts.replication == ReplicationState::paused_sync);
  };
  MCV_CO_TRY(const drbd::ResourceFacts reached, co_await node.drbd.wait_until(step.volume.name, std::move(follows), seconds(60), "the source of the other copy"));
  static_cast<void>(reached);
  // What a join shows is what it found of the other node, not the last of its legs.
  for (const Json& result : context.results) {
    if (result.is_object() && result.contains("suitability")) co_return result;
  }
  co_return Json();
}

asio::awaitable<Result<Json>> primary(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  MCV_CO_CHECK(co_await promote(node, step.volume));
  co_return Json();
}

asio::awaitable<Status> demote(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  if (step.volume.kind != VolumeKind::drbd) co_return success();
  co_return co_await drbd::ensure_secondary(node.host, node.drbd, step.volume.name, seconds(10));
}

asio::awaitable<Result<Json>> secondary(Node& node, StepContext context) {
  MCV_CO_CHECK(co_await demote(node, std::move(context)));
  co_return Json();
}

asio::awaitable<Result<Json>> remove_volume(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  co_await node.leave_down(step.volume.name);
  if (step.volume.kind == VolumeKind::local) {
    MCV_CO_CHECK(co_await lvm::remove_backing(node.host, step.pool, step.volume.name));
  } else {
    MCV_CO_CHECK(co_await lvm::remove_snapshots(node.host, step.volume.name));
    MCV_CO_CHECK(co_await drbd::remove_everything(node.host, node.drbd, step.pool, step.volume.name));
  }
  co_return Json();
}

/// Its guest would go on with the device it has open.
Status check_guest_is_off(const Node& node, const VolumeRecord& volume) {
  if (node.guests.facts(volume.vm).state == RunState::stopped) return success();
  return Error(ErrorCode::guest_running, fmt::format("{} is {} by now", volume.vm.str(), to_text(node.guests.facts(volume.vm).state))).with_safe("nothing was changed").with_next(fmt::format("hvctl vm stop {}", volume.vm.str()));
}

asio::awaitable<Result<Json>> metadata(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  MCV_CO_CHECK(check_guest_is_off(node, step.volume));
  MCV_CO_TRY(const lvm::Beside beside, co_await lvm::ensure_metadata_beside(node.host, step.pool, step.volume.name, step.token));
  Json result = {{"volume", step.volume.name.str()}, {"data_size", beside.data_size.count()}, {"used", beside.used.count()}};
  co_return result;
}

asio::awaitable<Status> undo_metadata(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  co_await node.leave_down(step.volume.name);
  if (node.drbd.find(step.volume.name) != nullptr) {
    MCV_CO_CHECK(co_await drbd::ensure_down(node.host, node.drbd, step.volume.name));
  }
  co_return co_await lvm::remove_metadata_of(node.host, step.pool, step.volume.name, step.token);
}

/// The copy here is the one that stays: nothing may be missing in it, and nobody may be writing.
asio::awaitable<Result<Json>> last_look(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  MCV_CO_CHECK(check_guest_is_off(node, step.volume));
  const drbd::ResourceFacts* seen = node.drbd.complete() ? node.drbd.find(step.volume.name) : nullptr;
  const bool is_pair = node.shared.current().is_cluster();
  const bool is_closed = seen != nullptr && seen->facts.role == DiskRole::secondary && seen->facts.peer_role != DiskRole::primary;
  const bool is_whole = seen != nullptr && seen->facts.disk == DiskState::up_to_date && (!is_pair || (seen->facts.redundant() && seen->facts.replication == ReplicationState::established));
  if (is_closed && is_whole) co_return Json();
  co_return Error(ErrorCode::not_up_to_date, fmt::format("the copies of {} are not equal and closed any more: {}", step.volume.name.str(), drbd::describe(seen))).with_safe("nothing was changed").with_next("hvctl drbd list");
}

asio::awaitable<Result<Json>> localise(Node& node, StepContext context) {
  MCV_CO_TRY(const VolumeStep step, volume_step(node, context));
  const VolumeName name = step.volume.name;
  co_await node.leave_down(name);
  if (node.shared.current().setting("drbd") == "enabled") {
    MCV_CO_CHECK(co_await node.ensure_drbd());
  }
  MCV_CO_CHECK(co_await lvm::remove_snapshots(node.host, name));
  MCV_CO_CHECK(co_await drbd::ensure_down(node.host, node.drbd, name));
  MCV_CO_CHECK(co_await lvm::remove_metadata(node.host, step.pool, name));
  MCV_CO_CHECK(co_await drbd::remove_resource_file(node.host, name));
  co_return Json();
}

}  // namespace

asio::awaitable<Status> promote(Node& node, VolumeRecord volume) {
  if (volume.kind != VolumeKind::drbd) co_return success();
  MCV_CO_TRY(const NodeLeave::Ticket ticket, node.leave.begin(fmt::format("volume {}", volume.name.str()), /*is_replicated=*/true));
  if (node.drbd.complete() && node.drbd.find(volume.name) == nullptr) {
    MCV_CO_CHECK(co_await node.bring_up(volume));
    // Alone it is not promoted, so the peer gets its chance; without it the promotion says why.
    const bool alone = node.shared.link().state == LinkState::alone;
    const Status connected = co_await drbd::wait_connected(node.drbd, volume.name, seconds(alone ? 0 : 10));
    static_cast<void>(connected.ok());
  }
  const Status promoted = co_await node.authority.promote(volume.name);
  if (promoted.ok() || promoted.error().code() != ErrorCode::no_authority) co_return promoted;
  Error refused = promoted.error();
  co_return std::move(refused).with_next(authority::deciding_command(node.authority.standpoint()));
}

void add_volume_actions(Node& node) {
  add_action(node, "volume.backing", {backing, undo_backing, never_asked});
  add_action(node, "volume.configure", {configure, undo_configure, never_asked});
  add_action(node, "volume.up", {up, undo_up, never_asked});
  add_action(node, "volume.identical", {identical, nothing_to_undo, never_asked});
  add_action(node, "volume.one_leg", {one_leg, nothing_to_undo, never_asked});
  add_action(node, "volume.pair", {pair, nothing_to_undo, never_asked});
  add_action(node, "volume.following", {following, nothing_to_undo, never_asked});
  add_action(node, "volume.redundant", {redundant, nothing_to_undo, never_asked});
  add_action(node, "volume.primary", {primary, demote, never_asked});
  add_action(node, "volume.secondary", {secondary, nothing_to_undo, never_asked});
  add_action(node, "volume.remove", {remove_volume, nothing_to_undo, never_asked});
  add_action(node, "volume.metadata", {metadata, undo_metadata, never_asked});
  add_action(node, "volume.last_look", {last_look, nothing_to_undo, never_asked});
  add_action(node, "volume.localise", {localise, nothing_to_undo, never_asked});
}

}  // namespace mcv

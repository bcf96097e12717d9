// SPDX-License-Identifier: Apache-2.0
// orphan.remove: what belongs to nothing, by the name a person gave.
#include <algorithm>
#include <fmt/format.h>

#include "cluster/model/pending_delete.h"
#include "daemon/actions/actions.h"
#include "daemon/node/node.h"
#include "daemon/node/orphan_look.h"
#include "storage/drbd/repair.h"
#include "storage/drbd/resource_file.h"
#include "storage/drbd/volume_life.h"
#include "storage/lvm/backing.h"
#include "storage/lvm/snapshot.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

asio::awaitable<Result<Json>> remove_orphan_here(Node& node, StepContext context) {
  Fields fields(context.params, "orphan");
  const auto name = fields.required<std::string>("name");
  auto made_by = fields.required<std::vector<std::string>>("made_by");
  MCV_CO_CHECK(fields.finish());
  // Asked again: since the plan was made somebody may have begun to use the name.
  OrphanLook look = co_await what_belongs_here(node);
  if (!look.unsure.empty()) {
    co_return Error(ErrorCode::busy, fmt::format("whether {} belongs to nothing cannot be told now: {}", name, look.unsure)).with_safe("nothing more was removed").with_next("hvctl op list; hvctl storage list-orphans");
  }
  MCV_CO_CHECK(co_await drbd::remove_orphan(node.host, node.drbd, std::move(look.belongs), name, std::move(made_by)));
  co_return Json();
}

/// Metadata are read beside the kernel, under a minor that is no volume's: that of the deleted one may be another's by now.
std::uint32_t minor_to_read_under(const ClusterState& state, std::uint32_t minor) {
  const std::vector<VolumeRecord> volumes = state.volumes();
  const auto is_taken = [&volumes](std::uint32_t number) { return std::any_of(volumes.begin(), volumes.end(), [number](const VolumeRecord& volume) { return volume.minor == number; }); };
  while (is_taken(minor)) ++minor;
  return minor;
}

/// A copy that is kept has no part in replication any more: its minor and its port are others' to have.
asio::awaitable<Status> put_aside(Node& node, VolumeName name) {
  co_await node.leave_down(name);
  MCV_CO_CHECK(co_await drbd::ensure_down(node.host, node.drbd, name));
  const Status removed = co_await drbd::remove_resource_file(node.host, name);
  co_return removed;
}

/// By what DRBD itself says of this copy, attached or not: one that was written to apart is of a generation that nobody deleted.
asio::awaitable<Status> check_is_the_deleted_one(Node& node, PendingDelete pending, lvm::Backing backing) {
  const VolumeName name = pending.volume.name;
  const drbd::ResourceFacts* seen = node.drbd.complete() ? node.drbd.find(name) : nullptr;
  if (seen != nullptr && seen->facts.role == DiskRole::primary) {
    co_return Error(ErrorCode::device_busy, fmt::format("{} is open here", name.str())).with_safe("nothing was removed").with_next("hvctl drbd list; fuser --verbose /dev/drbd*");
  }
  const bool is_attached = seen != nullptr && seen->minor && seen->facts.disk != DiskState::diskless;
  std::string current;
  if (is_attached) {
    MCV_CO_TRY(current, co_await drbd::generation_of(node.host, node.drbd, name));
  } else {
    const std::uint32_t minor = minor_to_read_under(node.shared.current(), pending.volume.minor);
    MCV_CO_TRY(current, co_await drbd::generation_on_disk(node.host, name, minor, backing.metadata_path));
  }
  if (is_deleted_copy(pending, current)) co_return success();
  MCV_CO_CHECK(co_await put_aside(node, name));
  co_return Error(ErrorCode::not_up_to_date, fmt::format("{} here is not the copy that was deleted: it was written to apart from it", name.str()))
      .with_safe("it was not touched, and is kept until somebody deletes it")
      .with_next(fmt::format("hvctl storage list-orphans; hvctl storage delete-orphan {} --node {}", pending.volume.resource(), node.self().str()));
}

asio::awaitable<Result<Json>> remove_deleted(Node& node, StepContext context) {
  Fields fields(context.params, "late delete");
  const Json* json = fields.object("pending");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_TRY(const PendingDelete pending, PendingDelete::from_json(*json));
  const VolumeName name = pending.volume.name;
  if (node.shared.current().volume(name).ok()) {
    co_return Error(ErrorCode::in_use, fmt::format("{} is in the configuration again", name.str())).with_safe("nothing was removed").with_next("hvctl storage list-orphans");
  }
  MCV_CO_CHECK(co_await node.ensure_drbd());
  const lvm::Pool pool = lvm::pool_on(pending.pool, node.self());
  MCV_CO_TRY(const std::optional<lvm::Backing> found, co_await lvm::find_backing(node.host, pool, name));
  // Without its data there is nothing left that could be another copy.
  if (found) {
    MCV_CO_CHECK(co_await check_is_the_deleted_one(node, pending, *found));
  }
  co_await node.leave_down(name);
  MCV_CO_CHECK(co_await lvm::remove_snapshots(node.host, name));
  MCV_CO_CHECK(co_await drbd::remove_everything(node.host, node.drbd, pool, name));
  co_return Json();
}

}  // namespace

void add_orphan_actions(Node& node) {
  add_action(node, "orphan.remove", {remove_orphan_here, nothing_to_undo, never_asked});
  add_action(node, "orphan.remove_deleted", {remove_deleted, nothing_to_undo, never_asked});
}

}  // namespace mcv

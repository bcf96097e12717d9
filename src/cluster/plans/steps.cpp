// SPDX-License-Identifier: Apache-2.0
#include "cluster/plans/steps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace mcv::plans {
namespace {

PlannedStep step(const char* action, const NodeName& node, Json params, std::string text, bool commits = false) {
  PlannedStep planned;
  planned.action = action;
  planned.node = node;
  planned.params = std::move(params);
  planned.commits = commits;
  planned.text = std::move(text);
  return planned;
}

PlannedStep volume_step(const char* action, const NodeName& node, const VolumeRef& ref, std::string_view verb) {
  return step(action, node, ref.to_json(), fmt::format("{} {}", verb, ref.volume.name.str()));
}

}  // namespace

PlannedStep record(const NodeName& node, std::vector<Mutation> mutations, std::string text, bool commits, std::vector<Mutation> reverse) {
  Json list = Json::array();
  for (const Mutation& mutation : mutations) list.push_back(mutation.to_json());
  Json params = {{"mutations", list}, {"summary", text}};
  if (!reverse.empty()) {
    Json back = Json::array();
    for (const Mutation& mutation : reverse) back.push_back(mutation.to_json());
    params["reverse"] = std::move(back);
  }
  return step("record", node, std::move(params), std::move(text), commits);
}

Json VolumeRef::to_json() const {
  Json json = {{"volume", volume.to_json()}};
  if (recorded_by) json["recorded_by"] = *recorded_by;
  return json;
}

PlannedStep volume_backing(const NodeName& node, const VolumeRef& ref) {
  return step("volume.backing", node, ref.to_json(), fmt::format("create the logical volume {} ({})", ref.volume.resource(), ref.volume.size.to_text()));
}
PlannedStep volume_configure(const NodeName& node, const VolumeRef& ref) { return volume_step("volume.configure", node, ref, "write DRBD configuration and metadata of"); }
PlannedStep volume_up(const NodeName& node, const VolumeRef& ref) { return volume_step("volume.up", node, ref, "bring up"); }
PlannedStep volume_identical(const NodeName& node, const VolumeRef& ref) { return volume_step("volume.identical", node, ref, "declare both empty sides identical:"); }
PlannedStep volume_redundant(const NodeName& node, const VolumeRef& ref) { return volume_step("volume.redundant", node, ref, "wait until both sides are up to date:"); }
PlannedStep volume_primary(const NodeName& node, const VolumeRef& ref) { return volume_step("volume.primary", node, ref, "promote"); }
PlannedStep volume_secondary(const NodeName& node, const VolumeRef& ref) { return volume_step("volume.secondary", node, ref, "demote"); }
PlannedStep volume_remove(const NodeName& node, const VolumeRef& ref) { return volume_step("volume.remove", node, ref, "remove every trace of"); }
PlannedStep volume_metadata(const NodeName& node, const VolumeRef& ref) { return volume_step("volume.metadata", node, ref, "make room for DRBD's metadata beside"); }
PlannedStep volume_last_look(const NodeName& node, const VolumeRef& ref) { return volume_step("volume.last_look", node, ref, "check once more that both copies are equal and closed:"); }
PlannedStep volume_localise(const NodeName& node, const VolumeRef& ref) { return volume_step("volume.localise", node, ref, "take out of DRBD, data untouched:"); }
PlannedStep volume_verify(const NodeName& node, const VolumeRecord& volume, const std::string& asked_by) {
  Json params = {{"volume", volume.to_json()}, {"asked_by", asked_by}};
  return step("volume.verify", node, std::move(params), fmt::format("compare both sides of {}", volume.name.str()));
}
PlannedStep verify_together(const NodeName& node, const std::vector<VolumeRecord>& volumes, const std::string& asked_by) {
  Json list = Json::array();
  std::string names;
  for (const VolumeRecord& volume : volumes) {
    list.push_back(volume.to_json());
    names += (names.empty() ? "" : ", ") + volume.name.str();
  }
  Json params = {{"volumes", std::move(list)}, {"asked_by", asked_by}};
  return step("verify.together", node, std::move(params), fmt::format("compare both sides of {}", names));
}

PlannedStep verify_summary(const NodeName& node) { return step("verify.summary", node, Json::object(), "sum up"); }

PlannedStep vm_take_over(const NodeName& node, const VmRecord& vm, const std::vector<VolumeRecord>& volumes) {
  Json list = Json::array();
  for (const VolumeRecord& volume : volumes) list.push_back(volume.name.str());
  Json params = {{"vm", vm.name.str()}, {"from", vm.owner.str()}, {"volumes", std::move(list)}};
  return step("vm.take_over", node, std::move(params), fmt::format("record {} as the owner of {}, which {} leaves behind", node.str(), vm.name.str(), vm.owner.str()));
}

PlannedStep guest_start(const NodeName& node, const VmRecord& vm, std::vector<VolumeRecord> volumes, GateRule gate) {
  Json list = Json::array();
  for (const VolumeRecord& volume : volumes) list.push_back(volume.to_json());
  Json params = {{"vm", vm.to_json()}, {"volumes", list}, {"gate_overridden", gate == GateRule::overridden}};
  return step("guest.start", node, std::move(params), fmt::format("start {}", vm.name.str()));
}
PlannedStep guest_stop(const NodeName& node, const VmName& vm, std::uint32_t timeout_seconds) {
  return step("guest.stop", node, {{"vm", vm.str()}, {"timeout_seconds", timeout_seconds}}, fmt::format("shut {} down, at most {} s", vm.str(), timeout_seconds));
}
PlannedStep guest_wait_stopped(const NodeName& node, const VmName& vm, std::optional<std::uint32_t> timeout_seconds) {
  Json params = {{"vm", vm.str()}};
  if (timeout_seconds) params["timeout_seconds"] = *timeout_seconds;
  return step("guest.wait_stopped", node, std::move(params), fmt::format("wait until {} is shut down from inside", vm.str()));
}
PlannedStep guest_kill(const NodeName& node, const VmName& vm) { return step("guest.kill", node, {{"vm", vm.str()}}, fmt::format("cut the power of {}", vm.str())); }
PlannedStep guest_reset(const NodeName& node, const VmName& vm) { return step("guest.reset", node, {{"vm", vm.str()}}, fmt::format("reset {}", vm.str())); }
PlannedStep guest_release(const NodeName& node, const VmRecord& vm) {
  return step("guest.release", node, {{"vm", vm.to_json()}}, fmt::format("remove the network taps of {}", vm.name.str()));
}
PlannedStep guest_forget(const NodeName& node, const VmName& vm) {
  return step("guest.forget", node, {{"vm", vm.str()}}, fmt::format("forget the console and run record of {}", vm.str()));
}
PlannedStep migrate_recheck(const NodeName& node, const VmName& vm, const NodeName& target, bool start_after_migration) {
  return step("migrate.recheck", node, {{"vm", vm.str()}, {"target", target.str()}, {"start_after_migration", start_after_migration}}, fmt::format("check again that {} may move to {}", vm.str(), target.str()));
}

PlannedStep pool_create(const NodeName& node, const PoolRecord& pool, std::optional<Bytes> size) {
  Json params = {{"pool", pool.to_json()}};
  if (size) params["size"] = size->count();
  return step("pool.create", node, std::move(params), fmt::format("create the storage pool {}", pool.name.str()));
}
PlannedStep pool_remove(const NodeName& node, const PoolRecord& pool) {
  return step("pool.remove", node, {{"pool", pool.to_json()}}, fmt::format("remove the storage pool {}", pool.name.str()));
}

PlannedStep drbd_check(const NodeName& node) { return step("drbd.check", node, Json::object(), "check the DRBD module and set mcv's event helper"); }
PlannedStep drbd_secret(const NodeName& node) { return step("drbd.secret", node, Json::object(), "make the replication secret and carry it to the other node"); }

PlannedStep join_prepare(const NodeName& node, const NodeRecord& here, const NodeRecord& joiner) {
  return step("join.prepare", node, {{"here", here.to_json()}, {"joiner", joiner.to_json()}}, fmt::format("reserve {} for this cluster", joiner.name.str()));
}
PlannedStep join_pool(const NodeName& node, const NodeRecord& joiner, const PoolRecord& pool) {
  return step("join.pool", node, {{"joiner", joiner.to_json()}, {"pool", pool.to_json()}}, fmt::format("create the storage pool {} on {}", pool.name.str(), joiner.name.str()));
}
PlannedStep join_commit(const NodeName& node, const NodeRecord& joiner) {
  return step("join.commit", node, {{"joiner", joiner.to_json()}}, fmt::format("record {} as a member", joiner.name.str()), /*commits=*/true);
}
PlannedStep join_corosync(const NodeName& node, const NodeRecord& here, const NodeRecord& joiner) {
  return step("join.corosync", node, {{"here", here.to_json()}, {"joiner", joiner.to_json()}}, "configure and start corosync on both nodes");
}
PlannedStep join_adopt(const NodeName& node, const NodeRecord& joiner) {
  return step("join.adopt", node, {{"joiner", joiner.to_json()}}, fmt::format("copy networks, storage and VMs to {}", joiner.name.str()));
}
PlannedStep join_together(const NodeName& node, const NodeRecord& joiner, Json suitability) {
  return step("join.together", node, {{"joiner", joiner.to_json()}, {"suitability", std::move(suitability)}}, fmt::format("wait until {} shares the configuration", joiner.name.str()));
}

Json ResyncLeg::to_json() const {
  Json json = {{"volume", volume.to_json()}, {"source", source.str()}, {"target", target.str()}, {"marked_kib", marked_kib}, {"full", full}};
  if (overwritten) json["overwritten"] = overwritten->count();
  return json;
}

Result<ResyncLeg> ResyncLeg::from_json(const Json& json) {
  Fields fields(json, "resync step");
  const Json* volume = fields.object("volume");
  ResyncLeg leg;
  const auto source = fields.required<std::string>("source");
  const auto target = fields.required<std::string>("target");
  leg.marked_kib = fields.required<std::uint64_t>("marked_kib");
  leg.full = fields.required<bool>("full");
  if (const auto overwritten = fields.optional<std::uint64_t>("overwritten")) leg.overwritten = Bytes(*overwritten);
  MCV_CHECK(fields.finish_lenient());
  MCV_TRY(leg.volume, VolumeRecord::from_json(*volume));
  MCV_TRY(leg.source, NodeName::parse(source));
  MCV_TRY(leg.target, NodeName::parse(target));
  return leg;
}

PlannedStep resync_snapshot(const ResyncLeg& leg) {
  return step("resync.snapshot", leg.target, leg.to_json(), fmt::format("keep the copy of {} that is overwritten, as a snapshot", leg.volume.name.str()));
}
PlannedStep resync_source(const ResyncLeg& leg) {
  return step("resync.source", leg.source, leg.to_json(), fmt::format("check again and open the source of {}", leg.volume.name.str()));
}
PlannedStep resync_diverge(const ResyncLeg& leg, std::size_t asked_by, bool commits) {
  Json params = leg.to_json();
  params["asked_by"] = asked_by;
  return step("resync.diverge", leg.source, std::move(params), fmt::format("make the copy of {} on {} the older one", leg.volume.name.str(), leg.target.str()), commits);
}
PlannedStep resync_mark_all(const ResyncLeg& leg) { return step("resync.mark_all", leg.source, leg.to_json(), fmt::format("mark every block of {}", leg.volume.name.str())); }
PlannedStep resync_copy(const ResyncLeg& leg) {
  return step("resync.copy", leg.source, leg.to_json(),
              fmt::format("connect {} again and copy {} to {}", leg.volume.name.str(), leg.full ? "every block" : fmt::format("{} marked KiB", leg.marked_kib), leg.target.str()));
}
PlannedStep resync_release(const ResyncLeg& leg) { return step("resync.release", leg.source, leg.to_json(), fmt::format("close the source of {} unless its guest runs", leg.volume.name.str())); }
PlannedStep resync_follow(const NodeName& node, const VolumeRecord& volume) {
  return step("resync.follow", node, {{"volume", volume.to_json()}}, fmt::format("wait until {} is copied", volume.name.str()));
}
PlannedStep resync_summary(const NodeName& node, const std::vector<ResyncLeg>& legs) {
  Json list = Json::array();
  for (const ResyncLeg& leg : legs) list.push_back(leg.to_json());
  return step("resync.summary", node, {{"legs", std::move(list)}}, "sum up");
}

PlannedStep drbd_attach(const NodeName& node, const VolumeRecord& volume, bool is_newest) {
  return step("drbd.attach", node, {{"volume", volume.to_json()}, {"is_newest", is_newest}},
              is_newest ? fmt::format("attach the newest copy of {}", volume.name.str()) : fmt::format("attach the disk of {} and copy to it what it missed", volume.name.str()));
}

PlannedStep orphan_remove(const NodeName& node, const std::string& name, const std::vector<std::string>& made_by, const std::vector<std::string>& parts) {
  return step("orphan.remove", node, {{"name", name}, {"made_by", made_by}}, fmt::format("remove {}: {}", name, fmt::join(parts, ", ")));
}

PlannedStep orphan_remove_deleted(const PendingDelete& pending) {
  return step("orphan.remove_deleted", pending.node, {{"pending", pending.to_json()}}, fmt::format("check that {} is the copy that was deleted, and remove every trace of it", pending.volume.name.str()));
}

PlannedStep remove_ready(const NodeName& node, const NodeName& leaver) {
  return step("remove.ready", node, {{"leaver", leaver.str()}}, node == leaver ? fmt::format("check that nothing runs on {}", leaver.str()) : fmt::format("check that every copy on {} is whole", node.str()));
}
PlannedStep remove_commit(const NodeName& node, const NodeRecord& leaver, bool dead) {
  return step("remove.commit", node, {{"leaver", leaver.to_json()}, {"dead", dead}}, fmt::format("record that {} is no member any more", leaver.name.str()), /*commits=*/true);
}
PlannedStep remove_tell(const NodeName& node, const NodeRecord& leaver) {
  return step("remove.tell", node, {{"leaver", leaver.to_json()}}, fmt::format("let {} put its copies aside and become blank", leaver.name.str()));
}
PlannedStep remove_alone(const NodeName& node, const NodeRecord& leaver) {
  return step("remove.alone", node, {{"leaver", leaver.to_json()}}, "stop corosync and change the secrets of the pair");
}
PlannedStep volume_one_leg(const NodeName& node, const VolumeRef& ref) { return volume_step("volume.one_leg", node, ref, "go on with one leg:"); }
PlannedStep volume_pair(const NodeName& node, const VolumeRef& ref) { return volume_step("volume.pair", node, ref, "fence again and look for the other leg of"); }
PlannedStep volume_following(const NodeName& node, const VolumeRef& ref) { return volume_step("volume.following", node, ref, "wait until the other leg is copied from here:"); }

}  // namespace mcv::plans

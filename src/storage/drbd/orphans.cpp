// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/orphans.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>

#include "storage/drbd/resource_file.h"
#include "storage/drbd/volume_life.h"
#include "storage/lvm/backing.h"
#include "storage/lvm/commands.h"
#include "storage/lvm/pool.h"
#include "storage/lvm/quarantine.h"
#include "storage/lvm/snapshot.h"

namespace mcv::drbd {

namespace asio = boost::asio;

namespace {

constexpr std::string_view metadata_suffix = ".md";
constexpr std::string_view file_suffix = ".res";
constexpr std::string_view made_by_prefix = "mcv.by.";
constexpr std::string_view no_record = "no volume of that name is in the configuration";

std::string without(std::string text, std::string_view suffix) {
  if (text.ends_with(suffix)) text.resize(text.size() - suffix.size());
  return text;
}

std::string path_in_vg(const lvm::LogicalVolume& volume) { return volume.volume_group + "/" + volume.name; }

std::string maker_of(const lvm::LogicalVolume& volume) {
  for (const std::string& one : volume.tags) {
    if (one.starts_with(made_by_prefix)) return one.substr(made_by_prefix.size());
  }
  return {};
}

class Search {
 public:
  Search(const Machine& machine, const Belongs& belongs) : machine_(machine), belongs_(belongs) {}

  std::vector<Orphan> run() {
    for (const lvm::LogicalVolume& volume : machine_.volumes) logical_volume(volume);
    for (const std::string& file : machine_.files) {
      if (!file.ends_with(file_suffix)) continue;
      if (Orphan* orphan = of_resource(without(file, file_suffix))) orphan->parts.push_back(std::string(resource_directory) + "/" + file);
    }
    for (const auto& [name, facts] : machine_.resources) {
      Orphan* orphan = of_resource(name);
      if (orphan == nullptr) continue;
      orphan->parts.push_back(facts.minor ? fmt::format("minor {} in the kernel", *facts.minor) : std::string("resource in the kernel"));
      // Attached by its own kernel device only: that goes first.
      orphan->used.clear();
      if (facts.facts.role == DiskRole::primary) orphan->used.push_back(orphan->parts.back());
    }
    std::vector<Orphan> list;
    for (auto& [name, orphan] : found_) {
      std::sort(orphan.made_by.begin(), orphan.made_by.end());
      orphan.made_by.erase(std::unique(orphan.made_by.begin(), orphan.made_by.end()), orphan.made_by.end());
      list.push_back(std::move(orphan));
    }
    return list;
  }

 private:
  bool in_operation(const VolumeName& volume) const {
    const std::string text = volume.str();
    const std::size_t dash = text.rfind('-');
    return dash != std::string::npos && belongs_.vms_in_operation.contains(VmName::trusted(text.substr(0, dash)));
  }

  std::string why_of(const VolumeName& volume) const {
    const auto other = belongs_.of_other_node.find(volume);
    return other == belongs_.of_other_node.end() ? std::string(no_record) : fmt::format("the local disk {} is recorded on {}, not here", volume.str(), other->second);
  }

  /// nullptr: it belongs to something, or is not mcv's.
  Orphan* of_resource(const std::string& name) {
    const auto volume = volume_of_resource(name);
    if (!volume.ok() || belongs_.volumes.contains(*volume) || in_operation(*volume)) return nullptr;
    Orphan& orphan = found_[name];
    orphan.name = name;
    if (const auto kept = belongs_.pending.find(*volume); kept != belongs_.pending.end()) {
      orphan.kind = OrphanKind::pending;
      orphan.why = kept->second;
    }
    if (orphan.why.empty()) orphan.why = why_of(*volume);
    return &orphan;
  }

  void add(const lvm::LogicalVolume& volume, Orphan& orphan) {
    orphan.parts.push_back(path_in_vg(volume));
    if (volume.open) orphan.used.push_back(path_in_vg(volume));
    if (orphan.since == 0 || (volume.created != 0 && volume.created < orphan.since)) orphan.since = volume.created;
    if (!volume.name.ends_with(metadata_suffix)) orphan.size = volume.size;
    if (std::string by = maker_of(volume); !by.empty()) orphan.made_by.push_back(std::move(by));
  }

  void special(const lvm::LogicalVolume& volume, const std::string& name, OrphanKind kind, std::string why) {
    Orphan& orphan = found_[name];
    orphan.name = name;
    orphan.kind = kind;
    orphan.why = std::move(why);
    add(volume, orphan);
  }

  void logical_volume(const lvm::LogicalVolume& volume) {
    const bool ours = volume.has_tag(lvm::tag);
    const bool named = volume.name.starts_with("mcv-");
    if (!ours && !named) return;
    if (ours && belongs_.operations.contains(maker_of(volume))) return;
    if (const auto kept = lvm::quarantined_among({volume}); !kept.empty()) {
      return special(volume, volume.name, OrphanKind::quarantined, fmt::format("a copy of {} that was kept when this node was removed ({})", kept.front().volume, kept.front().removal));
    }
    if (volume.name.starts_with("mcvq-")) return;
    if (const auto kept = lvm::snapshots_among({volume}); !kept.empty()) {
      return special(volume, volume.name, OrphanKind::snapshot, fmt::format("what the repair {} overwrote on {}; the next clean verify deletes it", kept.front().operation, kept.front().volume));
    }
    if (volume.thin_pool) {
      if (!belongs_.thin_pools.contains(path_in_vg(volume))) special(volume, volume.name, ours ? OrphanKind::thin_pool : OrphanKind::foreign, ours ? "no storage pool of the configuration uses it" : "a name of mcv's, and mcv did not make it");
      return;
    }
    const auto of = volume_of_resource(without(volume.name, metadata_suffix));
    if (of.ok() && (belongs_.volumes.contains(*of) || in_operation(*of))) return;
    if (!ours) return special(volume, volume.name, OrphanKind::foreign, "a name of mcv's, and mcv did not make it");
    if (Orphan* orphan = of_resource(without(volume.name, metadata_suffix))) return add(volume, *orphan);
    // Renamed by somebody: what it was nobody can tell.
    special(volume, volume.name, OrphanKind::foreign, "mcv made it under another name");
  }

  const Machine& machine_;
  const Belongs& belongs_;
  std::map<std::string, Orphan> found_;
};

Error not_removed(ErrorCode code, std::string text, std::string next) { return Error(code, std::move(text)).with_safe("nothing was removed").with_next(std::move(next)); }

asio::awaitable<Result<Machine>> look_at_machine(host::Host& host, DrbdMonitor& monitor) {
  Machine machine;
  MCV_CO_TRY(machine.volumes, co_await lvm::logical_volumes(host));
  MCV_CO_TRY(machine.files, co_await host.files.list(resource_directory));
  if (monitor.complete()) machine.resources = monitor.resources();
  co_return machine;
}

asio::awaitable<Status> remove_volumes(host::Host& host, std::vector<lvm::LogicalVolume> volumes, Orphan orphan) {
  // Metadata last: without it DRBD cannot attach, with it and no data there is nothing to attach.
  std::stable_sort(volumes.begin(), volumes.end(), [](const lvm::LogicalVolume& a, const lvm::LogicalVolume& b) { return a.name.ends_with(metadata_suffix) < b.name.ends_with(metadata_suffix); });
  for (const lvm::LogicalVolume& volume : volumes) {
    const bool is_part = std::find(orphan.parts.begin(), orphan.parts.end(), path_in_vg(volume)) != orphan.parts.end();
    if (!is_part || !volume.has_tag(lvm::tag)) continue;
    host::Command remove = lvm::commands::remove(volume.volume_group, volume.name);
    MCV_CO_TRY(const std::string said, co_await host::run_ok(host.processes, std::move(remove)));
    static_cast<void>(said);
  }
  co_return success();
}

}  // namespace

std::string_view to_text(OrphanKind kind) {
  switch (kind) {
    case OrphanKind::volume: return "volume";
    case OrphanKind::pending: return "pending";
    case OrphanKind::thin_pool: return "thin-pool";
    case OrphanKind::foreign: return "foreign";
    case OrphanKind::quarantined: return "quarantined";
    case OrphanKind::snapshot: return "snapshot";
  }
  return "foreign";
}

std::vector<Orphan> orphans_of(const Machine& machine, const Belongs& belongs) { return Search(machine, belongs).run(); }

asio::awaitable<Result<std::vector<Orphan>>> find_orphans(host::Host& host, DrbdMonitor& monitor, Belongs belongs) {
  MCV_CO_TRY(const Machine machine, co_await look_at_machine(host, monitor));
  co_return orphans_of(machine, belongs);
}

Status may_remove(const Orphan& orphan) {
  const std::string& name = orphan.name;
  switch (orphan.kind) {
    case OrphanKind::volume:
    case OrphanKind::pending:
    case OrphanKind::thin_pool: break;
    case OrphanKind::quarantined: return not_removed(ErrorCode::bad_request, fmt::format("{} is {}", name, orphan.why), fmt::format("hvctl storage delete-quarantined {}", without(name, metadata_suffix)));
    case OrphanKind::snapshot: return not_removed(ErrorCode::bad_request, fmt::format("{} is {}", name, orphan.why), fmt::format("hvctl storage delete-snapshot {}", name));
    case OrphanKind::foreign: return not_removed(ErrorCode::bad_request, fmt::format("{}: {}, so mcv does not remove it", name, orphan.why), fmt::format("lvs -a -o +lv_tags {0}; if it is yours to remove: lvremove {0}", orphan.parts.front()));
  }
  if (orphan.used.empty()) return success();
  const std::string& part = orphan.used.front();
  const std::string next = orphan.kind == OrphanKind::thin_pool ? fmt::format("lvs {}: whatever is in it goes first", part.substr(0, part.find('/')))
                                                               : fmt::format("drbdsetup status {0}; lsblk; fuser --verbose /dev/{1}", name, part.find(' ') == std::string::npos ? part : "drbd*");
  return not_removed(ErrorCode::device_busy, fmt::format("{} is in use: {}", name, fmt::join(orphan.used, ", ")), next);
}

asio::awaitable<Status> remove_orphan(host::Host& host, DrbdMonitor& monitor, Belongs belongs, std::string name, std::vector<std::string> made_by) {
  MCV_CO_TRY(Machine machine, co_await look_at_machine(host, monitor));
  std::vector<Orphan> all = orphans_of(machine, belongs);
  auto found = std::find_if(all.begin(), all.end(), [&name](const Orphan& orphan) { return orphan.name == name; });
  if (found == all.end()) co_return success();
  // An attempt that was cut off has removed some of it: what is left was made by those that made the whole.
  if (!std::includes(made_by.begin(), made_by.end(), found->made_by.begin(), found->made_by.end())) {
    co_return not_removed(ErrorCode::in_use, fmt::format("{} is not what it was: another operation made it meanwhile", name), "hvctl storage list-orphans");
  }
  MCV_CO_CHECK(may_remove(*found));
  if (const auto volume = volume_of_resource(name); volume.ok() && machine.resources.contains(name)) {
    MCV_CO_CHECK(co_await ensure_down(host, monitor, *volume));
    // What only DRBD held is free now; what another one holds is not.
    MCV_CO_TRY(machine, co_await look_at_machine(host, monitor));
    all = orphans_of(machine, belongs);
    found = std::find_if(all.begin(), all.end(), [&name](const Orphan& orphan) { return orphan.name == name; });
    if (found == all.end()) co_return success();
    MCV_CO_CHECK(may_remove(*found));
  }
  const Orphan orphan = *found;
  MCV_CO_CHECK(co_await remove_volumes(host, machine.volumes, orphan));
  if (orphan.kind == OrphanKind::thin_pool) co_return success();
  const auto volume = volume_of_resource(name);
  if (!volume.ok()) co_return success();
  const Status removed = co_await remove_resource_file(host, *volume);
  co_return removed;
}

}  // namespace mcv::drbd

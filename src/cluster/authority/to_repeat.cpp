// SPDX-License-Identifier: Apache-2.0
// What the history that is given up had and the other one has not, as commands to paste.
#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <utility>

#include "cluster/authority/settlement.h"
#include "cluster/host/processes.h"
#include "cluster/model/pending_delete.h"
#include "cluster/model/access_records.h"
#include "cluster/model/peer_loss_policy.h"

namespace mcv::authority {
namespace {

using Argv = std::vector<std::string>;

void option(Argv& argv, const char* name, const std::string& value) {
  if (value.empty()) return;
  argv.emplace_back(name);
  argv.push_back(value);
}

/// As the options read it, exactly.
std::string size_option(Bytes size) {
  const std::uint64_t count = size.count();
  for (const auto& [shift, unit] : {std::pair(30, 'G'), std::pair(20, 'M'), std::pair(10, 'K')}) {
    if (count % (std::uint64_t{1} << shift) == 0) return fmt::format("{}{}", count >> shift, unit);
  }
  return std::to_string(count);
}

std::string on_off(bool value) { return value ? "on" : "off"; }

std::string create_command(const VmRecord& vm, const ClusterState& state, const std::string& name) {
  Argv argv = {"hvctl", "vm", "create", name, "--cpus", std::to_string(vm.cpus), "--memory", size_option(vm.memory)};
  const std::vector<VolumeRecord> volumes = state.volumes_of(vm);
  for (const VolumeRecord& volume : volumes) option(argv, "--disk-size", size_option(volume.size));
  if (!volumes.empty()) {
    option(argv, "--storage-type", std::string(to_text(volumes.front().kind)));
    option(argv, "--storage", volumes.front().pool.str());
  }
  for (const NicRecord& nic : vm.nics) option(argv, "--network", nic.network.str());
  option(argv, "--kernel", vm.boot.kernel);
  option(argv, "--initramfs", vm.boot.initramfs);
  option(argv, "--cmdline", vm.boot.cmdline);
  option(argv, "--firmware", vm.boot.firmware);
  option(argv, "--hypervisor", std::string(to_text(vm.hypervisor)));
  option(argv, "--node", vm.owner.str());
  if (vm.autostart) argv.emplace_back("--autostart");
  return host::to_shell_line(argv);
}

std::string create_command(const PoolRecord& pool) {
  Argv argv = {"hvctl", "storage", "create", pool.name.str()};
  if (pool.kind == PoolKind::directory) {
    option(argv, "--dir", pool.path);
  } else {
    option(argv, "--vg", pool.volume_group);
    for (const auto& [node, group] : pool.per_node_volume_group) option(argv, "--node-vg", fmt::format("{}={}", node, group));
    if (pool.kind == PoolKind::thin) argv.emplace_back("--thin");
  }
  return host::to_shell_line(argv);
}

class Repeating {
 public:
  Repeating(const SettleQuestion& question, const ClusterState& after) : q_(question), after_(after) {}

  std::vector<ToRepeat> run() {
    for (const auto& [kind, key] : touched()) {
      if (is_given_up_list(kind, key) || (kind == Kind::setting && is_pending_delete(key))) continue;
      switch (kind) {
        case Kind::network: network(NetworkName::trusted(key)); break;
        case Kind::pool: pool(PoolName::trusted(key)); break;
        case Kind::vm: vm(VmName::trusted(key)); break;
        case Kind::volume: volume(VolumeName::trusted(key)); break;
        case Kind::node: node(NodeName::trusted(key)); break;
        case Kind::setting: is_access_key(key) ? access(key) : setting(key); break;
      }
    }
    return std::move(list_);
  }

 private:
  const ClusterState& theirs() const { return q_.theirs.state; }

  /// What a VM stands on comes before the VM.
  std::vector<std::pair<Kind, std::string>> touched() const {
    std::set<std::pair<int, std::string>> seen;
    // Roles are given last: to whom is there by then, on VMs that are.
    const std::vector<Kind> order = {Kind::node, Kind::setting, Kind::network, Kind::pool, Kind::vm, Kind::volume, Kind::setting, Kind::setting, Kind::setting};
    const auto rank = [&](Kind kind, const std::string& key) {
      if (kind == Kind::setting && is_access_key(key)) return key.starts_with("user/") ? 6 : key.starts_with("group/") ? 7 : 8;
      return static_cast<int>(std::find(order.begin(), order.end(), kind) - order.begin());
    };
    if (q_.theirs.is_complete) {
      for (const HistoryEntry& entry : q_.theirs.entries) {
        for (const TouchedObject& object : entry.objects) seen.emplace(rank(object.kind, object.key), object.key);
      }
    } else {
      // What it changed cannot be told any more: whatever differs.
      for (const Kind kind : order) {
        for (const ClusterState* state : {&theirs(), &after_}) {
          for (const auto& [key, entry] : state->all(kind)) seen.emplace(rank(kind, key), key);
        }
      }
    }
    std::vector<std::pair<Kind, std::string>> list;
    for (const auto& [position, key] : seen) list.emplace_back(order.at(static_cast<std::size_t>(position)), key);
    return list;
  }

  void add(std::string text, std::string command) { list_.push_back({std::move(text), std::move(command)}); }
  bool also_changed_by_base(Kind kind, const std::string& key) const {
    return std::any_of(q_.ours.entries.begin(), q_.ours.entries.end(), [&](const HistoryEntry& entry) {
      return std::any_of(entry.objects.begin(), entry.objects.end(), [&](const TouchedObject& object) { return object.kind == kind && object.key == key; });
    });
  }

  void network(const NetworkName& name) {
    const auto there = theirs().network(name);
    const auto here = after_.network(name);
    if (there.ok() && !here.ok()) add(fmt::format("the network {} on bridge {}", name.str(), there->bridge), fmt::format("hvctl network create {} --bridge {}", name.str(), there->bridge));
    if (!there.ok() && here.ok()) add(fmt::format("the network {} was deleted", name.str()), fmt::format("hvctl network delete {}", name.str()));
    if (there.ok() && here.ok() && *there != *here) add(fmt::format("the network {} is bridge {} there, {} here: no command changes that", name.str(), there->bridge, here->bridge), "");
  }

  void pool(const PoolName& name) {
    const auto there = theirs().pool(name);
    const auto here = after_.pool(name);
    if (there.ok() && !here.ok()) add(fmt::format("the storage pool {}", name.str()), create_command(*there));
    if (!there.ok() && here.ok()) add(fmt::format("the storage pool {} was deleted", name.str()), fmt::format("hvctl storage delete {}", name.str()));
    if (there.ok() && here.ok() && *there != *here) add(fmt::format("the storage pool {} lies elsewhere there: {}", name.str(), create_command(*there)), "");
  }

  void vm(const VmName& name) {
    const auto there = theirs().vm(name);
    const auto here = after_.vm(name);
    if (!there.ok() && here.ok()) add(fmt::format("{} was deleted", name.str()), fmt::format("hvctl vm delete {}", name.str()));
    if (!there.ok()) return;
    if (!here.ok()) return add(fmt::format("the VM {}, with new disks", name.str()), create_command(*there, theirs(), name.str()));
    if (here->uuid != there->uuid) return add(fmt::format("the other VM of the name {}, with new disks", name.str()), create_command(*there, theirs(), name.str() + "-2"));
    vm_fields(*here, *there);
  }

  void vm_fields(const VmRecord& here, const VmRecord& there) {
    Argv argv = {"hvctl", "vm", "update", here.name.str()};
    std::string words;
    const auto say = [&words](const std::string& word) { words += (words.empty() ? "" : ", ") + word; };
    if (here.cpus != there.cpus) {
      say(fmt::format("{} CPUs", there.cpus));
      option(argv, "--cpus", std::to_string(there.cpus));
    }
    if (here.memory != there.memory) {
      say(fmt::format("{} of memory", there.memory.to_text()));
      option(argv, "--memory", size_option(there.memory));
    }
    if (here.autostart != there.autostart) {
      say(fmt::format("autostart {}", on_off(there.autostart)));
      option(argv, "--autostart", on_off(there.autostart));
    }
    if (here.delete_protection != there.delete_protection) {
      say(fmt::format("delete protection {}", on_off(there.delete_protection)));
      option(argv, "--delete-protection", on_off(there.delete_protection));
    }
    if (here.boot != there.boot) {
      say("other boot files");
      const auto changed = [&](const char* name, const std::string& now, const std::string& wanted) {
        if (now == wanted) return;
        argv.emplace_back(name);
        argv.push_back(wanted);
      };
      changed("--kernel", here.boot.kernel, there.boot.kernel);
      changed("--initramfs", here.boot.initramfs, there.boot.initramfs);
      changed("--cmdline", here.boot.cmdline, there.boot.cmdline);
      changed("--firmware", here.boot.firmware, there.boot.firmware);
    }
    // A lock refuses every other change: last.
    if (here.lock && !there.lock) {
      say("not locked");
      argv.emplace_back("--unlock");
    } else if (there.lock && here.lock != there.lock) {
      say("locked");
      option(argv, "--lock", there.lock->reason.empty() ? "locked" : there.lock->reason);
    }
    const std::string both = also_changed_by_base(Kind::vm, here.name.str()) ? fmt::format(" ({} changed it as well: look at hvctl vm info {} first)", q_.base.str(), here.name.str()) : std::string();
    if (!words.empty()) add(fmt::format("{}: {}{}", here.name.str(), words, both), host::to_shell_line(argv));
    if (there.deleting && !here.deleting) add(fmt::format("{} was being deleted{}", here.name.str(), both), fmt::format("hvctl vm delete {}", here.name.str()));
    if (here.volumes != there.volumes || here.nics != there.nics || here.hypervisor != there.hypervisor) {
      add(fmt::format("{} has other disks, network cards or another hypervisor there: no command changes these{}", here.name.str(), both), "");
    }
  }

  /// Who was Primary last goes with the VM. A verdict is about both copies: only another run says what holds now.
  void volume(const VolumeName& name) {
    const auto there = theirs().volume(name);
    const auto here = after_.volume(name);
    if (!there.ok() || !here.ok()) return;
    const auto vm_here = after_.vm(here->vm);
    const auto vm_there = theirs().vm(there->vm);
    if (!vm_here.ok() || !vm_there.ok() || vm_here->uuid != vm_there->uuid) return;
    if (there->verdict != here->verdict) add(fmt::format("a verify of {} ended there ({})", name.str(), to_text(there->verdict.kind)), fmt::format("hvctl verify {}", here->vm.str()));
    if (there->size != here->size || there->kind != here->kind || there->pool != here->pool) {
      add(fmt::format("{} is {} {} in {} there: no command changes that", name.str(), there->size.to_text(), to_text(there->kind), there->pool.str()), "");
    }
  }

  void node(const NodeName& name) {
    const auto there = theirs().node(name);
    const auto here = after_.node(name);
    if (!there.ok() || !here.ok()) {
      if (there.ok() != here.ok()) add(fmt::format("the node {} is {} there", name.str(), there.ok() ? "a member" : "no member"), "");
      return;
    }
    const std::string& address = there->cluster_address;
    if (address != here->cluster_address && !address.empty()) add(fmt::format("on {}: its cluster address", name.str()), "hvctl node set-ip-address " + address);
    const std::string& replication = there->drbd_address;
    if (replication != here->drbd_address && !replication.empty()) add(fmt::format("on {}: its replication address", name.str()), "hvctl node set-drbd-address " + replication);
    if (there->fingerprint != here->fingerprint) add(fmt::format("{} has another key there", name.str()), "");
  }

  void access(const std::string& key) {
    const ClusterState::Entry* there = theirs().find(Kind::setting, key);
    const ClusterState::Entry* here = after_.find(Kind::setting, key);
    if (key.starts_with("user/")) return user(key.substr(key.find('/') + 1), there != nullptr, here != nullptr);
    if (key.starts_with("group/")) return group(GroupName::trusted(key.substr(key.find('/') + 1)));
    if ((there != nullptr) == (here != nullptr)) return;
    const auto grant = GrantRecord::from_json(there != nullptr ? there->value : here->value);
    // Removed with the user, the group or the VM it was for.
    const bool is_moot = there == nullptr && grant.ok() && (theirs().find(Kind::setting, to_path(grant->grantee)) == nullptr || (grant->vm && !is_current(theirs(), *grant->vm)));
    if (!grant.ok() || is_moot) return;
    Argv argv = {"hvctl", "grant", there != nullptr ? "add" : "remove"};
    if (const auto* user = std::get_if<UserName>(&grant->grantee)) option(argv, "--user", user->str());
    if (const auto* group = std::get_if<GroupName>(&grant->grantee)) option(argv, "--group", group->str());
    option(argv, "--role", std::string(to_text(grant->role)));
    if (grant->vm) option(argv, "--vm", grant->vm->name.str());
    const std::string where = grant->vm ? " on " + grant->vm->name.str() : "";
    add(fmt::format("{} has the role {}{}{}", to_text(grant->grantee), to_text(grant->role), where, there != nullptr ? "" : " no more"), host::to_shell_line(argv));
  }

  void user(const std::string& name, bool there, bool here) {
    if (there && !here) add(fmt::format("the user {}", name), fmt::format("hvctl user add {}", name));
    if (!there && here) add(fmt::format("the user {} was removed", name), fmt::format("hvctl user remove {}", name));
  }

  void group(const GroupName& name) {
    const auto there = find_group(theirs(), name);
    const auto here = find_group(after_, name);
    if (!there && here) add(fmt::format("the group {} was deleted", name.str()), fmt::format("hvctl group delete {}", name.str()));
    if (!there) return;
    if (!here) add(fmt::format("the group {}", name.str()), fmt::format("hvctl group create {}", name.str()));
    const std::vector<UserName> before = here ? here->members : std::vector<UserName>();
    const auto missing = [](const std::vector<UserName>& list, const UserName& user) { return std::find(list.begin(), list.end(), user) == list.end(); };
    for (const UserName& member : there->members) {
      if (missing(before, member)) add(fmt::format("{} is in the group {}", member.str(), name.str()), fmt::format("hvctl group add {} {}", name.str(), member.str()));
    }
    for (const UserName& member : before) {
      if (missing(there->members, member) && has_user(theirs(), member)) add(fmt::format("{} is in the group {} no more", member.str(), name.str()), fmt::format("hvctl group remove {} {}", name.str(), member.str()));
    }
  }

  void setting(const std::string& key) {
    const ClusterState::Entry* there = theirs().find(Kind::setting, key);
    const ClusterState::Entry* here = after_.find(Kind::setting, key);
    if ((there == nullptr && here == nullptr) || (there != nullptr && here != nullptr && there->value == here->value)) return;
    if (key == peer_loss_setting) {
      add(fmt::format("when a node loses the other one: {}", to_text(peer_loss(theirs()))), fmt::format("hvctl cluster update --peer-loss {}", to_text(peer_loss(theirs()))));
    } else if (key == "drbd" && there != nullptr && there->value == "enabled") {
      add("replication is enabled", "hvctl drbd enable");
    } else {
      add(fmt::format("the setting {} {}", key, there == nullptr ? "is not there" : "has another value there"), "");
    }
  }

  const SettleQuestion& q_;
  const ClusterState& after_;
  std::vector<ToRepeat> list_;
};

}  // namespace

std::vector<ToRepeat> to_repeat(const SettleQuestion& question, const ClusterState& after) { return Repeating(question, after).run(); }

}  // namespace mcv::authority

// SPDX-License-Identifier: Apache-2.0
// One node's DRBD at the level of its tools: answers commands, tells events2 what changed, writes /proc/drbd and the
// kernel's log. The peer is whatever the test says.
#pragma once

#include <fmt/format.h>

#include "machine.h"
#include "storage/drbd/helper/fence_protocol.h"
#include "storage/drbd/monitor.h"

namespace mcv::test {

class FakeDrbd {
 public:
  explicit FakeDrbd(Machine& machine) : machine_(machine), monitor(machine.host), tasks_(machine.loop.get_executor()) {
    Tools& tools = machine.tools;
    tools.on_stream = [this](Feed& feed) { dump(feed); };
    tools.succeed("modprobe drbd");
    tools.when("drbdmeta 100 v08", [this](const host::Command&) { return has_metadata ? said("0000000000000004:0:0:0") : refused(1, ""); });
    tools.when("drbdmeta --force 100 v08", [this](const host::Command&) {
      has_metadata = true;
      return said("New drbd meta data block successfully created.");
    });
    tools.when(adm + "adjust", [this](const host::Command&) {
      if (!up) bring_up("Inconsistent");
      return said("");
    });
    tools.when(adm + "new-resource", [this](const host::Command&) { return said(""); });
    tools.when(adm + "new-minor", [this](const host::Command&) { return said(""); });
    tools.when(adm + "attach", [this](const host::Command&) {
      bring_up("UpToDate");
      return said("");
    });
    tools.when(adm + "new-current-uuid", [this](const host::Command&) {
      if (disk != "Inconsistent") return refused(10, "100: Failure: (151) Need to be StandAlone");
      set_disks("UpToDate", "UpToDate");
      return said("");
    });
    tools.when(adm + "primary --force", [this](const host::Command&) {
      set_role("Primary");
      set_disks("UpToDate", "Inconsistent");
      tell("change peer-device " + peer_key + " replication:SyncSource");
      return said("");
    });
    tools.when(adm + "primary", [this](const host::Command&) {
      if (promote_error != 0) return refused(11, fmt::format("100: State change failed: ({}) text", promote_error));
      set_role("Primary");
      return said("");
    });
    tools.when(adm + "secondary", [this](const host::Command&) {
      if (openers > 0) {
        --openers;
        return refused(11, "100: State change failed: (-12) Device is held open by someone");
      }
      set_role("Secondary");
      return said("");
    });
    tools.when(adm + "resume-io", [this](const host::Command&) {
      tell("change resource name:mcv-vm1-0 suspended:no");
      return said("");
    });
    tools.when(adm + "connect", [this](const host::Command&) {
      tell("create connection " + peer_key + " connection:Connecting role:Unknown");
      return said("");
    });
    tools.when(adm + "disconnect", [this](const host::Command&) {
      tell("destroy connection " + peer_key);
      return said("");
    });
    tools.when("drbdsetup get-gi 100", [this](const host::Command&) { return said(generation); });
    tools.when("drbdsetup down mcv-vm1-0", [this](const host::Command&) {
      up = false;
      tell("destroy resource name:mcv-vm1-0");
      return said("");
    });
    machine.files.texts["/proc/drbd"] = "version: 8.4.11 (api:1/proto:86-101)\n";
    machine.files.texts["/sys/module/drbd/parameters/usermode_helper"] = "/sbin/drbdadm\n";
    tasks_.spawn(monitor.run());
    machine.settle();
  }
  ~FakeDrbd() {
    tasks_.cancel();
    machine_.settle();
  }

  void bring_up(const std::string& own_disk) {
    up = true;
    disk = own_disk;
    role = "Secondary";
    for (const std::string& line : state_lines("create")) tell(line);
  }
  void connect(const std::string& of_peer) {
    peer_disk = of_peer;
    tell("change connection " + peer_key + " connection:Connected role:Secondary");
    tell("change peer-device " + peer_key + " volume:0 replication:Established peer-disk:" + of_peer);
  }
  void set_disks(const std::string& own, const std::string& of_peer) {
    disk = own;
    peer_disk = of_peer;
    tell("change device name:mcv-vm1-0 volume:0 minor:100 disk:" + own);
    tell("change peer-device " + peer_key + " volume:0 peer-disk:" + of_peer);
  }
  void set_role(const std::string& now) {
    role = now;
    tell("change resource name:mcv-vm1-0 role:" + now);
  }
  void tell(const std::string& line) {
    if (!machine_.tools.feeds.empty()) machine_.tools.feeds.back()->push(line);
  }

  const std::string adm = "drbdadm --config-file /etc/drbd.d/mcv-vm1-0.res ";
  const std::string peer_key = "name:mcv-vm1-0 peer-node-id:0 conn-name:peer";
  bool has_metadata = false;
  bool up = false;
  std::string disk = "Diskless", peer_disk = "DUnknown", role = "Secondary";
  std::string generation = "0000000000000004:0000000000000000:0000000000000000:0000000000000000:0:0:0:1:0:1:0";
  int promote_error = 0;
  int openers = 0;

 private:
  static host::ProcessResult said(std::string text) { return {0, std::move(text), ""}; }
  static host::ProcessResult refused(int code, std::string text) { return {code, "", std::move(text)}; }
  std::vector<std::string> state_lines(const std::string& action) const {
    return {action + " resource name:mcv-vm1-0 role:" + role + " suspended:no",
            action + " device name:mcv-vm1-0 volume:0 minor:100 disk:" + disk + " size:262144",
            action + " connection " + peer_key + " connection:Connecting role:Unknown congested:no",
            action + " peer-device " + peer_key + " volume:0 replication:Off peer-disk:DUnknown out-of-sync:0"};
  }
  void dump(Feed& feed) {
    if (up) {
      for (const std::string& line : state_lines("exists")) feed.push(line);
    }
    feed.push("exists -");
  }

  Machine& machine_;

 public:
  drbd::DrbdMonitor monitor;

 private:
  TaskGroup tasks_;
};

}  // namespace mcv::test

// SPDX-License-Identifier: Apache-2.0
// One node's machine: what answers the argv the daemon runs. Survives the daemon; its volatile part ends with the power.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/scheduler.h"
#include "world/sim_drbd.h"
#include "world/sim_files.h"
#include "world/sim_group.h"
#include "world/sim_lvm.h"

namespace mcv::sim {

/// A VMM process and the guest in it.
struct SimVmm {
  std::string unit;
  std::string vm;
  std::int64_t pid = 0;
  std::string invocation;
  std::string monitor_path, console_path;
  std::string phase = "prelaunch";           ///< as query-status says it
  std::vector<std::string> disks;            ///< device paths
  std::vector<std::string> taps;
  bool dying = false;                        ///< SIGKILL came, and held I/O keeps it
  std::uint64_t life = 0;                    ///< of the guest: ends at each boot, reset and power-off
  bool booted = false;
  std::function<void(const std::string&)> to_client;  ///< the monitor's one client
  /// Its main loop waits for a held disk, as QEMU's does once a flush is under way: the monitor answers when the disk goes on.
  bool stalls_when_held = false;
  std::deque<std::function<void(SimVmm&)>> postponed;  ///< what it has to do then
  Owner client = 0;                                   ///< the daemon's life it belongs to: the kernel closes what a dead process held
  std::function<void(const std::string&)> to_console; ///< the serial console's one client
  std::string typed;                                  ///< what came by the console
  std::vector<std::function<void()>> on_end;

  bool executes() const { return phase == "running"; }
};

struct SimUnit {
  std::string state;             ///< active, failed
  std::string result = "success";
  int code = 0, status = 0;
  std::int64_t pid = 0;
  std::string invocation;
};

struct SimLink {
  std::string kind, master;
  bool up = false, tap = false, vnet_header = false;
  std::uint32_t owner = 0;
  std::string open_by;
  std::string address;
};

class SimMachine {
 public:
  SimMachine(Scheduler& scheduler, std::size_t node, std::string name, FileDisk& files, SimCorosync& corosync);

  void attach(SimDrbd& drbd) { drbd_ = &drbd; }
  /// At once; the caller takes care of latency. 127 for tools that are not there.
  ToolAnswer run(const std::vector<std::string>& argv);
  SimVmm* vmm_at(const std::string& socket_path);
  void monitor_greets(SimVmm& vmm);                         ///< its new client
  void monitor_says(SimVmm& vmm, const std::string& line);  ///< a line from the client
  /// The guest turns itself off in a while; false while it is not up.
  bool power_down(SimVmm& vmm);
  void power_off();
  void boot();
  bool powered() const { return powered_; }
  std::uint64_t boots() const { return boots_; }

  /// Told by guests: the write is durable, says the disk.
  std::function<void(const std::string& vm, std::uint64_t block, std::uint64_t value)> on_acknowledged;
  /// The daemon resets the machine.
  std::function<void(SimMachine& machine)> on_reset;
  /// Asked when a VMM opens its disk.
  std::function<void(SimMachine& machine, SimVmm& vmm)> on_open;

  bool unified_cgroups = true;  ///< cgroup v2 alone
  std::uint64_t memory_kib = 16'000'000;
  bool shutting_down = false;   ///< a reboot or power-off was asked for
  SimLvm lvm;
  std::map<std::string, SimLink> links;
  std::map<std::string, SimUnit> units;
  std::set<std::string> timers;  ///< started
  std::map<std::uint32_t, std::string> accounts;  ///< beside root
  std::set<std::string> hanging_tools;            ///< do nothing and do not end
  std::set<std::string> removed_packages;         ///< their tools are not there
  std::map<std::string, std::unique_ptr<SimVmm>> vmms;  ///< by unit
  const std::string& name() const { return name_; }
  std::size_t node() const { return node_; }
  std::uint64_t read(const SimVmm& vmm, std::uint64_t block) const;
  /// Whether the kernel holds what it writes.
  bool held(const SimVmm& vmm) const;
  std::string proc_drbd() const { return drbd_->proc(node_); }
  SimDrbd& drbd() { return *drbd_; }

 private:
  ToolAnswer systemd_run(const std::vector<std::string>& argv);
  ToolAnswer cmap() const;
  ToolAnswer getent(const std::vector<std::string>& argv) const;
  ToolAnswer systemctl(const std::vector<std::string>& argv);
  ToolAnswer journalctl(const std::vector<std::string>& argv) const;
  ToolAnswer ip(const std::vector<std::string>& argv);
  std::optional<ToolAnswer> file_tool(const std::vector<std::string>& argv);
  std::string show_links() const;
  void show_in_sysfs(const std::string& name);
  void signal(const std::string& unit, const std::string& signal);
  void end_vmm(const std::string& unit, const std::string& result, int code, int status);
  void kill_when_possible(const std::string& unit);
  void go_on(const std::string& unit, std::int64_t pid);
  void when_it_goes_on(SimVmm& vmm, std::function<void(SimVmm&)> action);
  void monitor_answers(SimVmm& vmm, const std::string& line);
  void start_guest(SimVmm& vmm);
  void guest_writes(const std::string& unit, std::uint64_t life);
  std::optional<std::string> made_up(const std::string& path) const;

  Scheduler& scheduler_;
  std::size_t node_;
  std::string name_;
  FileDisk& files_;
  SimCorosync& corosync_;
  SimDrbd* drbd_ = nullptr;
  bool powered_ = true;
  std::uint64_t boots_ = 1;
  std::int64_t next_pid_ = 1000;
  std::uint64_t next_life_ = 1;
};

}  // namespace mcv::sim

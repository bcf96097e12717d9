// SPDX-License-Identifier: Apache-2.0
#include "world/sim_machine.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

#include "cluster/core/json.h"
#include "cluster/host/packages.h"

namespace mcv::sim {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

constexpr std::uint64_t guest_blocks = 12;
constexpr std::string_view slice = "/sys/fs/cgroup/mcv.slice/";

std::string option(const std::vector<std::string>& argv, const std::string& prefix) {
  for (const std::string& word : argv) {
    if (word.starts_with(prefix)) return word.substr(prefix.size());
  }
  return {};
}

/// "key=value" of a QEMU option.
std::string field(const std::string& text, const std::string& key) {
  std::size_t at = text.starts_with(key + "=") ? 0 : text.find("," + key + "=");
  if (at == std::string::npos) return {};
  at = text.find('=', at) + 1;
  return text.substr(at, text.find(',', at) - at);
}

std::uint32_t drbd_minor(const std::string& path) { return static_cast<std::uint32_t>(std::stoul(path.substr(std::string("/dev/drbd").size()))); }

}  // namespace

SimMachine::SimMachine(Scheduler& scheduler, std::size_t node, std::string name, FileDisk& files, SimCorosync& corosync)
    : scheduler_(scheduler), node_(node), name_(std::move(name)), files_(files), corosync_(corosync) {
  files_.made_up = [this](const std::string& path) { return made_up(path); };
}

/// What sysfs shows of a device.
void SimMachine::show_in_sysfs(const std::string& name) {
  const std::string path = "/sys/class/net/" + name;
  files_.remove_tree(path);
  const auto link = links.find(name);
  if (link == links.end()) return;
  files_.put(path + "/mtu", "1500\n", false);
  if (link->second.kind == "bridge") files_.put(path + "/bridge/.", "", false);
  if (link->second.tap) files_.put(path + "/owner", fmt::format("{}\n", link->second.owner), false);
}

std::optional<std::string> SimMachine::made_up(const std::string& path) const {
  if (path == "/proc/drbd") return drbd_->proc(node_);
  if (path == "/proc/sys/kernel/random/boot_id") return fmt::format("boot-{}-{}\n", name_, boots_);
  if (path == "/proc/meminfo") return fmt::format("MemTotal:       {} kB\nMemFree:        {} kB\nMemAvailable:   {} kB\n", memory_kib, memory_kib / 4 * 3, memory_kib / 8 * 7);
  if (path == "/sys/module/drbd/parameters/usermode_helper" && files_.files.count(path) == 0) return "/sbin/drbdadm\n";
  if (path == "/dev/kvm") return "";
  if (path == "/sys/fs/cgroup/cgroup.controllers" && unified_cgroups) return "cpuset cpu io memory pids\n";
  if (path == "/sys/module/drbd/version") return "8.4.11\n";
  if (path == "/proc/cpuinfo") return "processor\t: 0\nmodel name\t: simulated\nflags\t\t: fpu svm\n\nprocessor\t: 1\nmodel name\t: simulated\nflags\t\t: fpu svm\n\n";
  if (path.starts_with(slice) && path.ends_with("/cgroup.events")) {
    const std::string unit = path.substr(slice.size(), path.rfind('/') - slice.size());
    if (vmms.count(unit) == 0) return std::nullopt;
    return "populated 1\nfrozen 0\n";
  }
  return std::nullopt;
}

ToolAnswer SimMachine::run(const std::vector<std::string>& argv) {
  if (removed_packages.contains(std::string(host::package_of(argv.front())))) return ToolAnswer{127, "", argv.front() + ": not found\n"};
  if (const auto answer = lvm.run(argv)) return *answer;
  if (const auto answer = drbd_->run(node_, argv)) return *answer;
  const std::string& tool = argv.front();
  if (tool == "systemd-run") return systemd_run(argv);
  if (tool == "systemctl") return systemctl(argv);
  if (tool == "journalctl") return journalctl(argv);
  if (tool == "ip") return ip(argv);
  if (tool == "rm") {
    files_.remove_tree(argv.back());
    return ToolAnswer{};
  }
  if (tool == "install") {
    files_.put(argv.back() + "/.", "", true);
    return ToolAnswer{};
  }
  if (const auto answer = file_tool(argv)) return *answer;
  // A word that no calendar has is refused, as systemd does.
  if (tool == "systemd-analyze") return argv.back().find("never") == std::string::npos ? ToolAnswer{} : ToolAnswer{1, "", "Failed to parse calendar specification: Invalid argument\n"};
  if (tool == "getent") return getent(argv);
  if (tool == "stat") return ToolAnswer{0, "4096 1000000 900000\n", ""};
  if (tool == "corosync-cmapctl") return cmap();
  if (tool == "udevadm" || tool == "corosync-cfgtool") return ToolAnswer{};
  if (tool.ends_with("qemu-system-x86_64") && argv.back() == "--version") return ToolAnswer{0, "QEMU emulator version 7.2.9 (Debian 1:7.2+dfsg-7+deb12u5)\n", ""};
  return ToolAnswer{127, "", tool + ": not found\n"};
}

ToolAnswer SimMachine::getent(const std::vector<std::string>& argv) const {
  for (const auto& [uid, name] : accounts) {
    if (argv.back() == name || argv.back() == std::to_string(uid)) return ToolAnswer{0, fmt::format("{}:x:{}:{}::/home/{}:/bin/bash\n", name, uid, uid, name), ""};
  }
  return ToolAnswer{2, "", ""};
}

/// Of a directory pool's images. Mode is not modelled: what root made belongs to root alone.
std::optional<ToolAnswer> SimMachine::file_tool(const std::vector<std::string>& argv) {
  const std::string& tool = argv.front();
  const std::string& path = argv.back();
  if (tool == "fallocate") {
    if (files_.full) return ToolAnswer{1, "", "fallocate: fallocate failed: No space left on device\n"};
    if (!files_.there(path)) files_.put(path, "image", true);
    return ToolAnswer{};
  }
  if (tool != "chown" && tool != "chmod" && tool != "setpriv") return std::nullopt;
  const auto file = files_.files.find(path);
  if (file == files_.files.end()) return ToolAnswer{1, "", tool + ": " + path + ": No such file or directory\n"};
  if (tool == "chown") {
    const std::string& whom = argv[argv.size() - 2];
    file->second.owner = whom.substr(0, whom.find(':'));
  }
  if (tool == "setpriv" && file->second.owner != option(argv, "--reuid=")) return ToolAnswer{1, "", ""};
  return ToolAnswer{};
}

// --- systemd ----------------------------------------------------------------------------------------------

ToolAnswer SimMachine::systemd_run(const std::vector<std::string>& argv) {
  const std::string unit = option(argv, "--unit=");
  if (units.count(unit) != 0) return ToolAnswer{1, "", fmt::format("Failed to start transient service unit: Unit {} was already loaded or has a fragment file.\n", unit)};
  const auto dashes = std::find(argv.begin(), argv.end(), "--");
  const std::vector<std::string> command(dashes == argv.end() ? argv.end() : dashes + 1, argv.end());
  auto vmm = std::make_unique<SimVmm>();
  vmm->unit = unit;
  vmm->pid = next_pid_++;
  vmm->invocation = fmt::format("{:032x}", static_cast<std::uint64_t>(vmm->pid) + (node_ << 32) + (boots_ << 40));
  std::string trouble;
  for (std::size_t i = 0; i + 1 < command.size(); ++i) {
    const std::string& value = command[i + 1];
    if (command[i] == "-name") vmm->vm = field(value, "guest");
    if (command[i] == "-chardev" && field(value, "id") == "monitor") vmm->monitor_path = field(value, "path");
    if (command[i] == "-chardev" && field(value, "id") == "console") vmm->console_path = field(value, "path");
    if (command[i] == "-blockdev") vmm->disks.push_back(field(value, "filename"));
    if (command[i] == "-netdev") vmm->taps.push_back(field(value, "ifname"));
  }
  SimUnit& state = units[unit];
  state.state = "active";
  state.pid = vmm->pid;
  state.invocation = vmm->invocation;
  for (const std::string& disk : vmm->disks) {
    if (disk.starts_with("/dev/drbd")) {
      if (!drbd_->open(node_, drbd_minor(disk), unit)) trouble = "Could not open '" + disk + "': Read-only file system";
    } else if (Lv* volume = lvm.device(disk)) {
      if (!volume->open_by.empty()) trouble = "Failed to get \"write\" lock on " + disk;
      else volume->open_by = unit;
    } else if (const auto image = files_.files.find(disk); image == files_.files.end()) {
      trouble = "Could not open '" + disk + "': No such file or directory";
    } else if (image->second.owner != option(argv, "--property=User=")) {
      trouble = "Could not open '" + disk + "': Permission denied";
    }
  }
  for (const std::string& tap : vmm->taps) {
    const auto link = links.find(tap);
    if (link == links.end() || !link->second.tap || !link->second.open_by.empty()) trouble = "could not configure /dev/net/tun (" + tap + ")";
    else link->second.open_by = unit;
  }
  vmm->stalls_when_held = scheduler_.chance().one_in(2);
  SimVmm& started = *vmm;
  vmms.emplace(unit, std::move(vmm));
  files_.put(std::string(slice) + unit + "/cgroup.procs", "", false);
  scheduler_.say(fmt::format("{}: VMM of {} starts{}", name_, started.vm, trouble.empty() ? "" : ", and fails: " + trouble));
  if (!trouble.empty()) {
    end_vmm(unit, "exit-code", 1, 1);
    return ToolAnswer{};
  }
  if (on_open) on_open(*this, started);
  return ToolAnswer{};
}

void SimMachine::end_vmm(const std::string& unit, const std::string& result, int code, int status) {
  const auto found = vmms.find(unit);
  if (found == vmms.end()) return;
  const auto vmm = std::move(found->second);
  vmms.erase(found);
  files_.remove_tree(std::string(slice) + unit);
  scheduler_.say(fmt::format("{}: VMM of {} ends", name_, vmm->vm));
  for (const std::string& disk : vmm->disks) {
    if (disk.starts_with("/dev/drbd")) drbd_->close(node_, drbd_minor(disk), unit);
    else if (Lv* volume = lvm.device(disk); volume != nullptr && volume->open_by == unit) volume->open_by.clear();
  }
  for (const std::string& tap : vmm->taps) {
    if (const auto link = links.find(tap); link != links.end() && link->second.open_by == unit) link->second.open_by.clear();
  }
  if (result == "success") {
    units.erase(unit);
  } else {
    SimUnit& state = units[unit];
    state.state = "failed";
    state.result = result;
    state.code = code;
    state.status = status;
    state.pid = 0;
  }
  for (const auto& callback : vmm->on_end) callback();
}

bool SimMachine::held(const SimVmm& vmm) const {
  for (const SimDrbd::Seen& seen : drbd_->look(node_)) {
    if (seen.held && seen.open_by.count(vmm.unit) != 0) return true;
  }
  return false;
}

/// SIGKILL does not end a process whose I/O the kernel holds.
void SimMachine::kill_when_possible(const std::string& unit) {
  const auto found = vmms.find(unit);
  if (found == vmms.end()) return;
  found->second->dying = true;
  found->second->phase = "shutdown";
  found->second->life = 0;
  if (!held(*found->second)) {
    end_vmm(unit, "signal", 2, 9);
    return;
  }
  const std::uint64_t boots = boots_;
  scheduler_.after(0, 200ms, [this, unit, boots]() {
    if (boots == boots_ && powered_) kill_when_possible(unit);
  });
}

void SimMachine::signal(const std::string& unit, const std::string& signal) {
  const auto found = vmms.find(unit);
  if (found == vmms.end()) return;
  if (signal == "SIGKILL") {
    kill_when_possible(unit);
    return;
  }
  if (held(*found->second)) return;
  end_vmm(unit, "success", 1, 0);
}

/// Whom this node's corosync sees.
ToolAnswer SimMachine::cmap() const {
  if (!corosync_.running(node_)) return ToolAnswer{1, "", "Failed to initialize the cmap API. Error CS_ERR_LIBRARY\n"};
  std::string text;
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
    text += fmt::format("runtime.members.{}.ip (str) = r(0) ip(10.0.0.{})\nruntime.members.{}.status (str) = {}\n", node + 1, node + 1, node + 1,
                        corosync_.sees(node_, node) ? "joined" : "left");
  }
  return ToolAnswer{0, text, ""};
}

ToolAnswer SimMachine::systemctl(const std::vector<std::string>& argv) {
  const std::string& unit = argv.back();
  const std::string& verb = argv[1];
  if (verb == "reboot") {
    if (on_reset) on_reset(*this);
    return ToolAnswer{};
  }
  if (verb == "is-system-running") return ToolAnswer{shutting_down ? 1 : 0, shutting_down ? "stopping\n" : "running\n", ""};
  if (unit.find("corosync") != std::string::npos) {
    const bool wanted = std::any_of(argv.begin(), argv.end(), [](const std::string& word) { return word == "start" || word == "restart" || word == "--now"; });
    const bool stop = verb == "stop" || verb == "disable" || verb == "restart";
    if (stop) corosync_.stop(node_);
    if (wanted && verb != "disable") corosync_.start(node_);
    if (verb == "is-active") return ToolAnswer{corosync_.running(node_) ? 0 : 3, corosync_.running(node_) ? "active\n" : "inactive\n", ""};
    if (verb == "show") return ToolAnswer{0, fmt::format("LoadState=loaded\nActiveState={}\n", corosync_.running(node_) ? "active" : "inactive"), ""};
    return ToolAnswer{};
  }
  if (verb == "daemon-reload") return ToolAnswer{};
  if (unit.ends_with(".timer")) {
    if (verb == "restart" || verb == "start") timers.insert(unit);
    else timers.erase(unit);
    return ToolAnswer{};
  }
  const auto found = units.find(unit);
  if (verb == "show") {
    if (found == units.end()) return ToolAnswer{0, "LoadState=not-found\nActiveState=inactive\nSubState=dead\nResult=success\nMainPID=0\nExecMainCode=0\nExecMainStatus=0\nInvocationID=\n", ""};
    const SimUnit& state = found->second;
    return ToolAnswer{0,
                      fmt::format("LoadState=loaded\nActiveState={}\nSubState={}\nResult={}\nMainPID={}\nExecMainCode={}\nExecMainStatus={}\nInvocationID={}\n", state.state,
                                  state.state == "active" ? "running" : "failed", state.result, state.pid, state.code, state.status, state.invocation),
                      ""};
  }
  if (verb == "kill") {
    if (found == units.end()) return ToolAnswer{1, "", fmt::format("Failed to kill unit {}: Unit {} not loaded.\n", unit, unit)};
    const std::string which = option(argv, "--signal=");
    const std::uint64_t boots = boots_;
    scheduler_.after(0, milliseconds(scheduler_.chance().between(1, 300)), [this, unit, which, boots]() {
      if (boots == boots_ && powered_) signal(unit, which);
    });
    return ToolAnswer{};
  }
  if (verb == "reset-failed") {
    if (found != units.end() && found->second.state == "failed") units.erase(found);
    return ToolAnswer{};
  }
  if (verb == "list-units") {
    std::string text;
    for (const auto& [name, state] : units) text += fmt::format("{} loaded {} running\n", name, state.state);
    return ToolAnswer{0, text, ""};
  }
  return ToolAnswer{};
}

ToolAnswer SimMachine::journalctl(const std::vector<std::string>& argv) const {
  if (std::find(argv.begin(), argv.end(), "--dmesg") == argv.end()) return ToolAnswer{};
  const bool last = std::find(argv.begin(), argv.end(), "--lines=1") != argv.end();
  return ToolAnswer{0, drbd_->kernel_log(node_, option(argv, "--after-cursor="), last), ""};
}

// --- network ----------------------------------------------------------------------------------------------

std::string SimMachine::show_links() const {
  Json list = Json::array();
  for (const auto& [name, link] : links) {
    Json flags = {"BROADCAST", "MULTICAST"};
    if (link.up) flags.push_back("UP");
    if (link.up) flags.push_back("LOWER_UP");
    Json item = {{"ifname", name}, {"flags", flags}, {"mtu", 1500}, {"operstate", link.up ? "UP" : "DOWN"}, {"address", "52:54:00:00:00:01"}, {"addr_info", Json::array()}};
    if (!link.kind.empty()) item["linkinfo"] = {{"info_kind", link.kind}, {"info_data", {{"type", link.tap ? "tap" : ""}, {"vnet_hdr", link.vnet_header}, {"user", link.owner}}}};
    if (!link.master.empty()) item["master"] = link.master;
    if (!link.address.empty()) item["addr_info"].push_back({{"family", "inet"}, {"local", link.address}, {"prefixlen", 24}, {"scope", "global"}});
    list.push_back(item);
  }
  return list.dump();
}

ToolAnswer SimMachine::ip(const std::vector<std::string>& argv) {
  const auto after = [&](const std::string& word) -> std::string {
    const auto found = std::find(argv.begin(), argv.end(), word);
    return found == argv.end() || found + 1 == argv.end() ? std::string() : *(found + 1);
  };
  if (argv[1].starts_with("-j") || after("address") == "show") return ToolAnswer{0, show_links(), ""};
  const std::string device = after("dev").empty() ? after("name") : after("dev");
  if (after("link") == "add" || after("tuntap") == "add") {
    if (links.count(device) != 0) return ToolAnswer{2, "", "RTNETLINK answers: File exists\n"};
    SimLink link;
    link.kind = argv[1] == "tuntap" ? "tun" : after("type");
    link.tap = argv[1] == "tuntap";
    link.vnet_header = std::find(argv.begin(), argv.end(), "vnet_hdr") != argv.end();
    if (!after("user").empty()) link.owner = static_cast<std::uint32_t>(std::stoul(after("user")));
    links[device] = link;
    show_in_sysfs(device);
    return ToolAnswer{};
  }
  const auto found = links.find(device);
  if (found == links.end()) return ToolAnswer{1, "", fmt::format("Cannot find device \"{}\"\n", device)};
  if (after("link") == "delete") {
    links.erase(found);
    show_in_sysfs(device);
    return ToolAnswer{};
  }
  if (!after("master").empty()) found->second.master = after("master");
  if (argv.back() == "up") found->second.up = true;
  return ToolAnswer{};
}

// --- the VMM and its guest --------------------------------------------------------------------------------

SimVmm* SimMachine::vmm_at(const std::string& socket_path) {
  for (auto& [unit, vmm] : vmms) {
    if ((vmm->monitor_path == socket_path || vmm->console_path == socket_path) && !vmm->dying) return vmm.get();
  }
  return nullptr;
}

/// What came while it stood still is done, in its order, when the disk goes on.
void SimMachine::go_on(const std::string& unit, std::int64_t pid) {
  scheduler_.after(0, 50ms, [this, unit, pid]() {
    const auto found = vmms.find(unit);
    if (found == vmms.end() || found->second->pid != pid) return;
    if (held(*found->second)) return go_on(unit, pid);
    for (const auto& action : std::exchange(found->second->postponed, {})) {
      const auto there = vmms.find(unit);
      if (there != vmms.end() && there->second->pid == pid) action(*there->second);
    }
  });
}

void SimMachine::when_it_goes_on(SimVmm& vmm, std::function<void(SimVmm&)> action) {
  if (!vmm.stalls_when_held || !held(vmm)) return action(vmm);
  if (vmm.postponed.empty()) go_on(vmm.unit, vmm.pid);
  vmm.postponed.push_back(std::move(action));
}

void SimMachine::monitor_greets(SimVmm& vmm) {
  when_it_goes_on(vmm, [](SimVmm& now) {
    if (now.to_client) now.to_client("{\"QMP\":{\"version\":{\"qemu\":{\"micro\":9,\"minor\":2,\"major\":7},\"package\":\"\"},\"capabilities\":[]}}\n");
  });
}

void SimMachine::monitor_says(SimVmm& vmm, const std::string& line) {
  when_it_goes_on(vmm, [this, line](SimVmm& now) { monitor_answers(now, line); });
}

void SimMachine::monitor_answers(SimVmm& vmm, const std::string& line) {
  const auto json = parse_json(line);
  if (!json.ok() || !vmm.to_client) return;
  const std::string command = json->value("execute", "");
  static const std::set<std::string> known = {"qmp_capabilities", "query-status", "cont", "system_reset", "system_powerdown", "quit"};
  Json reply = {{"return", Json::object()}, {"id", json->value("id", Json())}};
  if (known.count(command) == 0) {
    reply.erase("return");
    reply["error"] = {{"class", "CommandNotFound"}, {"desc", fmt::format("The command {} has not been found", command)}};
  }
  if (command == "query-status") reply["return"] = {{"status", vmm.phase}, {"singlestep", false}, {"running", vmm.phase == "running"}};
  if (command == "cont" && (vmm.phase == "prelaunch" || vmm.phase == "paused")) {
    start_guest(vmm);
    vmm.to_client("{\"event\":\"RESUME\"}\n");
  }
  if (command == "system_reset" && vmm.phase == "running") {
    start_guest(vmm);
    vmm.to_client("{\"event\":\"RESET\",\"data\":{\"guest\":false}}\n");
  }
  if (command == "system_powerdown") {
    power_down(vmm);
    vmm.to_client("{\"event\":\"POWERDOWN\"}\n");
  }
  vmm.to_client(reply.dump() + "\n");
  if (command == "quit") {
    const std::string unit = vmm.unit;
    scheduler_.after(0, 1ms, [this, unit]() { end_vmm(unit, "success", 1, 0); });
  }
}

bool SimMachine::power_down(SimVmm& vmm) {
  if (!vmm.booted) return false;
  const std::string unit = vmm.unit;
  const std::uint64_t life = vmm.life;
  std::function<void()> off = [this, unit, life]() {
    const auto found = vmms.find(unit);
    if (found == vmms.end() || found->second->life != life || held(*found->second)) return;
    found->second->phase = "shutdown";
    found->second->life = 0;
    found->second->booted = false;
    scheduler_.say(fmt::format("{}: guest {} powered off", name_, found->second->vm));
    if (!found->second->to_client) return;
    found->second->to_client("{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,\"reason\":\"guest-shutdown\"}}\n");
    // The client may have gone by that.
    if (found->second->to_client) found->second->to_client("{\"event\":\"STOP\"}\n");
  };
  scheduler_.after(0, milliseconds(scheduler_.chance().between(500, 4000)), [off]() { off(); });
  return true;
}

void SimMachine::start_guest(SimVmm& vmm) {
  vmm.phase = "running";
  vmm.booted = false;
  vmm.life = next_life_++;
  const std::string unit = vmm.unit;
  const std::uint64_t life = vmm.life;
  scheduler_.say(fmt::format("{}: guest {} runs", name_, vmm.vm));
  scheduler_.after(0, milliseconds(scheduler_.chance().between(2000, 6000)), [this, unit, life]() {
    const auto found = vmms.find(unit);
    if (found == vmms.end() || found->second->life != life) return;
    found->second->booted = true;
    guest_writes(unit, life);
  });
}

std::uint64_t SimMachine::read(const SimVmm& vmm, std::uint64_t block) const {
  if (vmm.disks.empty()) return 0;
  const std::string& disk = vmm.disks.front();
  if (disk.starts_with("/dev/drbd")) return drbd_->read(node_, drbd_minor(disk), block);
  const auto volume = lvm.volumes.find(disk.substr(5));
  if (volume == lvm.volumes.end()) return 0;
  const auto found = volume->second.blocks.find(block);
  return found == volume->second.blocks.end() ? 0 : found->second;
}

/// A numbered record, synced; the next one when the disk said it is there.
void SimMachine::guest_writes(const std::string& unit, std::uint64_t life) {
  const auto found = vmms.find(unit);
  if (found == vmms.end() || found->second->life != life || found->second->disks.empty()) return;
  SimVmm& vmm = *found->second;
  const std::string vm = vmm.vm;
  std::uint64_t value = 0;
  for (std::uint64_t block = 0; block < guest_blocks; ++block) value = std::max(value, read(vmm, block));
  ++value;
  const std::uint64_t block = value % guest_blocks;
  const auto acknowledged = [this, unit, life, vm, block, value]() {
    if (on_acknowledged) on_acknowledged(vm, block, value);
    scheduler_.after(0, milliseconds(scheduler_.chance().between(100, 900)), [this, unit, life]() { guest_writes(unit, life); });
  };
  const std::string& disk = vmm.disks.front();
  if (disk.starts_with("/dev/drbd")) {
    drbd_->write(node_, drbd_minor(disk), block, value, acknowledged);
    return;
  }
  const std::uint64_t boots = boots_;
  scheduler_.after(0, milliseconds(2), [this, disk, block, value, boots, acknowledged]() {
    Lv* volume = lvm.device(disk);
    if (boots != boots_ || !powered_ || volume == nullptr) return;
    volume->blocks[block] = value;
    acknowledged();
  });
}

void SimMachine::power_off() {
  scheduler_.say("power off " + name_);
  powered_ = false;
  ++boots_;
  auto gone = std::exchange(vmms, {});
  units.clear();
  timers.clear();
  std::erase_if(links, [](const auto& item) { return !item.second.kind.empty(); });
  lvm.power_cut();
  drbd_->power_off(node_);
  files_.power_cut();
  corosync_.power_off(node_);
}

void SimMachine::boot() {
  scheduler_.say("power on " + name_);
  powered_ = true;
  shutting_down = false;
  for (auto& [name, link] : links) {
    link.master.clear();
    show_in_sysfs(name);
  }
  drbd_->boot(node_);
}

}  // namespace mcv::sim

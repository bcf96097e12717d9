// SPDX-License-Identifier: Apache-2.0
// The simulator's QEMU and LVM, held to what the real ones said (tests/data/qmp, tests/data/lvm).
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "cluster/core/json.h"
#include "engine/scheduler.h"
#include "world/sim_machine.h"

namespace mcv::sim::machine_model_test {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> lines_of(const std::string& name) {
  std::ifstream file(std::string(MCV_TEST_DATA) + "/" + name);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::string text_of(const std::string& name) {
  std::string text;
  for (const std::string& line : lines_of(name)) text += line + "\n";
  return text;
}

class MachineModel : public ::testing::Test {
 protected:
  MachineModel() {
    machine_.lvm.groups["vg0"] = std::uint64_t{20} << 30;
    std::array<SimDrbd::Node, 2> nodes;
    for (auto& node : nodes) node = {&machine_.lvm, &files_, "A"};
    drbd_ = std::make_unique<SimDrbd>(scheduler_, nodes);
    machine_.attach(*drbd_);
  }

  Scheduler scheduler_{1};
  FileDisk files_;
  SimCorosync corosync_{scheduler_};
  SimMachine machine_{scheduler_, 0, "A", files_, corosync_};
  std::unique_ptr<SimDrbd> drbd_;
};

/// Without what is of the moment.
Json timeless(const std::string& line) {
  const auto json = parse_json(line);
  if (!json.ok()) return line;
  Json said = *json;
  said.erase("timestamp");
  if (said.contains("QMP")) said = "greeting";
  return said;
}

TEST_F(MachineModel, QemuSaysWhatTheRealOneSaid) {
  std::vector<std::string> argv = {"systemd-run", "--unit=mcv-vm-vm1.service", "--"};
  for (const std::string& word : lines_of("qmp/command_line_kernel.txt")) argv.push_back(word);
  // Its disks are not there: this is about the monitor.
  for (std::size_t i = 0; i + 1 < argv.size(); ++i) {
    if (argv[i] == "-blockdev" || argv[i] == "-netdev") argv.erase(argv.begin() + static_cast<std::ptrdiff_t>(i), argv.begin() + static_cast<std::ptrdiff_t>(i) + 2), --i;
  }
  files_.put("/usr/bin/qemu-system-x86_64", "binary", true);
  const ToolAnswer started = machine_.run(argv);
  ASSERT_EQ(0, started.exit_code) << started.err;
  scheduler_.run_until([] { return false; }, 1s);
  ASSERT_EQ(1u, machine_.vmms.size());
  SimVmm& vmm = *machine_.vmms.begin()->second;
  std::vector<Json> said = {"greeting"};
  vmm.to_client = [&](const std::string& line) { said.push_back(timeless(line)); };
  const auto say = [&](int id, const char* command) {
    machine_.monitor_says(vmm, Json{{"execute", command}, {"id", id}}.dump());
  };
  say(1, "qmp_capabilities");
  say(2, "no-such-command");
  say(3, "query-status");
  say(4, "cont");
  say(5, "query-status");
  // As the recorded guest: up when it is asked to turn itself off.
  ASSERT_TRUE(scheduler_.run_until([&] { return vmm.booted; }, 60s));
  say(6, "system_powerdown");
  ASSERT_TRUE(scheduler_.run_until([&] { return vmm.phase == "shutdown"; }, 60s));
  say(7, "query-status");
  std::vector<Json> recorded;
  for (const std::string& line : lines_of("qmp/session.txt")) recorded.push_back(timeless(line));
  EXPECT_EQ(recorded, said);
}

/// Object name -> its fields, of the rows of one report.
std::map<std::string, Json> rows_of(const std::string& text, const char* kind, const char* name) {
  std::map<std::string, Json> rows;
  const auto json = parse_json(text);
  if (!json.ok()) return rows;
  for (const Json& row : json->at("report").at(0).at(kind)) rows[row.value(name, "")] = row;
  return rows;
}

/// What the model has no reason to know to the digit.
Json without_measures(Json row) {
  for (const char* field : {"data_percent", "metadata_percent", "vg_free", "vg_size"}) {
    if (row.contains(field)) row[field] = row[field] == "" ? "none" : "some";
  }
  return row;
}

TEST_F(MachineModel, LvmReportsWhatTheRealOneReported) {
  const auto run = [&](std::vector<std::string> argv) { ASSERT_EQ(0, machine_.run(argv).exit_code) << argv.front(); };
  run({"lvcreate", "--yes", "--type", "thin-pool", "--size", "4294967296b", "--name", "mcv-fast", "--addtag", "mcv", "vg0"});
  run({"lvchange", "--errorwhenfull", "y", "vg0/mcv-fast"});
  run({"lvcreate", "--yes", "--type", "thin", "--virtualsize", "268435456b", "--thinpool", "vg0/mcv-fast", "--name", "mcv-vm1-0", "--addtag", "mcv", "--addtag", "mcv.by.A-7"});
  run({"lvcreate", "--yes", "--type", "thin", "--virtualsize", "4194304b", "--thinpool", "vg0/mcv-fast", "--name", "mcv-vm1-0.md", "--addtag", "mcv", "--addtag", "mcv.by.A-7"});
  for (const auto& [kind, name, tool, file] : {std::array{"lv", "lv_name", "lvs", "lvm/lvs.json"}, std::array{"vg", "vg_name", "vgs", "lvm/vgs.json"}}) {
    const auto recorded = rows_of(text_of(file), kind, name);
    const auto reported = rows_of(machine_.run({tool}).out, kind, name);
    ASSERT_FALSE(recorded.empty());
    ASSERT_EQ(recorded.size(), reported.size());
    for (const auto& [object, row] : recorded) {
      ASSERT_TRUE(reported.count(object) != 0) << object;
      EXPECT_EQ(without_measures(row), without_measures(reported.at(object))) << object;
    }
  }
}

}  // namespace
}  // namespace mcv::sim::machine_model_test

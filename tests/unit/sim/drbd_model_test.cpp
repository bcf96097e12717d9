// SPDX-License-Identifier: Apache-2.0
// The simulator's DRBD plays the session that two real nodes played (tests/lab/record_drbd.py), and must show the same: exit codes,
// the kernel's reasons of refusal, and after each step what both nodes show.
#include <gtest/gtest.h>

#include <array>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "cluster/core/json.h"
#include "engine/scheduler.h"
#include "storage/drbd/commands.h"
#include "storage/drbd/resource_file.h"
#include "world/sim_drbd.h"

namespace mcv::sim {
namespace {

using namespace std::chrono_literals;

constexpr const char* resource = "mcv-vm1-0";
constexpr std::uint32_t minor_number = 100;

std::string text_of(const std::string& name) {
  std::ifstream file(std::string(MCV_TEST_DATA) + "/drbd/session/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Json json_of(const std::string& name) {
  const auto json = parse_json(text_of(name));
  return json.ok() ? *json : Json();
}

/// The words both sides know, by "object word"; out-of-sync as "1" or "0": the kernel counts more than the block.
std::map<std::string, std::string> shown(const std::vector<std::string>& lines) {
  static const std::map<std::string, std::set<std::string>> wanted = {{"resource", {"role", "suspended"}},
                                                                      {"device", {"disk"}},
                                                                      {"connection", {"connection", "role"}},
                                                                      {"peer-device", {"replication", "peer-disk", "out-of-sync"}}};
  std::map<std::string, std::string> words;
  for (const std::string& line : lines) {
    std::istringstream stream(line);
    std::string action, object, word;
    stream >> action >> object;
    const auto known = wanted.find(object);
    if (known == wanted.end()) continue;
    while (stream >> word) {
      const std::string name = word.substr(0, word.find(':'));
      if (known->second.count(name) == 0) continue;
      const std::string value = word.substr(name.size() + 1);
      words[object + " " + name] = name != "out-of-sync" ? value : value == "0" ? "0" : "1";
    }
  }
  return words;
}

class DrbdModel : public ::testing::Test {
 protected:
  DrbdModel() {
    std::array<SimDrbd::Node, 2> nodes;
    for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
      for (const char* name : {"vg0/mcv-vm1-0", "vg0/mcv-vm1-0.md"}) lvm_[node].volumes[name].size = 32u << 20;
      files_[node].put("/etc/drbd.d/mcv-vm1-0.res", text_of("mcv-vm1-0.res"), true);
      nodes[node] = {&lvm_[node], &files_[node], node == 0 ? "A" : "B"};
    }
    drbd_ = std::make_unique<SimDrbd>(scheduler_, nodes);
    for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) drbd_->run(node, {"modprobe", "drbd"});
    drbd_->fence_peer = [this](std::size_t node, const std::string&, SimDrbd::ExitCode done) {
      scheduler_.after(0, 100ms, [this, node, done]() { done(fence_[node]); });
    };
  }

  void settle() {
    scheduler_.run_until([] { return false; }, 40s);
  }

  /// What the step itself shows.
  Json play(const Json& step) {
    const std::size_t node = step.value("on", "A") == "A" ? 0 : 1;
    Json answer = Json::object();
    if (step.contains("run")) {
      const auto argv = step["run"].get<std::vector<std::string>>();
      std::optional<ToolAnswer> ended;
      drbd_->ask_first(node, argv, [&]() { ended = drbd_->run(node, argv); });
      scheduler_.run_until([&] { return ended.has_value(); }, 60s);
      if (!ended) return answer;
      answer["exit"] = ended->exit_code;
      if (const int refusal = drbd::state_error_of(ended->out + ended->err); refusal != 0) answer["refusal"] = refusal;
      if (step["run"].dump().find("get-gi") != std::string::npos) answer["out"] = ended->out.substr(0, ended->out.find('\n'));
    }
    if (step.contains("fence")) fence_[node] = step["fence"].get<int>();
    if (step.contains("write")) {
      const std::string name = step["write"].get<std::string>();
      drbd_->write(node, minor_number, step["block"].get<std::uint64_t>(), ++value_, [this, node, name]() { written_[node] += (written_[node].empty() ? "" : " ") + name; });
    }
    if (step.contains("corrupt")) drbd_->corrupt(node, minor_number, step["corrupt"].get<std::uint64_t>(), ++value_);
    if (step.contains("cut")) {
      if (step["cut"].get<bool>()) drbd_->cut();
      else drbd_->heal();
    }
    if (step.contains("power")) {
      on_[node] = step["power"].get<bool>();
      if (on_[node]) {
        drbd_->boot(node);
        drbd_->run(node, {"modprobe", "drbd"});
        written_[node].clear();  // kept in memory there
      } else {
        drbd_->power_off(node);
        lvm_[node].power_cut();
      }
    }
    return answer;
  }

  Json look(std::size_t node) {
    if (!on_[node]) return Json::object();
    Json seen = shown(drbd_->dump(node));
    seen["written"] = written_[node];
    return seen;
  }

  Scheduler scheduler_{1};
  std::array<SimLvm, 2> lvm_;
  std::array<FileDisk, 2> files_;
  std::unique_ptr<SimDrbd> drbd_;
  std::array<int, 2> fence_{1, 1};
  std::array<bool, 2> on_{true, true};
  std::array<std::string, 2> written_;
  std::uint64_t value_ = 0;
};

TEST_F(DrbdModel, ShowsWhatRealNodesShowed) {
  const Json steps = json_of("steps.json");
  const Json recorded = json_of("recorded.json");
  ASSERT_TRUE(steps.is_array() && !steps.empty());
  EXPECT_EQ(steps.size(), recorded.size()) << "the steps were changed: record them again (tests/lab/record_drbd.py)";
  for (std::size_t i = 0; i < std::min(steps.size(), recorded.size()); ++i) {
    Json seen = play(steps[i]);
    settle();
    seen["A"] = look(0);
    seen["B"] = look(1);
    EXPECT_EQ(recorded[i], seen) << fmt::format("step {} on {}: {} {}", i + 1, steps[i].value("on", "-"), steps[i].value("why", ""), steps[i].dump());
    if (seen != recorded[i]) return;  // the next steps stand on this one
  }
}

TEST_F(DrbdModel, PlaysTheFileThatIsShipped) {
  drbd::ResourceConfig config;
  config.volume = VolumeName::trusted("vm1-0");
  config.minor = minor_number;
  config.port = 7900;
  config.secret = "0123456789abcdef0123456789abcdef";
  config.legs = {drbd::Leg{NodeName::trusted("A"), "10.77.1.11", "/dev/vg0/mcv-vm1-0", "/dev/vg0/mcv-vm1-0.md"},
                 drbd::Leg{NodeName::trusted("B"), "10.77.1.12", "/dev/vg0/mcv-vm1-0", "/dev/vg0/mcv-vm1-0.md"}};
  const auto text = drbd::render_resource(config);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text_of("mcv-vm1-0.res"), *text) << "the resource file is another one than was recorded: record again (tests/lab/record_drbd.py)";
}

}  // namespace
}  // namespace mcv::sim

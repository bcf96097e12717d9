// SPDX-License-Identifier: Apache-2.0
// A rolling upgrade and the way back: packages that know the next format of the configuration are installed and taken away on
// either node, in any order, while configuration is changed, a guest runs, and things fail. What is written is readable to
// every build that may come; what is not was raised by both, and is refused untouched.
#include <algorithm>
#include <fmt/format.h>

#include "cluster/store/abilities.h"
#include "world/node_world.h"

namespace mcv::sim {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

class UpgradeSchedule : public NodeWorld {
 public:
  UpgradeSchedule(std::uint64_t seed, bool print) : NodeWorld(seed, print) { faults_at_events_ = true; }
  ScheduleReport run(std::uint64_t seed);

 private:
  std::uint64_t knows(std::size_t node) const { return builds_[node].abilities.format; }
  void install(std::size_t node, std::uint64_t format);
  void expect_kept_out(std::size_t node, const StoreDisk& before);
  void change(std::size_t node, bool with_faults);
  void raise(std::size_t node);
  void one_goes_on_alone();
  void check_formats();

  std::uint64_t changes_ = 0;
};

/// The package of that format, and a restart of the daemon, as its installation does it.
void UpgradeSchedule::install(std::size_t node, std::uint64_t format) {
  if (!well()) return;
  scheduler_.say(fmt::format("{}: a package that knows format {}", node_name(node), format));
  end_daemon(node);
  pass(milliseconds(chance().below(2000)));
  builds_[node].abilities.format = format;
  const StoreDisk before = disks_[node].store;
  start_daemon(node);
  if (!lives_[node]->failed) return;
  ++report_.covered[fmt::format("older package kept out × {}", fault_)];
  expect_kept_out(node, before);
  if (well()) install(node, trial_format);
}

void UpgradeSchedule::expect_kept_out(std::size_t node, const StoreDisk& before) {
  const Error& why = *lives_[node]->failed;
  if (why.code() != ErrorCode::format_unknown || knows(node) == trial_format) return violation(fmt::format("{} does not start: {}", node_name(node), why.message()));
  if (disks_[node].store.tables != before.tables) violation("an older package changed a store it does not know");
  const auto log = before.tables.find("log");
  const bool was_raised = log != before.tables.end() && std::any_of(log->second.begin(), log->second.end(), [](const auto& row) { return row.second.find(R"(\"key\":\"format\")") != std::string::npos; });
  if (!was_raised) violation("an older package is kept out of a configuration that nobody raised");
}

void UpgradeSchedule::change(std::size_t node, bool with_faults) {
  const Json body = {{"delete_protection", ++changes_ % 2 == 0}};
  if (with_faults) command(node, "PATCH", "/v1/vms/vm1", body, true);
  else insist(node, "PATCH", "/v1/vms/vm1", body, "a change");
}

void UpgradeSchedule::raise(std::size_t node) {
  const bool may = knows(0) == trial_format && knows(1) == trial_format;
  const bool done = command(node, "POST", "/v1/cluster/upgrade-format", Json::object(), true);
  ++report_.covered[fmt::format("upgrade-format {}, {} × {}", may ? "both know it" : knows(0) == knows(1) ? "none knows it" : "one knows it", done ? "done" : "refused", fault_)];
  const bool is_raised = up(0) && format_of(daemon(0).shared.current()) == trial_format;
  if (!may && is_raised) violation("the format was raised to one that a node does not know");
}

void UpgradeSchedule::one_goes_on_alone() {
  const std::size_t gone = chance().below(2);
  const std::size_t here = 1 - gone;
  fault_ = "the other node is off";
  power_off(gone);
  pass(milliseconds(chance().between(500, 20'000)));
  const Json body = {{"node", node_name(gone)}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}};
  if (!insist(here, "POST", "/v1/cluster/confirm-down", body, "confirm-down")) return;
  for (std::uint64_t times = chance().between(1, 3); times > 0 && well(); --times) change(here, false);
  const std::uint64_t before = format_of(daemon(here).shared.current());
  const Answer raised = call(here, "POST", "/v1/cluster/upgrade-format", Json::object(), false);
  if (raised.ok() || format_of(daemon(here).shared.current()) != before) violation("the format was raised while the other node was away");
  if (well()) power_on(gone);
}

void UpgradeSchedule::check_formats() {
  for (const std::size_t node : both) {
    if (!up(node) || lives_[node]->failed) continue;
    const std::uint64_t present = format_of(daemon(node).shared.current());
    if (present > knows(node)) violation(fmt::format("{} runs a package that knows formats up to {} on format {}", node_name(node), knows(node), present));
    const auto log = disks_[node].store.tables.find("log");
    if (log == disks_[node].store.tables.end()) continue;
    for (const auto& [index, text] : log->second) {
      const auto entry = parse_json(text);
      if (!entry.ok() || entry->at("format").get<std::uint64_t>() > present) violation(fmt::format("{} wrote entry {} in a format that was not raised", node_name(node), index));
    }
  }
}

ScheduleReport UpgradeSchedule::run(std::uint64_t seed) {
  if (!set_up_pair()) violation("two healthy nodes cannot be set up");
  const Json boot = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
  const Json disk = {{"size", std::uint64_t{64} << 20}};
  const Json vm = {{"name", "vm1"}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})}, {"storage_type", "drbd"}, {"networks", {"lan"}}, {"boot", boot}, {"hypervisor", "qemu"}};
  if (well() && insist(0, "POST", "/v1/vms", vm, "vm create")) command(0, "POST", "/v1/vms/vm1/start", Json::object());
  for (std::uint64_t round = chance().between(4, 9); round > 0 && well(); --round) {
    const std::size_t node = chance().below(2);
    switch (chance().below(8)) {
      case 0: change(node, true); break;
      case 1:
      case 2:
      case 3: install(node, chance().one_in(4) ? newest_format : trial_format); break;
      case 4:
      case 5:
      case 6: raise(node); break;
      case 7: one_goes_on_alone(); break;
    }
    check_formats();
    if (!well()) break;
    heal();
    wait_idle();
    if (well()) check_configuration();
    for (const std::size_t side : both) {
      if (well() && chance().one_in(2)) change(side, false);
    }
    check_formats();
    fault_ = "none";
  }
  fault_ = "healed";
  for (const std::size_t node : both) {
    if (knows(node) != trial_format) install(node, trial_format);
  }
  if (well()) check_configuration();
  if (well()) insist(chance().below(2), "POST", "/v1/cluster/upgrade-format", Json::object(), "upgrade-format");
  for (const std::size_t node : both) {
    if (well()) change(node, false);
  }
  check_formats();
  if (well()) check_configuration();
  if (well() && format_of(daemon(0).shared.current()) != trial_format) violation("both know the next format, and it is not written");
  // Nothing of a guest is touched by a package that is kept out.
  const std::size_t node = chance().below(2);
  const auto guests = [&] { return machines_[node]->vmms.size(); };
  const std::size_t running = well() ? guests() : 0;
  if (well()) install(node, newest_format);
  if (well() && guests() != running) violation("a package that was kept out ended a guest");
  if (well()) check_configuration();
  return finish("upgrade", seed);
}

}  // namespace

ScheduleReport upgrade_schedule(std::uint64_t seed, bool print_trace) { return UpgradeSchedule(seed, print_trace).run(seed); }

}  // namespace mcv::sim

// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/monitor.h"

#include "fake_drbd.h"

namespace mcv::drbd::monitor_test {
namespace {

using namespace std::chrono_literals;
using test::FakeDrbd;
using test::Machine;

const VolumeName vm1 = VolumeName::trusted("vm1-0");

bool is_primary(const ResourceFacts* facts) { return facts != nullptr && facts->facts.role == DiskRole::primary; }

TEST(Monitor, WaitsForAConditionOnEvents) {
  Machine machine;
  FakeDrbd drbd(machine);
  drbd.bring_up("UpToDate");
  TaskGroup later(machine.loop.get_executor());
  auto promote = [](Machine& m, FakeDrbd& d) -> boost::asio::awaitable<void> {
    co_await m.clock.sleep_for(2s);
    d.set_role("Primary");
  };
  later.spawn(promote(machine, drbd));
  const auto start = machine.clock.now();
  const auto reached = machine.run(drbd.monitor.wait_until(vm1, is_primary, 10s, "Primary"));
  ASSERT_TRUE(reached.ok()) << reached.error().message();
  EXPECT_EQ(reached->facts.role, DiskRole::primary);
  EXPECT_LT(machine.clock.now() - start, 3s);
  EXPECT_EQ(drbd.monitor.volumes().count("vm1-0"), 1u);
}

TEST(Monitor, ADeadlineSaysWhatIsSeenInstead) {
  Machine machine;
  FakeDrbd drbd(machine);
  drbd.bring_up("Outdated");
  const auto start = machine.clock.now();
  const auto reached = machine.run(drbd.monitor.wait_until(vm1, is_primary, 3s, "Primary"));
  ASSERT_FALSE(reached.ok());
  EXPECT_EQ(reached.error().code(), ErrorCode::timed_out);
  EXPECT_NE(reached.error().message().find("Outdated"), std::string::npos) << reached.error().message();
  EXPECT_GE(machine.clock.now() - start, 3s);
}

TEST(Monitor, LostMessagesAndADeadReaderAreANewDump) {
  Machine machine;
  FakeDrbd drbd(machine);
  drbd.bring_up("UpToDate");
  machine.settle();
  ASSERT_NE(drbd.monitor.find(vm1), nullptr);
  drbd.up = false;               // what the kernel has now; nobody tells
  drbd.tell("- skipped 3");
  machine.settle();
  EXPECT_FALSE(drbd.monitor.complete());
  Condition gone = [](const ResourceFacts* facts) { return facts == nullptr; };
  EXPECT_TRUE(machine.run(drbd.monitor.wait_until(vm1, gone, 5s, "gone")).ok());
  EXPECT_EQ(drbd.monitor.dumps(), 2u);
  drbd.up = true;
  machine.tools.feeds.back()->end();
  Condition back = [](const ResourceFacts* facts) { return facts != nullptr; };
  EXPECT_TRUE(machine.run(drbd.monitor.wait_until(vm1, back, 5s, "back")).ok());
  EXPECT_EQ(machine.tools.feeds.size(), 3u);
}

TEST(Monitor, ForeignResourcesAreSeenAndNotOurs) {
  Machine machine;
  FakeDrbd drbd(machine);
  drbd.tell("create resource name:r0 role:Secondary suspended:no");
  machine.settle();
  EXPECT_EQ(drbd.monitor.resources().size(), 1u);
  EXPECT_TRUE(drbd.monitor.volumes().empty());
}

/// A kernel with many resources; what it has now is what a new reader is told.
class Flood {
 public:
  static constexpr int many = 500;
  struct Resource {
    std::string role = "Secondary";
    std::string disk = "UpToDate";
    std::string connection = "Connected";
    int out_of_sync = 0;
  };

  explicit Flood(Machine& machine) : machine_(machine), monitor(machine.host), tasks_(machine.loop.get_executor()) {
    for (int number = 0; number < many; ++number) kernel[fmt::format("mcv-vm{}-0", number)] = Resource();
    machine.tools.on_stream = [this](test::Feed& feed) {
      for (const auto& [name, resource] : kernel) {
        for (const std::string& line : lines("exists", name, resource)) feed.push(line);
      }
      feed.push("exists -");
    };
    tasks_.spawn(monitor.run());
    machine.settle();
  }
  ~Flood() {
    tasks_.cancel();
    machine_.settle();
  }

  void tell(const std::string& line) { machine_.tools.feeds.back()->push(line); }
  /// Every resource changes `times` times; the events come faster than anybody looks at them.
  void change_all(int times) {
    for (int round = 0; round < times; ++round) {
      for (auto& [name, resource] : kernel) {
        resource.role = round % 2 == 0 ? "Primary" : "Secondary";
        resource.disk = round % 3 == 0 ? "Inconsistent" : "UpToDate";
        resource.out_of_sync = round;
        for (const std::string& line : lines("change", name, resource)) tell(line);
      }
      machine_.settle();
    }
  }
  /// What the monitor says is what the kernel has, of every resource and no other.
  void expect_equal() {
    Condition known = [](const ResourceFacts*) { return true; };
    ASSERT_TRUE(machine_.run(monitor.wait_until(vm1, known, 10s, "known")).ok());
    ASSERT_EQ(monitor.resources().size(), kernel.size());
    for (const auto& [name, resource] : kernel) {
      const auto seen = monitor.resources().find(name);
      ASSERT_NE(seen, monitor.resources().end()) << name;
      EXPECT_EQ(to_text(seen->second.facts.role), resource.role) << name;
      EXPECT_EQ(to_text(seen->second.facts.disk), resource.disk) << name;
      EXPECT_EQ(to_text(seen->second.facts.connection), resource.connection) << name;
      EXPECT_EQ(seen->second.facts.out_of_sync_kib, static_cast<std::uint64_t>(resource.out_of_sync)) << name;
    }
  }

  std::map<std::string, Resource> kernel;

 private:
  static std::vector<std::string> lines(const std::string& action, const std::string& name, const Resource& resource) {
    return {fmt::format("{} resource name:{} role:{} suspended:no", action, name, resource.role), fmt::format("{} device name:{} volume:0 minor:100 disk:{} size:262144", action, name, resource.disk),
            fmt::format("{} connection name:{} peer-node-id:0 conn-name:peer connection:{} role:Secondary congested:no", action, name, resource.connection),
            fmt::format("{} peer-device name:{} peer-node-id:0 conn-name:peer volume:0 replication:Established peer-disk:UpToDate out-of-sync:{}", action, name, resource.out_of_sync)};
  }
  Machine& machine_;

 public:
  DrbdMonitor monitor;

 private:
  TaskGroup tasks_;
};

TEST(MonitorFlood, FiveHundredResourcesLoseNoState) {
  Machine machine;
  Flood flood(machine);
  flood.expect_equal();
  flood.change_all(20);  // 40000 events
  flood.expect_equal();
  EXPECT_EQ(flood.monitor.dumps(), 1u) << "nothing was lost, so nothing was read twice";
}

TEST(MonitorFlood, WhatWasDroppedInTheMiddleOfItIsReadAgain) {
  Machine machine;
  Flood flood(machine);
  flood.change_all(2);
  // Half of them went and the others changed, and of all that only the loss is told.
  for (int number = 0; number < Flood::many; number += 2) flood.kernel.erase(fmt::format("mcv-vm{}-0", number));
  for (auto& [name, resource] : flood.kernel) resource = {"Secondary", "Outdated", "Connecting", 4711};
  flood.tell("- skipped 2000");
  flood.tell("change resource name:mcv-vm3-0 role:Primary suspended:no");
  machine.settle();
  EXPECT_FALSE(flood.monitor.complete()) << "facts are not shown as whole before the next dump is";
  flood.expect_equal();
  EXPECT_EQ(flood.monitor.dumps(), 2u);
}

TEST(MonitorFlood, ADeadReaderLosesNothing) {
  Machine machine;
  Flood flood(machine);
  flood.change_all(1);
  for (int round = 0; round < 5; ++round) {
    for (auto& [name, resource] : flood.kernel) resource.out_of_sync = 100 + round;
    machine.tools.feeds.back()->end();
    const std::uint64_t next = flood.monitor.dumps() + 1;
    Condition read_again = [&flood, next](const ResourceFacts*) { return flood.monitor.dumps() == next; };
    ASSERT_TRUE(machine.run(flood.monitor.wait_until(vm1, read_again, 10s, "read again")).ok());
    flood.expect_equal();
  }
  EXPECT_EQ(flood.monitor.dumps(), 6u);
  // What was destroyed is forgotten: the table is as large as the kernel's.
  for (const auto& [name, resource] : flood.kernel) flood.tell("destroy resource name:" + name);
  machine.settle();
  EXPECT_TRUE(flood.monitor.resources().empty());
}

}  // namespace
}  // namespace mcv::drbd::monitor_test

// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/monitor.h"

#include "fake_drbd.h"

namespace mcv::drbd {
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

}  // namespace
}  // namespace mcv::drbd

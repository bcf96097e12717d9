// SPDX-License-Identifier: Apache-2.0
// What every hypervisor driver must do, with the guest manager and the console in front of it. The same cases run with real
// VMMs and real guests in a lab node, and with modelled VMMs in the unit tests.
#include "guest_fixture.h"

namespace mcv::hv {
namespace {

class GuestSuite : public GuestFixture {};

TEST_P(GuestSuite, RunsAGuestThroughItsLife) {
  ASSERT_TRUE(succeeded(start("hvc1", 0)));
  EXPECT_EQ(manager_->facts(one_).state, RunState::running);
  EXPECT_EQ(manager_->facts(one_).hypervisor, GetParam());
  EXPECT_GT(manager_->facts(one_).pid, 0);
  EXPECT_TRUE(succeeded(start("hvc1", 0))) << "starting what runs is success";

  const std::int64_t pid = manager_->facts(one_).pid;
  Screen first(*environment_, manager_->console(), one_, 64 * 1024);
  ASSERT_TRUE(first.shows("mcv-guest vm=hvc1"));
  ASSERT_TRUE(first.shows("record 5"));

  Screen second(*environment_, manager_->console(), one_, 64 * 1024);
  EXPECT_TRUE(second.shows("mcv-guest vm=hvc1", 10s)) << "the boot output was not lost for a later viewer";
  EXPECT_TRUE(succeeded(second.type("hello\n")));
  EXPECT_TRUE(first.shows("heard: hello", 20s)) << "both viewers see what one typed";
  EXPECT_TRUE(second.shows("heard: hello", 20s));

  EXPECT_TRUE(succeeded(environment_->run(manager_->reset(one_))));
  EXPECT_TRUE(environment_->drive([&first] { return first.count("mcv-guest vm=hvc1") == 2; }, boot_bound)) << "the viewer stays over a reset";
  EXPECT_EQ(manager_->facts(one_).state, RunState::running);
  EXPECT_EQ(manager_->facts(one_).pid, pid) << "the VMM's process is kept";
  const std::uint64_t before = first.last_record();
  EXPECT_TRUE(environment_->drive([&first, before] { return first.last_record() > before + 2; }, boot_bound));

  EXPECT_TRUE(succeeded(environment_->run(manager_->stop(one_, 90s))));
  EXPECT_FALSE(environment_->disk_is_open(0)) << "the disk can be demoted when stop returns";
  EXPECT_EQ(manager_->facts(one_).state, RunState::stopped);
  EXPECT_EQ(manager_->facts(one_).last_exit, ExitReason::stopped_by_operator);
  EXPECT_TRUE(first.ended()) << "viewers get their end";
  const auto records = environment_->records(0);
  ASSERT_TRUE(records.has_value()) << "records are consecutive and of one run at a time";
  EXPECT_GE(*records, first.last_record()) << "what the console said is on the disk";

  EXPECT_TRUE(succeeded(environment_->run(manager_->stop(one_, 1s))));
  EXPECT_TRUE(succeeded(environment_->run(manager_->kill(one_))));
  EXPECT_EQ(environment_->run(manager_->reset(one_)).error().code(), ErrorCode::guest_stopped);
  EXPECT_EQ(manager_->facts(one_).last_exit, ExitReason::stopped_by_operator) << "stopping what is stopped changes nothing";
}

TEST_P(GuestSuite, AGuestThatIgnoresTheButtonRunsOnUntilItIsKilled) {
  ASSERT_TRUE(succeeded(start("hvc1", 0, "mcv.on_power=ignore")));
  Screen screen(*environment_, manager_->console(), one_, 64 * 1024);
  ASSERT_TRUE(screen.shows("record 1"));
  const Status stopped = environment_->run(manager_->stop(one_, 10s));
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code(), ErrorCode::guest_still_running);
  EXPECT_NE(stopped.error().next().find("hvctl vm kill hvc1"), std::string::npos);
  EXPECT_TRUE(environment_->drive([&screen] { return screen.count("power button ignored") >= 2; }, 10s)) << "the button is pressed again until the deadline";
  EXPECT_EQ(manager_->facts(one_).state, RunState::running);
  const std::uint64_t before = screen.last_record();
  EXPECT_TRUE(environment_->drive([&screen, before] { return screen.last_record() > before; }, 30s)) << "it runs on";
  EXPECT_TRUE(succeeded(environment_->run(manager_->kill(one_))));
  EXPECT_EQ(manager_->facts(one_).last_exit, ExitReason::killed_by_operator);
  EXPECT_FALSE(environment_->disk_is_open(0));
}

TEST_P(GuestSuite, TwoGuestsEndForDifferentReasons) {
  ASSERT_TRUE(succeeded(start("hvc1", 0)));
  ASSERT_TRUE(succeeded(start("hvc2", 1)));
  Screen first(*environment_, manager_->console(), one_, 64 * 1024);
  Screen second(*environment_, manager_->console(), two_, 64 * 1024);
  ASSERT_TRUE(first.shows("record 2"));
  ASSERT_TRUE(second.shows("record 2"));
  EXPECT_EQ(second.count("vm=hvc1"), 0u);

  environment_->murder("hvc1");
  EXPECT_TRUE(reaches(one_, RunState::stopped));
  EXPECT_EQ(manager_->facts(one_).last_exit, ExitReason::crashed);
  EXPECT_EQ(manager_->facts(two_).state, RunState::running);
  EXPECT_TRUE(first.ended());
  EXPECT_EQ(first.count("[mcv: hvc1: the VMM ended unexpectedly (killed by signal 9"), 1u) << "how it ended is told before the end";

  EXPECT_TRUE(succeeded(second.type("poweroff\n")));
  EXPECT_TRUE(reaches(two_, RunState::stopped));
  EXPECT_EQ(manager_->facts(two_).last_exit, ExitReason::guest_power_off);
  EXPECT_FALSE(environment_->disk_is_open(1)) << "the left-over VMM is gone";
  EXPECT_TRUE(second.ended());
  EXPECT_EQ(second.count("[mcv: hvc2: the guest turned itself off]"), 1u);

  ASSERT_TRUE(succeeded(start("hvc1", 0))) << "a crashed guest starts again";
  EXPECT_EQ(manager_->facts(one_).last_exit, ExitReason::none);
}

TEST_P(GuestSuite, GuestsOutliveTheDaemonAndAreAdopted) {
  ASSERT_TRUE(succeeded(start("hvc1", 0)));
  ASSERT_TRUE(succeeded(start("hvc2", 1)));
  std::uint64_t before = 0;
  {
    Screen first(*environment_, manager_->console(), one_, 64 * 1024);
    Screen second(*environment_, manager_->console(), two_, 64 * 1024);
    ASSERT_TRUE(first.shows("record 3"));
    ASSERT_TRUE(second.shows("record 3"));
    before = first.last_record();
  }
  const std::int64_t pid = manager_->facts(one_).pid;
  end_daemon();
  environment_->murder("hvc2");
  ASSERT_TRUE(writes_until(0, before + 10)) << "the guest goes on while nobody looks";
  new_daemon();
  EXPECT_TRUE(strangers_->empty());
  EXPECT_EQ(manager_->facts(one_).state, RunState::running);
  EXPECT_EQ(manager_->facts(one_).pid, pid);
  EXPECT_EQ(manager_->facts(one_).hypervisor, GetParam());
  EXPECT_EQ(manager_->facts(two_).state, RunState::stopped);
  EXPECT_EQ(manager_->facts(two_).last_exit, ExitReason::crashed);

  Screen screen(*environment_, manager_->console(), one_, 128 * 1024);
  EXPECT_TRUE(screen.shows("mcv-guest vm=hvc1", 10s)) << "the boot output is there after the restart";
  ASSERT_TRUE(environment_->drive([&screen, before] { return screen.last_record() > before + 10; }, 60s)) << "the console goes on";
  std::size_t lost = 0;
  for (std::uint64_t number = before; number <= before + 10; ++number) {
    if (screen.count(fmt::format("record {}\r\n", number)) == 0) ++lost;
  }
  EXPECT_LE(lost, 2u) << "what was printed while the daemon was away is lost (the guest itself drops a line when its UART is full)";
}

TEST_P(GuestSuite, APowerOffWhileTheDaemonWasAwayIsSeenLater) {
  ASSERT_TRUE(succeeded(start("hvc1", 0)));
  {
    Screen screen(*environment_, manager_->console(), one_, 64 * 1024);
    ASSERT_TRUE(screen.shows("record 1"));
    EXPECT_TRUE(succeeded(screen.type("poweroff\n")));
    ASSERT_TRUE(screen.shows("powering off", 20s));
  }
  end_daemon();
  ASSERT_TRUE(looks_until([this] { return environment_->guest_is_off("hvc1"); }));
  new_daemon();
  EXPECT_TRUE(reaches(one_, RunState::stopped));
  EXPECT_EQ(manager_->facts(one_).last_exit, ExitReason::guest_power_off);
  EXPECT_FALSE(environment_->disk_is_open(0));
  end_daemon();
  new_daemon();
  EXPECT_EQ(manager_->facts(one_).last_exit, ExitReason::guest_power_off) << "remembered over another restart";
}

TEST_P(GuestSuite, AGuestThatPanicsRebootsInItsVmm) {
  ASSERT_TRUE(succeeded(start("hvc1", 0)));
  const std::int64_t pid = manager_->facts(one_).pid;
  Screen screen(*environment_, manager_->console(), one_, 64 * 1024);
  ASSERT_TRUE(screen.shows("record 1"));
  EXPECT_TRUE(succeeded(screen.type("crash\n")));
  EXPECT_TRUE(environment_->drive([&screen] { return screen.count("mcv-guest vm=hvc1") == 2; }, boot_bound)) << "panic= of its command line";
  const std::uint64_t before = screen.last_record();
  EXPECT_TRUE(environment_->drive([&screen, before] { return screen.last_record() > before; }, boot_bound));
  EXPECT_EQ(manager_->facts(one_).state, RunState::running);
  EXPECT_EQ(manager_->facts(one_).pid, pid);
  EXPECT_EQ(manager_->facts(one_).last_exit, ExitReason::none);
}

TEST_P(GuestSuite, AVmmThatCannotStartLeavesNothing) {
  VmLaunch launch = environment_->launch("hvc1", 0, "");
  launch.disks[0].path = "/dev/does-not-exist";
  known_.push_back(one_);
  const auto kind = std::string(GetParam()) == "qemu" ? HypervisorKind::qemu : HypervisorKind::cloud_hypervisor;
  const Status failed = environment_->run(manager_->start(launch, kind));
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code(), ErrorCode::vmm_failed) << failed.error().to_text();
  EXPECT_NE(failed.error().message().find("does-not-exist"), std::string::npos) << "the VMM's own words: " << failed.error().to_text();
  EXPECT_EQ(manager_->facts(one_).state, RunState::stopped);
  EXPECT_EQ(manager_->facts(one_).last_exit, ExitReason::none);
  EXPECT_TRUE(succeeded(start("hvc1", 0))) << "the name is free again";
}

INSTANTIATE_TEST_SUITE_P(Driver, GuestSuite, testing::Values("qemu", "cloud-hypervisor"), driver_name);

}  // namespace
}  // namespace mcv::hv

// SPDX-License-Identifier: Apache-2.0
// What goes wrong around a guest, on modelled VMMs. The ordinary life is in tests/contract/hv/guest_suite.cpp.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <functional>
#include <optional>

#include "fake_node.h"
#include "hv/guest_manager.h"
#include "hv/qemu/qemu.h"

namespace mcv::hv {
namespace {

using namespace std::chrono_literals;

class GuestManagerTest : public testing::Test {
 protected:
  GuestManagerTest() { begin(); }
  ~GuestManagerTest() override { end(); }

  void begin() {
    manager_ = std::make_unique<GuestManager>(
        GuestServices(node_.loop.get_executor(), node_.clock, node_.processes, node_.files, node_.sockets), GuestConfig());
    manager_->on_change([this](const VmName& vm) { changes_.push_back(std::string(to_text(manager_->facts(vm).state))); });
    strangers_ = *run(manager_->adopt_all({vm_}));
  }
  void end() {
    bool ended = false;
    boost::asio::co_spawn(node_.loop, manager_->close(), [&ended](std::exception_ptr) { ended = true; });
    ASSERT_TRUE(node_.drive([&ended] { return ended; }, 60s));
    manager_.reset();
  }
  template <typename T>
  T run(boost::asio::awaitable<T> task) {
    std::optional<T> result;
    boost::asio::co_spawn(node_.loop, std::move(task), [&result](std::exception_ptr error, T value) {
      if (error) std::rethrow_exception(error);
      result.emplace(std::move(value));
    });
    node_.drive([&result] { return result.has_value(); }, 1h);
    return std::move(result).value();
  }
  Status start(HypervisorKind kind = HypervisorKind::qemu) {
    VmLaunch launch;
    launch.name = vm_;
    launch.uuid = "00000000-0000-4000-8000-000000000001";
    launch.memory = Bytes::mib(128);
    launch.disks = {{"/dev/vg0/d0", "vm1-0"}};
    launch.boot.kernel = "/boot/vmlinux";
    launch.boot.cmdline = "mcv.vm=vm1 ";
    return run(manager_->start(launch, kind));
  }
  /// All that a viewer is shown until it is told the end.
  std::string read_to_end(ConsoleViewer& viewer) {
    std::string text;
    while (true) {
      const std::string piece = run(viewer.next());
      if (piece.empty()) return text;
      text += piece;
    }
  }
  std::string log() { return node_.files.texts["/var/log/mcv/console/vm1.log"]; }
  RunState state() const { return manager_->facts(vm_).state; }
  bool reaches(RunState wanted) {
    return node_.drive([this, wanted] { return state() == wanted; }, 120s);
  }

  fake::Node node_;
  std::unique_ptr<GuestManager> manager_;
  std::vector<std::string> strangers_;
  std::vector<std::string> changes_;
  const VmName vm_ = VmName::trusted("vm1");
};

TEST_F(GuestManagerTest, TellsEachChange) {
  EXPECT_EQ(manager_->installed(), (std::vector<std::string>{"qemu", "cloud-hypervisor"}));
  ASSERT_TRUE(start(HypervisorKind::automatic).ok());
  EXPECT_EQ(manager_->facts(vm_).hypervisor, "cloud-hypervisor");
  ASSERT_TRUE(run(manager_->kill(vm_)).ok());
  EXPECT_EQ(changes_, (std::vector<std::string>{"starting", "running", "stopping", "stopped"}));
  EXPECT_EQ(manager_->facts(vm_).hypervisor, "");
  EXPECT_EQ(manager_->facts(vm_).pid, 0);
}

TEST_F(GuestManagerTest, AProcessThatDoesNotDieIsNeverCalledStopped) {
  ASSERT_TRUE(start().ok());
  node_.ignores_kill = true;
  const Status killed = run(manager_->kill(vm_));
  ASSERT_FALSE(killed.ok());
  EXPECT_EQ(killed.error().code(), ErrorCode::timed_out);
  EXPECT_NE(killed.error().safe().find("do not start it anywhere else"), std::string::npos);
  EXPECT_NE(state(), RunState::stopped);
  const Status again = start();
  ASSERT_FALSE(again.ok()) << "no second VMM on the same disk";
  EXPECT_EQ(again.error().kind(), ErrorKind::timed_out) << "an operation that is committed asks again, as long as it takes";
  EXPECT_EQ(node_.vmms.size(), 1u);
  node_.ignores_kill = false;
  ASSERT_TRUE(run(manager_->kill(vm_)).ok()) << "the kernel let go";
  EXPECT_EQ(state(), RunState::stopped);
  EXPECT_EQ(manager_->facts(vm_).last_exit, ExitReason::killed_by_operator);
}

TEST_F(GuestManagerTest, ALeftOverVmmThatDoesNotDieKeepsItsDiskInUse) {
  ASSERT_TRUE(start().ok());
  node_.drive([] { return false; }, 5s);
  node_.ignores_kill = true;
  const auto viewer = manager_->console().attach(vm_, 0);
  ASSERT_TRUE(viewer->send("poweroff\n").ok());
  ASSERT_TRUE(reaches(RunState::unknown)) << "powered off, and the VMM cannot be ended";
  node_.ignores_kill = false;
  EXPECT_TRUE(reaches(RunState::stopped));
  EXPECT_EQ(manager_->facts(vm_).last_exit, ExitReason::guest_power_off);
}

TEST_F(GuestManagerTest, AVmmThatBeganAlthoughItsStartFailedIsEnded) {
  node_.systemd_run_fails_late = true;
  const Status started = start();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().code(), ErrorCode::vmm_failed);
  EXPECT_TRUE(node_.vmms.empty()) << "it would hold the disk, and nobody would know";
  EXPECT_EQ(state(), RunState::stopped);
}

TEST_F(GuestManagerTest, AStartCutOffBeforeTheGuestRanIsUndoneAtAdoption) {
  for (const char* id : {"qemu", "cloud-hypervisor"}) {
    end();
    node_.vmms["vm1"] = std::make_shared<fake::Vmm>(
        node_, "vm1", host::Argv{std::string("/usr/bin/") + id, "-blockdev", "node-name=disk0,filename=/dev/vg0/d0,x", "-append", "mcv.vm=vm1"});
    node_.files.texts["/run/mcv/runs/vm1.json"] = RunRecord{id, false, Wish::run, ExitReason::none}.to_text();
    begin();
    EXPECT_EQ(state(), RunState::stopped) << id;
    EXPECT_TRUE(node_.vmms.empty()) << id;
    EXPECT_EQ(manager_->facts(vm_).last_exit, ExitReason::none) << id;
  }
}

TEST_F(GuestManagerTest, AStartCutOffIsUndoneAlsoWhenTheVmmSaysSoOnlyLater) {
  for (const char* id : {"qemu", "cloud-hypervisor"}) {
    end();
    node_.vmms["vm1"] = std::make_shared<fake::Vmm>(
        node_, "vm1", host::Argv{std::string("/usr/bin/") + id, "-blockdev", "node-name=disk0,filename=/dev/vg0/d0,x", "-append", "mcv.vm=vm1"});
    node_.files.texts["/run/mcv/runs/vm1.json"] = RunRecord{id, false, Wish::run, ExitReason::none}.to_text();
    node_.monitors_are_silent = true;
    begin();
    EXPECT_EQ(state(), RunState::unknown) << id;
    EXPECT_FALSE(start().ok()) << id;
    EXPECT_EQ(node_.vmms.size(), 1u) << id;
    node_.monitors_are_silent = false;
    EXPECT_TRUE(reaches(RunState::stopped)) << id;
    EXPECT_TRUE(node_.vmms.empty()) << id;
    EXPECT_EQ(manager_->facts(vm_).last_exit, ExitReason::none) << id;
  }
}

TEST_F(GuestManagerTest, SaysWhatTheRunningVmmWasStartedWithAlsoAfterARestartOfTheDaemon) {
  EXPECT_EQ(manager_->facts(vm_).started_with, std::nullopt);
  ASSERT_TRUE(start().ok());
  const StartedWith expected{1, Bytes::mib(128), {"/boot/vmlinux", "", "mcv.vm=vm1 ", ""}};
  EXPECT_EQ(manager_->facts(vm_).started_with, expected);
  end();
  begin();
  EXPECT_EQ(manager_->facts(vm_).started_with, expected);
  ASSERT_TRUE(run(manager_->reset(vm_)).ok());
  EXPECT_EQ(manager_->facts(vm_).started_with, expected) << "a reset keeps the VMM";
  ASSERT_TRUE(run(manager_->kill(vm_)).ok());
  EXPECT_EQ(manager_->facts(vm_).started_with, std::nullopt);
  end();
  begin();
  EXPECT_EQ(manager_->facts(vm_).started_with, std::nullopt);
}

TEST_F(GuestManagerTest, ARecordOfAnOlderBuildDoesNotSayWhatTheVmmWasStartedWith) {
  ASSERT_TRUE(start().ok());
  end();
  const std::string older = RunRecord{"qemu", true, Wish::run, ExitReason::crashed}.to_text();
  const std::string other = older.substr(0, older.rfind('}')) + ",\"started_with\":{\"cpus\":\"many\"}}";
  for (const std::string& text : {older, other}) {
    node_.files.texts["/run/mcv/runs/vm1.json"] = text;
    begin();
    EXPECT_EQ(state(), RunState::running);
    EXPECT_EQ(manager_->facts(vm_).started_with, std::nullopt) << text;
    EXPECT_EQ(manager_->facts(vm_).last_exit, ExitReason::crashed) << "the rest of the record is read: " << text;
    end();
  }
  begin();
}

TEST_F(GuestManagerTest, AdoptsWithoutARecordByTheMonitorThatAnswers) {
  ASSERT_TRUE(start(HypervisorKind::cloud_hypervisor).ok());
  end();
  node_.files.texts.erase("/run/mcv/runs/vm1.json");
  begin();
  EXPECT_EQ(state(), RunState::running);
  EXPECT_EQ(manager_->facts(vm_).hypervisor, "cloud-hypervisor");
  ASSERT_TRUE(run(manager_->stop(vm_, 60s)).ok());
  EXPECT_EQ(manager_->facts(vm_).last_exit, ExitReason::stopped_by_operator);
}

TEST_F(GuestManagerTest, AStopThatDiedWithItsDaemonDoesNotColourALaterPowerOff) {
  ASSERT_TRUE(start().ok());
  end();
  node_.files.texts["/run/mcv/runs/vm1.json"] = RunRecord{"qemu", true, Wish::stop, ExitReason::none}.to_text();
  begin();
  EXPECT_EQ(state(), RunState::running);
  node_.drive([] { return false; }, 5s);
  ASSERT_TRUE(manager_->console().attach(vm_, 0)->send("poweroff\n").ok());
  ASSERT_TRUE(reaches(RunState::stopped));
  EXPECT_EQ(manager_->facts(vm_).last_exit, ExitReason::guest_power_off);
}

TEST_F(GuestManagerTest, GoesOnWithTheConsoleOfADaemonThatWasKilled) {
  ASSERT_TRUE(start(HypervisorKind::cloud_hypervisor).ok());
  node_.drive([] { return false; }, 5s);
  end();
  // A daemon that attached and was killed with output unread: that alone would end cloud-hypervisor's console for good.
  Result<std::unique_ptr<host::ByteStream>> stream = run(node_.sockets.connect("/run/mcv/vm/vm1/console.sock"));
  ASSERT_TRUE(stream.ok());
  node_.sockets.keep("console-vm1", **stream);
  node_.drive([] { return false; }, 2s);
  stream->reset();
  node_.drive([] { return false; }, 2s);
  begin();
  const std::uint64_t now = node_.disks["/dev/vg0/d0"].records;
  const auto logged = [this](std::uint64_t number) {
    return node_.files.texts["/var/log/mcv/console/vm1.log"].find(fmt::format("record {}\r\n", number)) != std::string::npos;
  };
  ASSERT_TRUE(node_.drive([&logged, now] { return logged(now + 5); }, 60s));
  for (std::uint64_t number = 1; number <= now + 5; ++number) EXPECT_TRUE(logged(number)) << "record " << number;
}

TEST_F(GuestManagerTest, ViewersReadWhyTheGuestEndedBeforeTheirEnd) {
  struct Case {
    std::function<void()> end_it;
    const char* note;
  };
  const Case ends[] = {
      {[this] { EXPECT_TRUE(manager_->console().attach(vm_, 0)->send("poweroff\n").ok()); }, "\r\n[mcv: vm1: the guest turned itself off]\r\n"},
      {[this] { EXPECT_TRUE(run(manager_->stop(vm_, 60s)).ok()); }, "\r\n[mcv: vm1: the guest was shut down]\r\n"},
      {[this] { EXPECT_TRUE(run(manager_->kill(vm_)).ok()); }, "\r\n[mcv: vm1: the guest's power was cut]\r\n"},
      {[this] { node_.find("vm1")->terminate(true); }, "\r\n[mcv: vm1: the VMM ended unexpectedly (killed by signal 9)]\r\n"},
  };
  for (const HypervisorKind kind : {HypervisorKind::qemu, HypervisorKind::cloud_hypervisor}) {
    for (const Case& c : ends) {
      ASSERT_TRUE(start(kind).ok());
      const auto viewer = manager_->console().attach(vm_, 0);
      node_.drive([] { return false; }, 5s);
      c.end_it();
      const std::string seen = read_to_end(*viewer);
      EXPECT_TRUE(seen.ends_with(c.note)) << seen.substr(seen.size() > 200 ? seen.size() - 200 : 0);
      ASSERT_TRUE(reaches(RunState::stopped));
      EXPECT_TRUE(log().ends_with(c.note)) << "the log has it as well: " << log().substr(log().size() > 200 ? log().size() - 200 : 0);
    }
  }
}

TEST_F(GuestManagerTest, LastWordsOfAGuestThatEndedWithoutADaemonAreKept) {
  ASSERT_TRUE(start().ok());
  node_.drive([] { return false; }, 5s);
  end();
  node_.drive([] { return false; }, 5s);
  node_.find("vm1")->terminate(true);
  const std::uint64_t last = node_.disks["/dev/vg0/d0"].records;
  begin();
  EXPECT_EQ(state(), RunState::stopped);
  EXPECT_NE(log().find(fmt::format("record {}\r\n\r\n[mcv: vm1: the VMM ended unexpectedly (killed by signal 9), while mcvd was not running]\r\n", last)), std::string::npos);
  const auto viewer = manager_->console().attach(vm_, 1000);
  EXPECT_NE(run(viewer->next()).find(fmt::format("record {}\r\n", last)), std::string::npos) << "for a viewer that comes later";
  end();
  begin();
  const std::string text = log();
  EXPECT_EQ(text.find("while mcvd was not running"), text.rfind("while mcvd was not running")) << "said once";
}

TEST_F(GuestManagerTest, KillsWithoutSystemd) {
  for (const HypervisorKind kind : {HypervisorKind::qemu, HypervisorKind::cloud_hypervisor}) {
    node_.systemd_is_stuck = false;
    ASSERT_TRUE(start(kind).ok());
    node_.systemd_is_stuck = true;
    const host::Instant begun = node_.clock.now();
    ASSERT_TRUE(run(manager_->kill(vm_)).ok());
    EXPECT_EQ(manager_->facts(vm_).last_exit, ExitReason::killed_by_operator);
    EXPECT_LT(node_.clock.now() - begun, 15s);
  }
}

TEST_F(GuestManagerTest, ACgroupThatVanishesWhileItIsReadIsNoFailure) {
  ASSERT_TRUE(start().ok());
  node_.vanishing_cgroups = 2;
  const Status killed = run(manager_->kill(vm_));
  EXPECT_TRUE(killed.ok()) << killed.error().to_text();
  EXPECT_EQ(manager_->facts(vm_).last_exit, ExitReason::killed_by_operator);
}

TEST_F(GuestManagerTest, AdoptsAndKillsWhileSystemdSaysNothing) {
  for (const HypervisorKind kind : {HypervisorKind::qemu, HypervisorKind::cloud_hypervisor}) {
    node_.systemd_is_stuck = node_.systemd_is_silent = false;
    ASSERT_TRUE(start(kind).ok());
    const std::int64_t pid = manager_->facts(vm_).pid;
    EXPECT_NE(pid, 0);
    end();
    node_.systemd_is_stuck = node_.systemd_is_silent = true;
    begin();
    EXPECT_EQ(state(), RunState::running);
    EXPECT_EQ(manager_->facts(vm_).pid, 0);
    node_.systemd_is_silent = false;
    EXPECT_TRUE(node_.drive([this, pid] { return manager_->facts(vm_).pid == pid; }, 10s)) << "asked again";
    node_.systemd_is_silent = true;
    ASSERT_TRUE(run(manager_->kill(vm_)).ok());
    EXPECT_EQ(state(), RunState::stopped);
    EXPECT_EQ(manager_->facts(vm_).last_exit, ExitReason::killed_by_operator);
  }
}

TEST_F(GuestManagerTest, AVmThatCannotBeJudgedIsUnknownUntilItCan) {
  ASSERT_TRUE(start().ok());
  end();
  node_.cgroups_are_unreadable = true;
  begin();
  EXPECT_EQ(state(), RunState::unknown);
  EXPECT_FALSE(start().ok()) << "nothing is started beside it";
  EXPECT_EQ(node_.vmms.size(), 1u);
  node_.cgroups_are_unreadable = false;
  EXPECT_TRUE(reaches(RunState::running)) << "by itself";
  ASSERT_TRUE(run(manager_->stop(vm_, 60s)).ok());
}

TEST_F(GuestManagerTest, WhoeverHasToStartOneThatDoesNotAnswerWaits) {
  ASSERT_TRUE(start().ok());
  end();
  node_.monitors_are_silent = true;
  begin();
  ASSERT_EQ(state(), RunState::unknown);
  EXPECT_EQ(start().error().kind(), ErrorKind::timed_out) << "an operation that is committed asks again, as long as it takes";
  node_.monitors_are_silent = false;
  ASSERT_TRUE(reaches(RunState::running));
  EXPECT_TRUE(start().ok());
  EXPECT_EQ(node_.vmms.size(), 1u);
}

TEST_F(GuestManagerTest, WhoeverHasToStartOneThatIsBeingStoppedWaits) {
  ASSERT_TRUE(start().ok());
  std::optional<Status> stopped;
  boost::asio::co_spawn(node_.loop, manager_->stop(vm_, 60s), [&stopped](std::exception_ptr, Status status) { stopped = std::move(status); });
  ASSERT_TRUE(node_.drive([&] { return state() == RunState::stopping; }, 60s));
  const Status meanwhile = start();
  ASSERT_FALSE(meanwhile.ok());
  EXPECT_EQ(meanwhile.error().code(), ErrorCode::guest_still_running);
  EXPECT_EQ(meanwhile.error().kind(), ErrorKind::timed_out) << "an operation that is committed asks again, as long as it takes";
  ASSERT_TRUE(node_.drive([&] { return stopped.has_value(); }, 120s));
  EXPECT_TRUE(stopped->ok());
  EXPECT_TRUE(start().ok());
}

TEST_F(GuestManagerTest, AVmmThatWasInstalledLaterOrWasTooSlowToAnswerIsOffered) {
  node_.is_too_busy = true;
  end();
  begin();
  EXPECT_EQ(manager_->installed(), (std::vector<std::string>{"qemu"}));
  EXPECT_EQ(start(HypervisorKind::cloud_hypervisor).error().code(), ErrorCode::hypervisor_missing);
  node_.is_too_busy = false;
  EXPECT_TRUE(start(HypervisorKind::cloud_hypervisor).ok());
  EXPECT_EQ(manager_->installed(), (std::vector<std::string>{"qemu", "cloud-hypervisor"}));
}

TEST_F(GuestManagerTest, AGuestThatMakesEventsWithoutEndIsStillSeen) {
  ASSERT_TRUE(start(HypervisorKind::cloud_hypervisor).ok());
  node_.drive([] { return false; }, 5s);
  std::string& events = node_.files.texts["/run/mcv/vm/vm1/events"];
  const auto spam = [&events](std::size_t bytes) {
    const std::string event = "{\n  \"source\": \"virtio-device\",\n  \"event\": \"reset\",\n  \"properties\": {\n    \"id\": \"disk0\"\n  }\n}\n\n";
    for (const std::size_t end = events.size() + bytes; events.size() < end;) events += event;
  };
  for (int round = 0; round < 6; ++round) {
    spam(3 << 20);
    node_.drive([] { return false; }, 3s);
    EXPECT_EQ(state(), RunState::running) << "round " << round;
    EXPECT_LT(events.size() - static_cast<std::size_t>(std::count(events.begin(), events.end(), '\0')), std::size_t{1} << 20) << "the rest was given back";
  }
  end();
  spam(20 << 20);
  begin();
  EXPECT_EQ(state(), RunState::running) << "also for a daemon that comes later";
  node_.drive([] { return false; }, 3s);
  ASSERT_TRUE(manager_->console().attach(vm_, 0)->send("poweroff\n").ok());
  ASSERT_TRUE(reaches(RunState::stopped));
  EXPECT_EQ(manager_->facts(vm_).last_exit, ExitReason::guest_power_off);
}

TEST_F(GuestManagerTest, AGuestThatResetsItselfAllTheTimeDoesNotKeepTheDaemonBusy) {
  for (const HypervisorKind kind : {HypervisorKind::qemu, HypervisorKind::cloud_hypervisor}) {
    ASSERT_TRUE(start(kind).ok());
    fake::Vmm& vmm = *node_.find("vm1");
    vmm.questions = 0;
    for (int i = 0; i < 2000; ++i) {
      vmm.reset();
      node_.drive([] { return false; }, 2ms);
    }
    EXPECT_LE(vmm.questions, 60) << "in 4 s";
    EXPECT_EQ(state(), RunState::running);
    ASSERT_TRUE(run(manager_->kill(vm_)).ok());
  }
}

TEST_F(GuestManagerTest, TwoQuestionsAtATimeShareOneMonitor) {
  ASSERT_TRUE(start().ok());
  end();
  const VmmUnits units(node_.processes, node_.files, node_.clock, "/run/mcv", "mcv-guest");
  qemu::QemuHypervisor qemu(node_.loop.get_executor(), node_.clock, node_.sockets, units, "/usr/bin/qemu-system-x86_64");
  std::vector<VmmPhase> phases;
  for (int i = 0; i < 3; ++i) {
    boost::asio::co_spawn(node_.loop, qemu.look(vm_), [&phases](std::exception_ptr, Result<VmmLook> look) { phases.push_back(look.ok() ? look->phase : VmmPhase::unknown); });
  }
  EXPECT_TRUE(node_.drive([&phases] { return phases.size() == 3; }, 1s));
  EXPECT_EQ(phases, (std::vector<VmmPhase>(3, VmmPhase::running)));
  begin();
}

TEST_F(GuestManagerTest, ServicesOfUnknownVmsAreShownAndLeftAlone) {
  end();
  node_.vmms["stray"] = std::make_shared<fake::Vmm>(node_, "stray", host::Argv{"/usr/bin/qemu-system-x86_64", "node-name=disk0,filename=/dev/vg0/d0,"});
  begin();
  EXPECT_EQ(strangers_, (std::vector<std::string>{"mcv-vm-stray.service"}));
  EXPECT_TRUE(node_.find("stray")->alive);
}

TEST_F(GuestManagerTest, AnOldCloudHypervisorIsNotOffered) {
  node_.files.texts.erase("/usr/bin/cloud-hypervisor");
  end();
  begin();
  EXPECT_EQ(manager_->installed(), (std::vector<std::string>{"qemu"}));
  EXPECT_EQ(start(HypervisorKind::cloud_hypervisor).error().code(), ErrorCode::hypervisor_missing);
  EXPECT_EQ(state(), RunState::stopped);
}

TEST_F(GuestManagerTest, NeverAsksSystemdForAStopJob) {
  // A guest's stop job waits for mcvd's own (Before=mcvd.service): asked for while mcvd stops, it would wait for itself.
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(run(manager_->stop(vm_, 60s)).ok());
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(run(manager_->kill(vm_)).ok());
  for (const host::Argv& argv : node_.processes.ran) {
    const bool stops = argv.size() > 1 && argv[0] == "systemctl" && (argv[1] == "stop" || argv[1] == "restart");
    EXPECT_FALSE(stops) << host::to_shell_line(argv);
  }
}

TEST_F(GuestManagerTest, ForgetsOnlyWhatIsStopped) {
  ASSERT_TRUE(start().ok());
  EXPECT_EQ(run(manager_->forget(vm_)).error().code(), ErrorCode::guest_running);
  ASSERT_TRUE(run(manager_->kill(vm_)).ok());
  EXPECT_TRUE(run(manager_->forget(vm_)).ok());
  EXPECT_FALSE(manager_->facts().contains("vm1"));
  EXPECT_FALSE(node_.files.texts.contains("/run/mcv/runs/vm1.json"));
  const host::Argv wipe = {"rm", "-rf", "--", "/run/mcv/vm/vm1"};
  EXPECT_EQ(wipe, node_.processes.ran.back()) << "the sockets of its VMM";
}

}  // namespace
}  // namespace mcv::hv

// SPDX-License-Identifier: Apache-2.0
// Golden files in tests/data: what a guest is started with changes only on purpose. After such a change:
//   MCV_UPDATE_GOLDEN=1 hv_test --gtest_filter='*Golden*'
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "hv/cloud_hypervisor/protocol.h"
#include "hv/qemu/command_line.h"
#include "hv/vmm_unit.h"

namespace mcv::hv {
namespace {

void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(MCV_TEST_DATA) + "/" + name;
  if (std::getenv("MCV_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ifstream file(path);
  std::stringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(text, expected.str()) << path;
}

std::string one_per_line(const host::Argv& argv) { return fmt::format("{}\n", fmt::join(argv, "\n")); }

VmLaunch full_launch() {
  VmLaunch launch;
  launch.name = VmName::trusted("vm1");
  launch.uuid = "00000000-0000-4000-8000-000000000001";
  launch.cpus = 2;
  launch.memory = Bytes::mib(512);
  launch.disks = {{"/dev/drbd100", "vm1-0"}, {"/srv/images/a,b.img", "vm1-1"}};
  launch.nics = {{"mcv-vm1-0", "52:54:00:00:00:01"}, {"mcv-vm1-1", "52:54:00:00:00:02"}};
  launch.boot.kernel = "/boot/vmlinuz";
  launch.boot.initramfs = "/boot/initrd.img";
  launch.boot.cmdline = "console=ttyS0 root=/dev/vda pass=$HOME";
  return launch;
}

VmLaunch firmware_launch() {
  VmLaunch launch = full_launch();
  launch.boot = BootRecord();
  launch.boot.firmware = "/usr/share/OVMF/OVMF.fd";
  launch.disks.pop_back();
  launch.nics.clear();
  return launch;
}

TEST(QemuGolden, DirectKernelBoot) {
  expect_golden("qmp/command_line_kernel.txt", one_per_line(qemu::command_line("/usr/bin/qemu-system-x86_64", full_launch(), qemu::socket_paths("/run/mcv/vm/vm1"))));
}

TEST(QemuGolden, Firmware) {
  expect_golden("qmp/command_line_firmware.txt",
                one_per_line(qemu::command_line("/usr/bin/qemu-system-x86_64", firmware_launch(), qemu::socket_paths("/run/mcv/vm/vm1"))));
}

TEST(CloudHypervisorGolden, CommandLine) {
  expect_golden("ch/command_line.txt", one_per_line(ch::command_line("/usr/bin/cloud-hypervisor", ch::socket_paths("/run/mcv/vm/vm1"))));
}

TEST(CloudHypervisorGolden, KernelBoot) {
  expect_golden("ch/vm_config_kernel.json", ch::vm_config(full_launch(), ch::socket_paths("/run/mcv/vm/vm1")).dump(1) + "\n");
}

TEST(CloudHypervisorGolden, Firmware) {
  expect_golden("ch/vm_config_firmware.json", ch::vm_config(firmware_launch(), ch::socket_paths("/run/mcv/vm/vm1")).dump(1) + "\n");
}

TEST(UnitGolden, SystemdRun) {
  UnitSpec spec;
  spec.vm = VmName::trusted("vm1");
  spec.user = "mcv-guest";
  spec.argv = {"/usr/bin/vmm", "-append", "root=$HOME"};
  spec.devices = {"/dev/drbd100", "/dev/vg0/mcv-vm1-1"};
  expect_golden("qmp/systemd_run.txt", one_per_line(systemd_run_argv(spec)));
}

TEST(Unit, ADollarSignReachesTheGuest) {
  UnitSpec spec;
  spec.vm = VmName::trusted("vm1");
  spec.argv = {"/usr/bin/vmm", "a=$b"};
  EXPECT_EQ(systemd_run_argv(spec).back(), "a=$$b");
}

TEST(Unit, NamesGoBothWays) {
  EXPECT_EQ(unit_name(VmName::trusted("a.b-c_d")), "mcv-vm-a.b-c_d.service");
  EXPECT_EQ(vm_of_unit("mcv-vm-a.b-c_d.service"), "a.b-c_d");
  EXPECT_EQ(vm_of_unit("mcv-vm-.service"), "");
  EXPECT_EQ(vm_of_unit("mcvd.service"), "");
  EXPECT_EQ(vm_of_unit("mcv-vm-x.scope"), "");
}

TEST(Unit, ReadsWhatSystemctlShows) {
  const auto running = parse_unit_facts(
      "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nMainPID=4242\nExecMainCode=0\nExecMainStatus=0\nInvocationID=abc\n");
  ASSERT_TRUE(running.ok());
  EXPECT_TRUE(running->loaded);
  EXPECT_EQ(running->main_pid, 4242);
  EXPECT_EQ(running->invocation, "abc");
  const auto killed = parse_unit_facts("LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=signal\nMainPID=0\nExecMainCode=2\nExecMainStatus=9\n");
  EXPECT_EQ(killed->result, "signal");
  EXPECT_EQ(killed->exec_main_status, 9);
  EXPECT_FALSE(parse_unit_facts("LoadState=not-found\nActiveState=inactive\n")->loaded);
  EXPECT_FALSE(parse_unit_facts("").ok());
}

TEST(Unit, TellsHowAServiceEnded) {
  const auto told = [](const char* text) { return how_it_ended(*parse_unit_facts(text)); };
  EXPECT_EQ(told("LoadState=loaded\nActiveState=failed\nResult=signal\nExecMainCode=2\nExecMainStatus=9\n"), "killed by signal 9");
  EXPECT_EQ(told("LoadState=loaded\nActiveState=failed\nResult=core-dump\nExecMainCode=3\nExecMainStatus=31\n"), "killed by signal 31");
  EXPECT_EQ(told("LoadState=loaded\nActiveState=failed\nResult=exit-code\nExecMainCode=1\nExecMainStatus=101\n"), "exit code 101");
  EXPECT_EQ(told("LoadState=loaded\nActiveState=failed\nResult=oom-kill\nExecMainCode=2\nExecMainStatus=9\n"), "the kernel killed it, out of memory");
  EXPECT_EQ(told("LoadState=not-found\nActiveState=inactive\n"), "exit code 0");
  EXPECT_EQ(told("LoadState=loaded\nActiveState=active\nResult=success\n"), "");
}

TEST(Launch, SerialsFitAndAreStable) {
  EXPECT_EQ(disk_serial(VolumeName::trusted("vm1-0")), "vm1-0");
  const std::string serial = disk_serial(VolumeName::trusted("a-very-long-machine-name-0"));
  EXPECT_EQ(serial.size(), 20u);
  EXPECT_NE(serial, disk_serial(VolumeName::trusted("a-very-long-machine-name-1")));
}

TEST(Launch, RefusesWhatNoVmmCanStart) {
  EXPECT_TRUE(check_launch(full_launch()).ok());
  const auto refused = [](void (*spoil)(VmLaunch&)) {
    VmLaunch launch = full_launch();
    spoil(launch);
    return !check_launch(launch).ok();
  };
  EXPECT_TRUE(refused([](VmLaunch& launch) { launch.cpus = 0; }));
  EXPECT_TRUE(refused([](VmLaunch& launch) { launch.memory = Bytes::mib(1); }));
  EXPECT_TRUE(refused([](VmLaunch& launch) { launch.disks[0].serial = "123456789012345678901"; }));
  EXPECT_TRUE(refused([](VmLaunch& launch) { launch.disks[0].path = "relative"; }));
  EXPECT_TRUE(refused([](VmLaunch& launch) { launch.nics[0].mac.clear(); }));
  EXPECT_TRUE(refused([](VmLaunch& launch) { launch.boot.firmware = "/fw"; }));
  EXPECT_TRUE(refused([](VmLaunch& launch) { launch.disks.resize(17, {"/dev/x", "x"}); }));
}

}  // namespace
}  // namespace mcv::hv

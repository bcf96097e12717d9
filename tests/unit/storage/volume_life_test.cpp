// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/volume_life.h"

#include "fake_drbd.h"

namespace mcv::drbd::volume_life_test {
namespace {

using namespace std::chrono_literals;
using test::FakeDrbd;
using test::Machine;

const VolumeName vm1 = VolumeName::trusted("vm1-0");

ResourceConfig config() {
  ResourceConfig result;
  result.volume = vm1;
  result.minor = 100;
  result.port = 7800;
  result.secret = "0123456789abcdef0123456789abcdef";
  result.legs = {Leg{NodeName::trusted("A"), "10.77.1.11", "/dev/vg0/mcv-vm1-0", "/dev/vg0/mcv-vm1-0.md"},
                 Leg{NodeName::trusted("B"), "10.77.1.12", "/dev/vg0/mcv-vm1-0", "/dev/vg0/mcv-vm1-0.md"}};
  return result;
}

TEST(VolumeLife, TheModuleAsksOurProgram) {
  Machine machine;
  FakeDrbd drbd(machine);
  EXPECT_EQ(machine.run(ensure_module(machine.host)).error().code(), ErrorCode::command_missing);
  machine.files.texts[fence::program] = "ELF";
  EXPECT_TRUE(machine.run(ensure_module(machine.host)).ok());
  EXPECT_EQ(machine.files.texts.at("/sys/module/drbd/parameters/usermode_helper"), fence::program);
  machine.files.texts["/proc/drbd"] = "version: 9.2.4 (api:2/proto:86-121)\n";
  EXPECT_EQ(machine.run(ensure_module(machine.host)).error().code(), ErrorCode::drbd_version);
}

TEST(VolumeLife, FromNothingToRedundantEveryStepTwice) {
  Machine machine;
  FakeDrbd drbd(machine);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(machine.run(ensure_resource_file(machine.host, config())).ok());
    EXPECT_TRUE(machine.run(ensure_metadata(machine.host, drbd.monitor, vm1, 100, "/dev/vg0/mcv-vm1-0.md", true)).ok());
    EXPECT_TRUE(machine.run(ensure_up(machine.host, drbd.monitor, vm1, false)).ok());
  }
  EXPECT_EQ(machine.files.modes.at("/etc/drbd.d/mcv-vm1-0.res"), 0600u);
  EXPECT_EQ(machine.tools.count("drbdmeta --force"), 1u);
  EXPECT_EQ(machine.run(mark_identical(machine.host, drbd.monitor, vm1, true)).error().code(), ErrorCode::not_up_to_date);  // not connected
  EXPECT_EQ(machine.run(wait_connected(drbd.monitor, vm1, 1s)).error().code(), ErrorCode::timed_out);
  drbd.connect("Inconsistent");
  EXPECT_TRUE(machine.run(wait_connected(drbd.monitor, vm1, 1s)).ok());
  EXPECT_EQ(machine.run(mark_identical(machine.host, drbd.monitor, vm1, false)).error().code(), ErrorCode::bad_request);
  EXPECT_TRUE(machine.run(mark_identical(machine.host, drbd.monitor, vm1, true)).ok());
  EXPECT_TRUE(machine.run(mark_identical(machine.host, drbd.monitor, vm1, true)).ok());
  EXPECT_EQ(machine.tools.count(drbd.adm + "new-current-uuid"), 1u);
  EXPECT_TRUE(machine.run(wait_redundant(drbd.monitor, vm1, 1s)).ok());
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(machine.run(ensure_primary(machine.host, drbd.monitor, vm1)).ok());
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(machine.run(ensure_secondary(machine.host, drbd.monitor, vm1, 1s)).ok());
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(machine.run(ensure_down(machine.host, drbd.monitor, vm1)).ok());
  EXPECT_EQ(machine.tools.count("drbdsetup down"), 1u);
}

TEST(VolumeLife, MetadataIsNeverMadeOverAVolumeThatHadSome) {
  Machine machine;
  FakeDrbd drbd(machine);
  EXPECT_EQ(machine.run(ensure_metadata(machine.host, drbd.monitor, vm1, 100, "/dev/x.md", false)).error().code(), ErrorCode::metadata_missing);
  machine.tools.forget("drbdmeta 100 v08");
  machine.tools.when("drbdmeta 100 v08", host::ProcessResult{20, "", "open(/dev/x.md) failed"});
  EXPECT_EQ(machine.run(ensure_metadata(machine.host, drbd.monitor, vm1, 100, "/dev/x.md", true)).error().code(), ErrorCode::command_failed);
  EXPECT_EQ(machine.tools.count("drbdmeta --force"), 0u);
}

TEST(VolumeLife, RefusedPromotionsSayWhy) {
  Machine machine;
  FakeDrbd drbd(machine);
  EXPECT_EQ(machine.run(ensure_primary(machine.host, drbd.monitor, vm1)).error().code(), ErrorCode::not_found);
  drbd.bring_up("Consistent");
  const std::map<int, ErrorCode> expected{{-1, ErrorCode::peer_is_primary}, {-2, ErrorCode::not_up_to_date}, {-7, ErrorCode::no_authority}, {-19, ErrorCode::command_failed}};
  for (const auto& [kernel, ours] : expected) {
    drbd.promote_error = kernel;
    EXPECT_EQ(machine.run(ensure_primary(machine.host, drbd.monitor, vm1)).error().code(), ours) << kernel;
  }
}

TEST(VolumeLife, ByForceOnlyAnOutdatedLegThatStandsAloneIsOpened) {
  Machine machine;
  FakeDrbd drbd(machine);
  const auto open = [&] {
    machine.settle();
    return machine.run(open_older_copy(machine.host, drbd.monitor, vm1));
  };
  EXPECT_EQ(open().error().code(), ErrorCode::not_found);
  drbd.bring_up("Outdated");
  EXPECT_EQ(open().error().code(), ErrorCode::not_up_to_date) << "it looks for the other one: that may have the data";
  for (const char* disk : {"UpToDate", "Consistent", "Inconsistent"}) {
    drbd.bring_up(disk);
    drbd.tell("destroy connection " + drbd.peer_key);
    EXPECT_EQ(open().error().code(), ErrorCode::not_up_to_date) << disk;
  }
  EXPECT_EQ(machine.tools.count(drbd.adm + "primary"), 0u);
  drbd.bring_up("Outdated");
  drbd.tell("destroy connection " + drbd.peer_key);
  EXPECT_TRUE(open().ok());
  EXPECT_EQ(machine.tools.count(drbd.adm + "primary --force"), 1u);
  EXPECT_EQ(drbd.role, "Primary");
}

TEST(VolumeLife, AnOpenDeviceIsWaitedForAndThenNamed) {
  Machine machine;
  FakeDrbd drbd(machine);
  drbd.bring_up("UpToDate");
  drbd.set_role("Primary");
  drbd.openers = 3;  // udev, for moments
  EXPECT_TRUE(machine.run(ensure_secondary(machine.host, drbd.monitor, vm1, 3s)).ok());
  drbd.set_role("Primary");
  drbd.openers = 1'000'000;
  machine.files.texts["/sys/block/drbd100/holders/dm-7"] = "";
  const Status busy = machine.run(ensure_secondary(machine.host, drbd.monitor, vm1, 3s));
  EXPECT_EQ(busy.error().code(), ErrorCode::device_busy);
  EXPECT_NE(busy.error().message().find("dm-7"), std::string::npos);
  EXPECT_EQ(machine.run(ensure_down(machine.host, drbd.monitor, vm1)).error().code(), ErrorCode::device_busy);
  EXPECT_TRUE(drbd.up);
}

TEST(VolumeLife, OneLegComesUpWithoutAPeer) {
  Machine machine;
  FakeDrbd drbd(machine);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(machine.run(ensure_up(machine.host, drbd.monitor, vm1, true)).ok());
  EXPECT_EQ(machine.tools.count(drbd.adm + "attach"), 1u);
  EXPECT_EQ(machine.tools.count(drbd.adm + "adjust"), 0u);
}

TEST(VolumeLife, ACopyBeginsOnlyBetweenFreshLegs) {
  Machine machine;
  FakeDrbd drbd(machine);
  drbd.bring_up("Inconsistent");
  drbd.connect("Inconsistent");
  machine.settle();
  drbd.generation = "E715BE2EA95C367A:0000000000000000:0:0";  // written to before
  EXPECT_EQ(machine.run(copy_from_here(machine.host, drbd.monitor, vm1)).error().code(), ErrorCode::not_up_to_date);
  EXPECT_EQ(machine.tools.count(drbd.adm + "primary"), 0u);
  drbd.generation = "0000000000000004:0000000000000000:0:0";
  EXPECT_TRUE(machine.run(copy_from_here(machine.host, drbd.monitor, vm1)).ok());
  EXPECT_EQ(drbd.role, "Secondary");
  EXPECT_TRUE(machine.run(copy_from_here(machine.host, drbd.monitor, vm1)).ok());
  EXPECT_EQ(machine.tools.count(drbd.adm + "primary --force"), 1u);
}

TEST(VolumeLife, HeldIoIsThawedOnlyWhenHeld) {
  Machine machine;
  FakeDrbd drbd(machine);
  drbd.bring_up("UpToDate");
  EXPECT_TRUE(machine.run(resume_io(machine.host, drbd.monitor, vm1)).ok());
  EXPECT_EQ(machine.tools.count(drbd.adm + "resume-io"), 0u);
  drbd.tell("change resource name:mcv-vm1-0 suspended:fencing");
  machine.settle();
  EXPECT_TRUE(machine.run(resume_io(machine.host, drbd.monitor, vm1)).ok());
  EXPECT_EQ(machine.tools.count(drbd.adm + "resume-io"), 1u);
}

TEST(VolumeLife, ALegThatStandsAloneLooksForThePeerAgainOnce) {
  Machine machine;
  FakeDrbd drbd(machine);
  EXPECT_FALSE(machine.run(ensure_connecting(machine.host, drbd.monitor, vm1)).ok()) << "not configured";
  drbd.bring_up("UpToDate");
  machine.settle();
  EXPECT_TRUE(machine.run(ensure_disconnected(machine.host, drbd.monitor, vm1)).ok());
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(machine.run(ensure_connecting(machine.host, drbd.monitor, vm1)).ok());
    machine.settle();
  }
  EXPECT_EQ(machine.tools.count(drbd.adm + "connect"), 1u);
}

TEST(VolumeLife, NothingIsLeftAfterRemoval) {
  Machine machine;
  FakeDrbd drbd(machine);
  machine.tools.succeed("lvs", R"({"report":[{"lv":[]}]})");
  const lvm::Pool pool{PoolName::trusted("fast"), PoolKind::thin, "vg0", "mcv-fast", ""};
  EXPECT_TRUE(machine.run(ensure_resource_file(machine.host, config())).ok());
  drbd.bring_up("UpToDate");
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(machine.run(remove_everything(machine.host, drbd.monitor, pool, vm1)).ok());
  EXPECT_FALSE(drbd.up);
  EXPECT_FALSE(machine.files.texts.contains("/etc/drbd.d/mcv-vm1-0.res"));
}

}  // namespace
}  // namespace mcv::drbd::volume_life_test

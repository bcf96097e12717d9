// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/lone_leg.h"

#include "fake_drbd.h"
#include "storage/drbd/volume_life.h"

namespace mcv::drbd::lone_leg_test {
namespace {

using test::FakeDrbd;
using test::Machine;

const VolumeName vm1 = VolumeName::trusted("vm1-0");
const std::string file = "/etc/drbd.d/mcv-vm1-0.res";
const std::string off = "drbdsetup disk-options 100 --fencing=dont-care";
const std::string on = "drbdsetup disk-options 100 --fencing=resource-and-stonith";

ResourceConfig config(std::size_t legs) {
  ResourceConfig result;
  result.volume = vm1;
  result.minor = 100;
  result.port = 7800;
  result.secret = "0123456789abcdef0123456789abcdef";
  result.legs = {Leg{NodeName::trusted("A"), "10.77.1.11", "/dev/vg0/mcv-vm1-0", "/dev/vg0/mcv-vm1-0.md"},
                 Leg{NodeName::trusted("B"), "10.77.1.12", "/dev/vg0/mcv-vm1-0", "/dev/vg0/mcv-vm1-0.md"}};
  result.legs.resize(legs);
  return result;
}

/// A connected Primary of a pair, as a guest writes to it.
struct Pair {
  Pair() : drbd(machine) {
    machine.files.texts[file] = *render_resource(config(2));
    drbd.bring_up("UpToDate");
    drbd.set_role("Primary");
    drbd.connect("UpToDate");
    drbd.generation = "00000000DEADBEEF:0000000000000000:0:0:1:1:0:1:0:0:0";
    for (const std::string& command : {off, on}) machine.tools.succeed(command);
    machine.settle();
  }
  Machine machine;
  FakeDrbd drbd;
};

TEST(LoneLeg, AFileSaysHowManyLegsThereAre) {
  EXPECT_TRUE(has_one_leg(*render_resource(config(1))));
  EXPECT_FALSE(has_one_leg(*render_resource(config(2))));
  EXPECT_FALSE(has_one_leg(""));
}

TEST(LoneLeg, NobodyIsFencedBeforeTheConnectionGoes) {
  Pair pair;
  bool fencing = true, connected_when_off = false, file_when_disconnected = false;
  pair.machine.tools.forget(off);
  pair.machine.tools.forget(pair.drbd.adm + "disconnect");
  pair.machine.tools.when(off, [&](const host::Command&) {
    fencing = false;
    connected_when_off = connected_when_off || pair.drbd.monitor.find(vm1)->facts.connection == ConnectionState::connected;
    return host::ProcessResult{};
  });
  pair.machine.tools.when(pair.drbd.adm + "disconnect", [&](const host::Command&) {
    EXPECT_FALSE(fencing) << "the guest's writes would be held";
    file_when_disconnected = file_when_disconnected || !has_one_leg(pair.machine.files.texts.at(file));
    pair.drbd.tell("destroy connection " + pair.drbd.peer_key);
    return host::ProcessResult{};
  });
  for (int i = 0; i < 2; ++i) {
    const Status lone = pair.machine.run(ensure_lone(pair.machine.host, pair.drbd.monitor, config(1)));
    ASSERT_TRUE(lone.ok()) << lone.error().to_text();
  }
  EXPECT_TRUE(connected_when_off);
  EXPECT_TRUE(file_when_disconnected) << "drbdadm needs the other leg's address to disconnect from it";
  EXPECT_TRUE(has_one_leg(pair.machine.files.texts.at(file)));
  EXPECT_EQ(pair.machine.tools.count(pair.drbd.adm + "disconnect"), 1u);
  EXPECT_EQ(pair.machine.tools.count("drbdsetup down"), 0u);
}

TEST(LoneLeg, HeldWritesGoOn) {
  Pair pair;
  pair.drbd.tell("change resource name:mcv-vm1-0 suspended:fencing");
  pair.machine.settle();
  ASSERT_TRUE(pair.machine.run(ensure_lone(pair.machine.host, pair.drbd.monitor, config(1))).ok());
  EXPECT_EQ(pair.machine.tools.count(pair.drbd.adm + "resume-io"), 1u);
}

TEST(LoneLeg, ALegInDoubtIsAttachedAnew) {
  Pair pair;
  pair.drbd.set_role("Secondary");
  pair.drbd.set_disks("Consistent", "DUnknown");
  pair.machine.settle();
  ASSERT_TRUE(pair.machine.run(ensure_lone(pair.machine.host, pair.drbd.monitor, config(1))).ok());
  EXPECT_EQ(pair.machine.tools.count("drbdsetup down"), 1u);
  ASSERT_TRUE(pair.machine.run(ensure_up(pair.machine.host, pair.drbd.monitor, vm1, false)).ok());
  EXPECT_EQ(pair.machine.tools.count(pair.drbd.adm + "attach"), 1u);
  EXPECT_EQ(pair.machine.tools.count(pair.drbd.adm + "adjust"), 0u) << "adjust insists on a peer";
}

TEST(Paired, FencingIsBackBeforeTheFirstConnect) {
  Pair pair;
  ASSERT_TRUE(pair.machine.run(ensure_lone(pair.machine.host, pair.drbd.monitor, config(1))).ok());
  ASSERT_TRUE(pair.machine.run(ensure_paired(pair.machine.host, pair.drbd.monitor, config(2))).ok());
  EXPECT_EQ(pair.machine.tools.count(on), 1u);
  EXPECT_EQ(pair.machine.tools.count(pair.drbd.adm + "connect"), 0u);
  EXPECT_FALSE(has_one_leg(pair.machine.files.texts.at(file)));
}

TEST(Paired, ALegThatIsNotTheGoodOneIsRefused) {
  for (const char* disk : {"Inconsistent", "Outdated", "Diskless", "Failed"}) {
    Pair pair;
    pair.drbd.set_disks(disk, "DUnknown");
    pair.machine.settle();
    EXPECT_EQ(pair.machine.run(ensure_paired(pair.machine.host, pair.drbd.monitor, config(2))).error().code(), ErrorCode::not_up_to_date) << disk;
    EXPECT_EQ(pair.machine.tools.count(on), 0u) << disk;
  }
  Pair fresh;
  fresh.drbd.generation = "0000000000000004:0000000000000000:0:0:1:1:0:1:0:0:0";
  EXPECT_EQ(fresh.machine.run(ensure_paired(fresh.machine.host, fresh.drbd.monitor, config(2))).error().code(), ErrorCode::not_up_to_date);
}

}  // namespace
}  // namespace mcv::drbd::lone_leg_test

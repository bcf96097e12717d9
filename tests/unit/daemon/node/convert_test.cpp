// SPDX-License-Identifier: Apache-2.0
// Local disks become replicated in place, and back. Faults at every step: the simulator's kind convert.
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::convert_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;
const VolumeName disk = VolumeName::trusted("vm1-0");
const Json to_drbd = {{"storage_type", "drbd"}};
const Json to_local = {{"storage_type", "local"}};
constexpr std::uint64_t far_block = 40;  ///< that no guest of the simulator writes

class Convert : public testing::Test {
 protected:
  Convert() {
    nodes.make_cluster();
    const Json boot = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
    const Json one = {{"size", std::uint64_t{64} << 20}};
    nodes.must(a, "POST", "/v1/vms", {{"name", "vm1"}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({one})}, {"storage_type", "local"}, {"networks", {"lan"}}, {"boot", boot}, {"hypervisor", "qemu"}});
    nodes.machine(a).lvm.volumes.at("vg0/mcv-vm1-0").blocks[far_block] = 4711;
  }
  VolumeRecord record() { return *nodes.daemon(a).shared.current().volume(disk); }
  bool has(std::size_t node, const char* name) { return nodes.machine(node).lvm.volumes.contains(name); }
  std::uint64_t block(std::size_t node) {
    const auto& blocks = nodes.machine(node).lvm.volumes.at("vg0/mcv-vm1-0").blocks;
    const auto found = blocks.find(far_block);
    return found == blocks.end() ? 0 : found->second;
  }
  ErrorCode refusal(const Json& body) {
    const auto answer = nodes.ask(a, "POST", "/v1/vms/vm1/storage-type", body);
    if (!answer.error) return ErrorCode::internal;
    EXPECT_FALSE(answer.error->next().empty()) << answer.error->to_text();
    return answer.error->code();
  }

  TwoNodes nodes;
};

TEST_F(Convert, ALocalDiskBecomesReplicatedWithWhatIsInIt) {
  EXPECT_EQ(refusal(to_local), ErrorCode::bad_request) << "it is";
  nodes.must(b, "POST", "/v1/vms/vm1/storage-type", to_drbd);
  nodes.must(a, "POST", "/v1/vms/vm1/resync/follow", Json::object());
  EXPECT_EQ(record().kind, VolumeKind::drbd);
  EXPECT_NE(record().port, 0);
  EXPECT_EQ(record().node, "");
  for (const std::size_t node : TwoNodes::both) {
    ASSERT_EQ(nodes.replication().look(node).size(), 1u);
    EXPECT_EQ(nodes.replication().look(node)[0].disk, "UpToDate");
    EXPECT_FALSE(nodes.replication().look(node)[0].primary);
    EXPECT_EQ(block(node), 4711u);
  }
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  nodes.pass(5s);
  nodes.must(a, "POST", "/v1/verify", {{"all", true}});
  EXPECT_EQ(record().verdict.kind, VerdictKind::clean);
  EXPECT_EQ(refusal(to_local), ErrorCode::guest_running);
  EXPECT_EQ(refusal(to_drbd), ErrorCode::guest_running);
}

TEST_F(Convert, AndLocalAgainOnTheNodeThatHasTheVm) {
  nodes.must(a, "POST", "/v1/vms/vm1/storage-type", to_drbd);
  nodes.must(a, "POST", "/v1/vms/vm1/resync/follow", Json::object());
  nodes.must(a, "POST", "/v1/vms/vm1/migrate", {{"node", "B"}});
  nodes.pass(5s);
  nodes.must(a, "POST", "/v1/vms/vm1/storage-type", to_local);
  EXPECT_EQ(record().kind, VolumeKind::local);
  EXPECT_EQ(record().node, "B");
  EXPECT_EQ(record().port, 0);
  EXPECT_EQ(block(b), 4711u);
  EXPECT_FALSE(has(a, "vg0/mcv-vm1-0"));
  for (const std::size_t node : TwoNodes::both) {
    EXPECT_FALSE(has(node, "vg0/mcv-vm1-0.md"));
    EXPECT_TRUE(nodes.replication().look(node).empty());
    EXPECT_FALSE(nodes.files(node).there("/etc/drbd.d/mcv-vm1-0.res"));
  }
  nodes.must(b, "POST", "/v1/vms/vm1/start", Json::object());
}

TEST_F(Convert, IsRefusedWhereTheCopiesAreNotEqual) {
  nodes.must(a, "POST", "/v1/vms/vm1/storage-type", to_drbd);
  nodes.must(a, "POST", "/v1/vms/vm1/resync/follow", Json::object());
  nodes.replication().cut();
  nodes.pass(10s);
  EXPECT_EQ(refusal(to_local), ErrorCode::not_up_to_date);
  nodes.replication().heal();
  nodes.pass(30s);
  nodes.replication().corrupt(b, record().minor, 3, 666);
  nodes.command(a, "POST", "/v1/verify", {{"all", true}});
  EXPECT_EQ(refusal(to_local), ErrorCode::verify_gate);
}

TEST_F(Convert, NothingIsLeftWhereTheOtherNodeHasNoRoom) {
  auto& pool = nodes.machine(b).lvm.volumes.at("vg0/mcv-fast");
  for (std::uint64_t number = 0; number < 1000; ++number) nodes.machine(a).lvm.volumes.at("vg0/mcv-vm1-0").blocks[number] = 1;
  pool.size = 100 * 4096;
  const auto refused = nodes.ask(a, "POST", "/v1/vms/vm1/storage-type", to_drbd);
  ASSERT_TRUE(refused.error) << "before the first step";
  EXPECT_EQ(refused.error->code(), ErrorCode::pool_full);
  EXPECT_NE(refused.error->message().find("storage pool fast on B has "), std::string::npos) << refused.error->to_text();
  EXPECT_NE(refused.error->next().find("on B: lvextend --size +"), std::string::npos) << refused.error->to_text();
  EXPECT_EQ(record().kind, VolumeKind::local);
  EXPECT_EQ(record().node, "A");
  EXPECT_EQ(record().port, 0);
  EXPECT_TRUE(has(a, "vg0/mcv-vm1-0"));
  EXPECT_FALSE(has(a, "vg0/mcv-vm1-0.md"));
  EXPECT_FALSE(has(b, "vg0/mcv-vm1-0"));
  EXPECT_FALSE(nodes.files(a).there("/etc/drbd.d/mcv-vm1-0.res"));
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
}

}  // namespace
}  // namespace mcv::test::convert_test

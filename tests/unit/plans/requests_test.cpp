// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cluster/requests/requests.h"

namespace mcv::requests::requests_test {
namespace {

Json vm_body() { return {{"name", "vm1"}, {"memory", 128u << 20}, {"disks", Json::array({{{"size", 256u << 20}}})}, {"networks", {"lan"}}}; }

TEST(Requests, ReadACompleteVm) {
  Json body = vm_body();
  body["boot"] = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
  const auto vm = create_vm(body);
  ASSERT_TRUE(vm.ok()) << vm.error().message();
  EXPECT_EQ(vm->storage_type, VolumeKind::drbd);
  EXPECT_EQ(vm->disks.front(), Bytes::mib(256));
}

TEST(Requests, RefuseWhatMakesNoSense) {
  const std::pair<const char*, Json> bad[] = {
      {"cpus", 0},   {"cpus", 100000},        {"cpus", "1"},          {"memory", 1},          {"name", "../etc"},  {"disks", {{{"size", 1000}}}},
      {"disks", 5},  {"networks", {"a b"}},   {"boot", {{"kernel", "relative"}}}, {"boot", {{"initramfs", "/x"}}}, {"boot", {{"kernel", "/a/../b"}}},
      {"hypervisor", "xen"}, {"storage_type", "ceph"}, {"typo", 1}, {"boot", {{"kernel", "/k"}, {"cmdline", "a\nb"}}}, {"boot", {{"kernel", "/k,x"}}}};
  for (const auto& [key, value] : bad) {
    Json body = vm_body();
    body[key] = value;
    EXPECT_FALSE(create_vm(body).ok()) << key << " " << value.dump();
  }
  EXPECT_FALSE(create_vm(Json::array()).ok());
}

TEST(Requests, VerifyNeedsNamesOrAllButNotBoth) {
  EXPECT_TRUE(verify({{"all", true}}).ok());
  EXPECT_TRUE(verify({{"vms", {"vm1"}}}).ok());
  EXPECT_FALSE(verify(Json::object()).ok());
  EXPECT_FALSE(verify({{"all", true}, {"vms", {"vm1"}}}).ok());
}

TEST(Requests, AFactThatWasNotTypedIsNotConfirmed) {
  const auto asked = confirm_down({{"node", "B"}});
  ASSERT_TRUE(asked.ok());
  EXPECT_FALSE(asked->is_powered_off || asked->nobody_let_it_carry_on || asked->check_only);
  EXPECT_TRUE(confirm_down({{"node", "B"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}})->nobody_let_it_carry_on);
  EXPECT_FALSE(confirm_down({{"is_powered_off", true}}).ok());
  EXPECT_FALSE(confirm_down({{"node", "B"}, {"is_powered_off", "yes"}}).ok());
  EXPECT_FALSE(confirm_down({{"node", "B"}, {"force", true}}).ok());
}

TEST(Requests, ThePolicyIsOneOfTwoWords) {
  EXPECT_EQ(update_cluster({{"peer_loss", "run-alone"}})->peer_loss, PeerLoss::run_alone);
  EXPECT_EQ(update_cluster({{"verify_age_seconds", 86'400}})->verify_age_seconds, 86'400);
  EXPECT_EQ(update_cluster({{"verify_age_seconds", 0}, {"verify_parallel", 8}})->verify_parallel, 8u);
  EXPECT_EQ(update_cluster({{"verify_calendar", "Mon..Fri *-*-* 02:00:00 Europe/Berlin"}})->verify_calendar, "Mon..Fri *-*-* 02:00:00 Europe/Berlin");
  EXPECT_EQ(update_cluster({{"verify_calendar", "off"}})->verify_calendar, "off");
  for (const char* odd : {"", " ", "Sun\nExecStart=/bin/sh", "%i", "Sun;", "Sun\\"}) EXPECT_FALSE(update_cluster({{"verify_calendar", odd}}).ok()) << odd;
  for (const Json& bad : {Json{{"verify_age_seconds", 60}}, Json{{"verify_age_seconds", -1}}, Json{{"verify_parallel", 0}}, Json{{"verify_parallel", 9}}, Json{{"verify_age_seconds", "30d"}}}) {
    EXPECT_FALSE(update_cluster(bad).ok()) << bad.dump();
  }
  for (const Json& bad : {Json{{"peer_loss", "on"}}, Json{{"peer_loss", true}}, Json::object(), Json{{"peer_loss", "freeze"}, {"force", true}}}) EXPECT_FALSE(update_cluster(bad).ok()) << bad.dump();
}

TEST(Requests, ACopyIsAcceptedOnlyInSoManyWords) {
  EXPECT_FALSE(accept_copy({{"volume", "vm1-0"}})->may_be_older);
  EXPECT_TRUE(accept_copy({{"volume", "vm1-0"}, {"may_be_older", true}})->may_be_older);
  for (const Json& bad : {Json{{"volume", "../vm1"}}, Json{{"may_be_older", true}}, Json{{"volume", "vm1-0"}, {"yes", true}}}) EXPECT_FALSE(accept_copy(bad).ok()) << bad.dump();
}

TEST(Requests, AddressesAreLiteralsInOneSpelling) {
  EXPECT_EQ(*parse_address("10.77.0.11"), "10.77.0.11");
  EXPECT_EQ(*parse_address("FD00:0:0::1"), "fd00::1");
  for (const char* bad : {"", "localhost", "10.77.0", "10.77.0.256", "10.77.0.1 ", "1.2.3.4/24"}) EXPECT_FALSE(parse_address(bad).ok()) << bad;
}

TEST(Requests, ATimeoutNeedsAWait) {
  EXPECT_FALSE(migrate_vm({{"node", "B"}, {"timeout_seconds", 5}}).ok());
  EXPECT_TRUE(migrate_vm({{"node", "B"}, {"timeout_seconds", 5}, {"wait_for_shutdown", true}}).ok());
}

TEST(Requests, AnOverrideNeedsAReason) {
  EXPECT_TRUE(start_vm(Json::object()).ok());
  EXPECT_FALSE(start_vm({{"override", {{"reason", ""}}}}).ok());
  EXPECT_FALSE(start_vm({{"override", true}}).ok());
}

TEST(Requests, APoolHasAVolumeGroupOrADirectory) {
  EXPECT_EQ(create_pool({{"name", "fast"}, {"vg", "vg0"}, {"thin", true}})->kind, PoolKind::thin);
  EXPECT_EQ(create_pool({{"name", "iso"}, {"dir", "/srv/iso"}})->kind, PoolKind::directory);
  EXPECT_FALSE(create_pool({{"name", "x"}}).ok());
  EXPECT_FALSE(create_pool({{"name", "x"}, {"vg", "a"}, {"dir", "/b"}}).ok());
}

}  // namespace
}  // namespace mcv::requests::requests_test

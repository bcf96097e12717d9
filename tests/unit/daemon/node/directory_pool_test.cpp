// SPDX-License-Identifier: Apache-2.0
// A VM whose disk is an image file, from its creation to its end, on a node alone.
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::directory_pool_test {
namespace {

constexpr std::size_t a = TwoNodes::a;
constexpr const char* image = "/srv/images/mcv-vm1-0.raw";

TEST(DirectoryPool, ItsVmStartsAndLeavesNothing) {
  TwoNodes nodes;
  nodes.initialise(a);
  nodes.must(a, "POST", "/v1/storage", {{"name", "files"}, {"dir", "/srv/images"}});
  const Json boot = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
  const Json disk = {{"size", std::uint64_t{64} << 20}};
  nodes.must(a, "POST", "/v1/vms",
             {{"name", "vm1"}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})}, {"storage_type", "local"}, {"boot", boot}, {"hypervisor", "qemu"}});
  ASSERT_TRUE(nodes.files(a).files.contains(image));
  EXPECT_EQ(nodes.files(a).files.at(image).owner, "mcv-guest");
  EXPECT_EQ(nodes.ask(a, "GET", "/v1/vms/vm1").body.at("volumes").at(0).at("device"), image);
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  EXPECT_EQ(nodes.ask(a, "GET", "/v1/vms/vm1").body.at("state"), "running");
  nodes.must(a, "POST", "/v1/vms/vm1/kill", Json::object());
  nodes.must(a, "DELETE", "/v1/vms/vm1", Json());
  for (const auto& [path, file] : nodes.files(a).files) EXPECT_FALSE(path.starts_with("/srv/images/mcv-")) << path;
}

}  // namespace
}  // namespace mcv::test::directory_pool_test

// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/leftovers.h"

#include <gtest/gtest.h>

namespace mcv::drbd {
namespace {

lvm::LogicalVolume volume(std::string name, std::vector<std::string> tags) {
  lvm::LogicalVolume result;
  result.name = std::move(name);
  result.volume_group = "vg0";
  result.tags = std::move(tags);
  return result;
}

TEST(Leftovers, AreOursAndUnknown) {
  lvm::LogicalVolume pool = volume("mcv-fast", {"mcv"});
  pool.thin_pool = true;
  const std::vector<lvm::LogicalVolume> volumes{pool, volume("mcv-vm1-0", {"mcv", "mcv.by.A-1"}), volume("mcv-vm1-0.md", {"mcv"}),
                                                volume("mcvs-A-3-vm1-0", {"mcv", "mcv.snapshot", "mcv.volume.vm1-0"}), volume("mcvs-A-3-gone-0", {"mcv", "mcv.snapshot", "mcv.volume.gone-0"}),
                                                volume("mcv-gone-0", {"mcv"}), volume("mcv-gone-0.md", {"mcv"}), volume("mcv-his-0", {}), volume("root", {})};
  const Leftovers found = leftovers_of(volumes, {"global_common.conf", "mcv-vm1-0.res", "mcv-old-1.res", "r0.res"}, {"mcv-vm1-0", "mcv-up-0", "r0"},
                                       {VolumeName::trusted("vm1-0")});
  EXPECT_EQ(found.logical_volumes, (std::vector<std::string>{"vg0/mcvs-A-3-gone-0", "vg0/mcv-gone-0", "vg0/mcv-gone-0.md"}));
  EXPECT_EQ(found.resource_files, (std::vector<std::string>{"/etc/drbd.d/mcv-old-1.res"}));
  EXPECT_EQ(found.resources, (std::vector<std::string>{"mcv-up-0"}));
  EXPECT_TRUE(leftovers_of({pool}, {}, {}, {}).empty());
}

}  // namespace
}  // namespace mcv::drbd

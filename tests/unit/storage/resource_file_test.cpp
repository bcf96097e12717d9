// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/resource_file.h"

#include <gtest/gtest.h>

#include "storage/drbd/commands.h"

namespace mcv::drbd::resource_file_test {
namespace {

ResourceConfig pair() {
  ResourceConfig config;
  config.volume = VolumeName::trusted("vm1-0");
  config.minor = 100;
  config.port = 7800;
  config.secret = "0123456789abcdef0123456789abcdef";
  config.discard_granularity = Bytes::kib(64);
  config.legs = {Leg{NodeName::trusted("A"), "10.77.1.11", "/dev/vg0/mcv-vm1-0", "/dev/vg0/mcv-vm1-0.md"},
                 Leg{NodeName::trusted("B"), "fd00::12", "/dev/vg1/mcv-vm1-0", "/dev/vg1/mcv-vm1-0.md"}};
  return config;
}

TEST(ResourceFile, IsWhatDrbd84Reads) {
  const auto text = render_resource(pair());
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, R"(# Written by mcv from the cluster's configuration; changes here are overwritten.
resource "mcv-vm1-0" {
  disk {
    fencing resource-and-stonith;
    on-io-error detach;
    c-plan-ahead 20;
    c-fill-target 1024k;
    c-max-rate 409600k;
    c-min-rate 4096k;
    resync-rate 102400k;
    discard-zeroes-if-aligned yes;
    rs-discard-granularity 65536;
  }
  net {
    protocol C;
    cram-hmac-alg sha256;
    shared-secret "0123456789abcdef0123456789abcdef";
    verify-alg crc32c;
    rr-conflict disconnect;
    after-sb-0pri disconnect;
    after-sb-1pri disconnect;
    after-sb-2pri disconnect;
    ping-int 1;
    ping-timeout 5;
    timeout 9;
    connect-int 3;
  }
  on "A" {
    device /dev/drbd100 minor 100;
    disk "/dev/vg0/mcv-vm1-0";
    meta-disk "/dev/vg0/mcv-vm1-0.md";
    address ipv4 10.77.1.11:7800;
  }
  on "B" {
    device /dev/drbd100 minor 100;
    disk "/dev/vg1/mcv-vm1-0";
    meta-disk "/dev/vg1/mcv-vm1-0.md";
    address ipv6 [fd00::12]:7800;
  }
}
)");
}

TEST(ResourceFile, OneLegHasNoPeerNoSecretAndNoFencing) {
  ResourceConfig config = pair();
  config.legs.pop_back();
  config.secret.clear();
  const auto text = render_resource(config);
  ASSERT_TRUE(text.ok());
  EXPECT_NE(text->find("fencing dont-care;"), std::string::npos);
  EXPECT_EQ(text->find("secret"), std::string::npos);
  EXPECT_EQ(text->find("on \"B\""), std::string::npos);
}

TEST(ResourceFile, RefusesWhatWouldBreakOutOfTheGrammar) {
  for (const auto& spoil : std::vector<std::function<void(ResourceConfig&)>>{
           [](ResourceConfig& c) { c.secret = "short"; },
           [](ResourceConfig& c) { c.secret = std::string(64, 'a'); },
           [](ResourceConfig& c) { c.secret = "0123456789abcdef\";}"; },
           [](ResourceConfig& c) { c.legs[0].disk = "/dev/x\"; }"; },
           [](ResourceConfig& c) { c.legs[0].address = ""; },
           [](ResourceConfig& c) { c.legs[1].node = c.legs[0].node; },
           [](ResourceConfig& c) { c.legs.clear(); },
           [](ResourceConfig& c) { c.port = 0; },
           [](ResourceConfig& c) { c.minor = 1u << 20; },
       }) {
    ResourceConfig config = pair();
    spoil(config);
    EXPECT_FALSE(render_resource(config).ok());
  }
}

TEST(ResourceFile, NamesGoBothWays) {
  EXPECT_EQ(volume_of_resource(resource_name(VolumeName::trusted("vm1-0")))->str(), "vm1-0");
  EXPECT_FALSE(volume_of_resource("r0").ok());
  EXPECT_EQ(resource_file_path(VolumeName::trusted("vm1-0")), "/etc/drbd.d/mcv-vm1-0.res");
}

TEST(DrbdCommands, NameOneFileAndNeverTheSecret) {
  const VolumeName volume = VolumeName::trusted("vm1-0");
  EXPECT_EQ(host::to_shell_line(commands::adjust(volume).argv), "drbdadm --config-file /etc/drbd.d/mcv-vm1-0.res adjust mcv-vm1-0");
  EXPECT_EQ(host::to_shell_line(commands::new_current_uuid(volume).argv),
            "drbdadm --config-file /etc/drbd.d/mcv-vm1-0.res new-current-uuid --clear-bitmap mcv-vm1-0/0");
  EXPECT_EQ(host::to_shell_line(commands::verify(100, 0, 0).argv), "drbdsetup verify 100 --start=0");
  EXPECT_EQ(host::to_shell_line(commands::verify(100, 800, 824).argv), "drbdsetup verify 100 --start=800 --stop=824");
  EXPECT_GT(commands::primary(volume).deadline, std::chrono::seconds(30));  // the kernel may wait for the fence program
}

TEST(DrbdCommands, TheKernelsReasonIsFound) {
  EXPECT_EQ(state_error_of("100: State change failed: (-12) Device is held open by someone\n"), -12);
  EXPECT_EQ(state_error_of("100: Failure: (151) Need to be StandAlone"), 0);
  EXPECT_EQ(state_error_of(""), 0);
}

}  // namespace
}  // namespace mcv::drbd::resource_file_test

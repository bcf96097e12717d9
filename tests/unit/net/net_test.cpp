// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "../storage/machine.h"
#include "cluster/core/json.h"
#include "net/bridge.h"
#include "net/links.h"
#include "net/names.h"

namespace mcv::net {
namespace {

using test::Machine;

TEST(Links, ReadWhatANodePrinted) {
  const auto parsed = parse_links(test::data_file("ip/address_details.json"));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  EXPECT_EQ(bridges(*parsed), std::vector<std::string>{"br0"});
  const Link* tap = find(*parsed, "mcv0123456789ab");
  ASSERT_NE(tap, nullptr);
  EXPECT_TRUE(tap->tap && tap->vnet_header && tap->up && !tap->carrier);
  EXPECT_EQ(tap->bridge, "br0");
  EXPECT_FALSE(find(*parsed, "mcv0123456789ac")->vnet_header);
  EXPECT_TRUE(is_local_address(*parsed, "10.77.0.11"));
  EXPECT_FALSE(is_local_address(*parsed, "10.77.0.12"));
  EXPECT_FALSE(is_local_address(*parsed, "127.0.0.1"));
  EXPECT_FALSE(is_local_address(*parsed, "host"));
  const auto addresses = usable_addresses(*parsed);
  EXPECT_NE(std::find(addresses.begin(), addresses.end(), "10.77.1.11"), addresses.end());
  EXPECT_FALSE(parse_links("{}").ok());
}

TEST(Names, OfTapsFitTheKernel) {
  const std::string name = tap_name(VmName::trusted(std::string(40, 'x')), 3);
  EXPECT_EQ(name.size(), 15u);
  EXPECT_TRUE(is_tap_name(name));
  EXPECT_TRUE(check_device_name(name).ok());
  EXPECT_NE(tap_name(VmName::trusted("vm1"), 0), tap_name(VmName::trusted("vm1"), 1));
  EXPECT_FALSE(is_tap_name("mcvbr0"));
  for (const char* bad : {"", "a/b", "a b", "-x", "..", "sixteen-letters-"}) EXPECT_FALSE(check_device_name(bad).ok()) << bad;
}

TEST(Macs, AreNotGivenTwice) {
  Machine machine;
  std::set<std::string> taken;
  for (int i = 0; i < 50; ++i) {
    machine.random.value = static_cast<std::uint64_t>(i / 2);  // every number comes up twice
    const auto mac = new_mac(machine.random, taken);
    ASSERT_TRUE(mac.ok());
    EXPECT_EQ(mac->compare(0, 9, "52:54:00:"), 0);
    EXPECT_EQ(mac->size(), 17u);
    EXPECT_TRUE(taken.insert(*mac).second);
  }
}

/// iproute2 with a memory.
class FakeIp {
 public:
  explicit FakeIp(Machine& machine) {
    machine.tools.when("ip -json", [this](const host::Command&) { return host::ProcessResult{0, print(), ""}; });
    machine.tools.when("ip link add name", [this](const host::Command& c) {
      links[c.argv[4]].kind = "bridge";
      return host::ProcessResult{};
    });
    machine.tools.when("ip tuntap add", [this, &machine](const host::Command& c) {
      Device& device = links[c.argv[4]];
      device.kind = "tun";
      device.vnet_header = c.argv.back() == "vnet_hdr";
      machine.files.texts["/sys/class/net/" + c.argv[4] + "/owner"] = c.argv[8] + "\n";
      return host::ProcessResult{};
    });
    machine.tools.when("ip link set", [this](const host::Command& c) {
      if (c.argv[5] == "up") links[c.argv[4]].up = true;
      else links[c.argv[4]].master = c.argv[6];
      return host::ProcessResult{};
    });
    machine.tools.when("ip link delete", [this, &machine](const host::Command& c) {
      links.erase(c.argv[4]);
      machine.files.texts.erase("/sys/class/net/" + c.argv[4] + "/owner");
      return host::ProcessResult{};
    });
  }
  struct Device {
    std::string kind, master, address;
    bool up = false, vnet_header = false, carrier = false;
  };
  std::map<std::string, Device> links;

 private:
  std::string print() const {
    Json list = Json::array();
    for (const auto& [name, device] : links) {
      Json flags = Json::array();
      if (device.up) flags.push_back("UP");
      if (device.carrier) flags.push_back("LOWER_UP");
      Json link = {{"ifname", name}, {"flags", flags}, {"linkinfo", {{"info_kind", device.kind}, {"info_data", {{"type", "tap"}, {"vnet_hdr", device.vnet_header}}}}}};
      if (!device.master.empty()) link["master"] = device.master;
      if (!device.address.empty()) link["addr_info"] = Json::array({{{"local", device.address}, {"prefixlen", 24}, {"scope", "global"}}});
      list.push_back(link);
    }
    return list.dump();
  }
};

TEST(Bridges, AreMadeOnceAndAnUplinkWithAnAddressIsLeftAlone) {
  Machine machine;
  FakeIp ip(machine);
  ip.links["eth4"];
  ip.links["eth1"].address = "10.77.0.11";
  EXPECT_EQ(machine.run(ensure_bridge(machine.host, "br0", "eth1")).error().code(), ErrorCode::in_use);
  EXPECT_FALSE(ip.links.contains("br0"));
  EXPECT_EQ(machine.run(ensure_bridge(machine.host, "br0", "eth9")).error().code(), ErrorCode::not_found);
  EXPECT_TRUE(*machine.run(ensure_bridge(machine.host, "br0", "eth4")));
  EXPECT_FALSE(*machine.run(ensure_bridge(machine.host, "br0", std::nullopt)));
  EXPECT_EQ(ip.links.at("eth4").master, "br0");
  EXPECT_TRUE(ip.links.at("br0").up);
  EXPECT_EQ(machine.run(ensure_bridge(machine.host, "eth4", std::nullopt)).error().code(), ErrorCode::already_exists);
}

TEST(Taps, AreReplacedOnlyWhenNobodyHasThemOpen) {
  Machine machine;
  FakeIp ip(machine);
  const Tap tap{tap_name(VmName::trusted("vm1"), 0), "br0", 64055, true};
  EXPECT_EQ(machine.run(ensure_tap(machine.host, tap)).error().code(), ErrorCode::not_found);
  ASSERT_TRUE(machine.run(ensure_bridge(machine.host, "br0", std::nullopt)).ok());
  EXPECT_TRUE(machine.run(ensure_tap(machine.host, tap)).ok());
  EXPECT_TRUE(machine.run(ensure_tap(machine.host, tap)).ok());
  EXPECT_EQ(machine.tools.count("ip tuntap add"), 1u);
  EXPECT_EQ(ip.links.at(tap.name).master, "br0");
  Tap other = tap;
  other.owner = 0;
  ip.links.at(tap.name).carrier = true;
  EXPECT_EQ(machine.run(ensure_tap(machine.host, other)).error().code(), ErrorCode::in_use);
  ip.links.at(tap.name).carrier = false;
  EXPECT_TRUE(machine.run(ensure_tap(machine.host, other)).ok());
  EXPECT_EQ(machine.files.texts.at("/sys/class/net/" + tap.name + "/owner"), "0\n");
  EXPECT_TRUE(machine.run(remove_tap(machine.host, tap.name)).ok());
  EXPECT_FALSE(ip.links.contains(tap.name));
  const std::size_t deletions = machine.tools.count("ip link delete");
  EXPECT_TRUE(machine.run(remove_tap(machine.host, tap.name)).ok());
  EXPECT_EQ(machine.tools.count("ip link delete"), deletions);
  EXPECT_EQ(machine.run(remove_tap(machine.host, "br0")).error().code(), ErrorCode::bad_name);
}

}  // namespace
}  // namespace mcv::net

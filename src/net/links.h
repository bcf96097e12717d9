// SPDX-License-Identifier: Apache-2.0
// Network devices and addresses of this node, from `ip -j`. Pure parsers and one look.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/result.h"
#include "cluster/host/host.h"

namespace mcv::net {

struct Address {
  std::string text;              ///< literal IPv4 or IPv6, without the prefix length
  std::uint32_t prefix = 0;
  bool link_local = false;
};

struct Link {
  std::string name;
  std::string kind;              ///< "bridge", "tun", "vlan", …; empty for a hardware device
  std::string bridge;            ///< the bridge it is a port of, or empty
  std::string mac;
  std::uint32_t mtu = 0;
  bool up = false;               ///< administratively
  bool carrier = false;
  bool tap = false;              ///< kind "tun", type tap
  bool vnet_header = false;      ///< tap only
  std::vector<Address> addresses;
};

/// Output of `ip -j -d address show`.
Result<std::vector<Link>> parse_links(std::string_view json);
const Link* find(const std::vector<Link>& links, const std::string& name);

boost::asio::awaitable<Result<std::vector<Link>>> links(host::Host& host);

/// Pure: whether a literal address is configured on an interface of this node (loopback and link-local excluded).
bool is_local_address(const std::vector<Link>& links, const std::string& address);
std::vector<std::string> bridges(const std::vector<Link>& links);
/// The literal addresses a peer could use, in the order of the interfaces.
std::vector<std::string> usable_addresses(const std::vector<Link>& links);

}  // namespace mcv::net

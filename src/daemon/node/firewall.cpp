// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/firewall.h"

#include <fmt/format.h>

#include "cluster/model/ports.h"

namespace mcv {
namespace {

std::string rule(const std::string& address, const std::string& ports) {
  const bool is_v6 = address.find(':') != std::string::npos;
  return fmt::format("nft add rule inet filter input {} daddr {} {} accept", is_v6 ? "ip6" : "ip", address, ports);
}

}  // namespace

std::vector<std::string> firewall_rules(const NodeRecord& node) {
  if (node.cluster_address.empty()) return {};
  return {rule(node.cluster_address, fmt::format("tcp dport {}", node.peer_port)),
          rule(node.cluster_address, fmt::format("udp dport {}", corosync_port)),
          rule(node.replication_address(), fmt::format("tcp dport {}-{}", first_drbd_port, last_drbd_port))};
}

}  // namespace mcv

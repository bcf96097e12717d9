// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/node_init.h"

#include <algorithm>
#include <fmt/format.h>

#include "daemon/node/bridges.h"
#include "daemon/node/node.h"
#include "daemon/node/paths.h"
#include "net/bridge.h"
#include "net/links.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

asio::awaitable<Result<std::string>> ensure_record(Node& node) {
  if (node.shared.link().state == LinkState::uninitialised) {
    MCV_CO_CHECK(co_await node.shared.initialise());
  }
  if (node.own_record().ok()) co_return fmt::format("node {} was recorded already", node.self().str());
  NodeRecord record;
  record.name = node.self();
  record.id = 1;
  record.peer_port = node.settings.peer_port;
  record.fingerprint = node.host.peers.own_fingerprint();
  Change change;
  change.summary = fmt::format("node {} begins", node.self().str());
  change.mutations.push_back(put_new(record));
  MCV_CO_CHECK(co_await node.shared.propose(std::move(change)));
  co_return fmt::format("node {} recorded, a cluster of one", node.self().str());
}

/// Whether a guest lives is read from files of its cgroup that version 1 does not have. A hybrid machine mounts version 2
/// elsewhere, and systemd puts no service there.
asio::awaitable<Status> has_unified_cgroups(Node& node) {
  MCV_CO_TRY(const bool unified, co_await node.host.files.exists("/sys/fs/cgroup/cgroup.controllers"));
  if (unified) co_return success();
  co_return Error(ErrorCode::not_suitable, fmt::format("{} runs with cgroup v1 (or both versions); mcv judges by cgroup v2 whether a guest lives", node.self().str()))
      .with_safe("nothing was changed")
      .with_next("take systemd.unified_cgroup_hierarchy and systemd.legacy_systemd_cgroup_controller out of GRUB_CMDLINE_LINUX in /etc/default/grub, then: update-grub && reboot");
}

}  // namespace

asio::awaitable<Result<std::vector<std::string>>> would_init_node(Node& node, requests::InitNode request) {
  MCV_CO_CHECK(NodeName::parse(node.self().str()));
  MCV_CO_CHECK(co_await has_unified_cgroups(node));
  std::vector<std::string> lines = {fmt::format("make the directories {} and {} where they are missing", node.settings.state_directory, node.settings.guests.log_directory)};
  const bool recorded = node.shared.link().state != LinkState::uninitialised && node.own_record().ok();
  lines.push_back(recorded ? fmt::format("node {} is recorded already", node.self().str()) : fmt::format("record node {}, a cluster of one", node.self().str()));
  if (!request.all) co_return lines;
  MCV_CO_TRY(const bool is_new, co_await net::would_make_bridge(node.host, request.bridge, request.uplink));
  const std::string port = request.uplink ? fmt::format(", put {} into it", *request.uplink) : std::string();
  lines.push_back(fmt::format("{} the bridge {}{}, now and at each boot", is_new ? "make" : "keep", request.bridge, port));
  lines.emplace_back("load DRBD's module, and have it report to mcv");
  co_return lines;
}

asio::awaitable<Result<std::vector<std::string>>> init_node(Node& node, requests::InitNode request) {
  std::vector<std::string> done;
  MCV_CO_CHECK(NodeName::parse(node.self().str()));
  MCV_CO_CHECK(co_await has_unified_cgroups(node));
  const std::string& state = node.settings.state_directory;
  const std::string& console = node.settings.guests.log_directory;
  for (const std::string& directory : {state, console}) {
    MCV_CO_CHECK(co_await node.host.files.make_directory(directory, 0700));
  }
  done.push_back(fmt::format("directories {} and {}", state, console));
  MCV_CO_TRY(std::string recorded, co_await ensure_record(node));
  done.push_back(std::move(recorded));
  if (request.all) {
    MCV_CO_TRY(const bool made, co_await net::ensure_bridge(node.host, request.bridge, request.uplink));
    MCV_CO_CHECK(co_await remember_bridge(node.host.files, paths::bridges_file(state), request.bridge, request.uplink));
    const std::string port = request.uplink ? fmt::format(", with {} in it", *request.uplink) : std::string();
    done.push_back(fmt::format("bridge {} {}{}; it is made again at each boot", request.bridge, made ? "made" : "was there", port));
    auto ready = co_await node.ensure_drbd();
    // A node without DRBD still runs local VMs; what replication lacks is said, not hidden.
    done.push_back(ready.ok() ? "DRBD is loaded and reports to mcv" : "replication is not possible yet: " + ready.error().message());
  }
  co_return done;
}

namespace {

asio::awaitable<Result<Change>> address_change(Node& node, requests::SetAddresses request) {
  MCV_CO_TRY(NodeRecord record, node.own_record());
  MCV_CO_TRY(const std::vector<net::Link> links, co_await net::links(node.host));
  for (const auto& wanted : {request.cluster_address, request.drbd_address}) {
    if (!wanted) continue;
    if (net::is_local_address(links, *wanted)) continue;
    co_return Error(ErrorCode::address_not_local, fmt::format("{} is on no interface of {}", *wanted, node.self().str()))
        .with_safe("nothing was changed")
        .with_next("ip address show");
  }
  if (request.cluster_address && node.shared.current().is_cluster() && record.cluster_address != *request.cluster_address) {
    co_return Error(ErrorCode::already_clustered, "the cluster address of a member cannot change while it is in a cluster").with_safe("nothing was changed");
  }
  Json fields = Json::object();
  if (request.cluster_address) fields["cluster_address"] = *request.cluster_address;
  if (request.drbd_address) fields["drbd_address"] = *request.drbd_address;
  Change change;
  change.summary = fmt::format("addresses of {}", node.self().str());
  change.mutations.push_back(patch(Kind::node, node.self().str(), std::move(fields)));
  co_return change;
}

}  // namespace

asio::awaitable<Status> may_set_addresses(Node& node, requests::SetAddresses request) {
  MCV_CO_TRY(const Change change, co_await address_change(node, std::move(request)));
  co_return node.shared.current().check(change);
}

asio::awaitable<Result<Committed>> set_addresses(Node& node, requests::SetAddresses request) {
  MCV_CO_TRY(Change change, co_await address_change(node, std::move(request)));
  MCV_CO_TRY(const Committed done, co_await node.shared.propose(std::move(change)));
  MCV_CO_CHECK(node.listen_for_peer());
  co_return done;
}

}  // namespace mcv

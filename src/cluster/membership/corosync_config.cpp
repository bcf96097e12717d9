// SPDX-License-Identifier: Apache-2.0
#include "cluster/membership/corosync_config.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace mcv {
namespace {

constexpr std::size_t key_bytes = 256;

/// A setting in milliseconds, or the default.
Result<std::chrono::milliseconds> timer(const ClusterState& state, const char* key, std::chrono::milliseconds normally) {
  const auto text = state.setting(key);
  if (!text) return normally;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size() || number < 100 || number > 60'000) {
    return Error(ErrorCode::bad_request, fmt::format("the setting {} is '{}': a number of milliseconds from 100 to 60000 is needed", key, *text));
  }
  return std::chrono::milliseconds(number);
}

}  // namespace

Result<CorosyncConfig> corosync_config_of(const ClusterState& state) {
  CorosyncConfig config;
  MCV_TRY(config.timers.token, timer(state, "corosync.token_ms", CorosyncTimers().token));
  MCV_TRY(config.timers.consensus, timer(state, "corosync.consensus_ms", CorosyncTimers().consensus));
  for (const char* key : {"corosync.token_ms", "corosync.consensus_ms"}) config.version = std::max(config.version, state.revision(Kind::setting, key));
  for (const NodeRecord& node : state.nodes()) {
    if (node.cluster_address.empty()) {
      return Error(ErrorCode::bad_request, fmt::format("{} has no cluster address", node.name.str()))
          .with_next(fmt::format("on {}: hvctl node --set-ip-address ADDRESS", node.name.str()));
    }
    config.nodes.push_back({node.id, node.name.str(), node.cluster_address});
    config.version = std::max(config.version, state.revision(Kind::node, node.name.str()));
  }
  if (config.nodes.size() != 2) return Error(ErrorCode::bad_request, fmt::format("corosync is for two nodes, there are {}", config.nodes.size()));
  if (config.nodes[0].id == config.nodes[1].id || config.nodes[0].address == config.nodes[1].address) {
    return Error(ErrorCode::bad_request, fmt::format("{} and {} have the same id or address", config.nodes[0].name, config.nodes[1].name));
  }
  return config;
}

std::string render_corosync_conf(const CorosyncConfig& config) {
  std::string text = fmt::format(
      "# Written by mcvd from the shared configuration; changes here are lost.\n"
      "totem {{\n"
      "    version: 2\n"
      "    cluster_name: mcv\n"
      "    config_version: {}\n"
      "    transport: knet\n"
      "    crypto_cipher: aes256\n"
      "    crypto_hash: sha256\n"
      "    token: {}\n"
      "    consensus: {}\n"
      "}}\n\n"
      "quorum {{\n"
      "    provider: corosync_votequorum\n"
      "    two_node: 1\n"
      "    wait_for_all: 1\n"
      "}}\n\n"
      "nodelist {{\n",
      config.version, config.timers.token.count(), config.timers.consensus.count());
  for (const CorosyncNode& node : config.nodes) {
    text += fmt::format("    node {{\n        nodeid: {}\n        name: {}\n        ring0_addr: {}\n    }}\n", node.id, node.name, node.address);
  }
  text +=
      "}\n\n"
      "logging {\n"
      "    to_stderr: no\n"
      "    to_syslog: yes\n"
      "    to_logfile: no\n"
      "    timestamp: off\n"
      "}\n";
  return text;
}

std::string make_corosync_key(host::Random& random) {
  std::string key;
  while (key.size() < key_bytes) {
    const std::uint64_t number = random.next();
    for (unsigned shift = 0; shift < 64; shift += 8) key.push_back(static_cast<char>((number >> shift) & 0xff));
  }
  return key;
}

}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/resource_file.h"

#include <algorithm>
#include <fmt/format.h>

namespace mcv::drbd {
namespace {

constexpr std::string_view prefix = "mcv-";

Error bad(const ResourceConfig& config, std::string_view why) {
  return Error(ErrorCode::bad_request, fmt::format("DRBD resource {}: {}", resource_name(config.volume), why));
}

/// What may stand between quotes of DRBD's grammar without a question.
bool is_plain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("-_./:+").find(c) != std::string_view::npos;
  });
}

Status check(const ResourceConfig& config) {
  if (config.legs.empty() || config.legs.size() > 2) return bad(config, "has one or two legs");
  if (config.minor >= (1u << 20)) return bad(config, "its minor is too large");
  for (const Leg& leg : config.legs) {
    if (!is_plain(leg.node.str()) || !is_plain(leg.disk) || !is_plain(leg.meta_disk)) return bad(config, "a path or a node name is not plain");
    if (config.legs.size() == 2 && !is_plain(leg.address)) return bad(config, fmt::format("node {} has no replication address", leg.node.str()));
  }
  if (config.legs.size() == 1) return success();
  if (config.legs[0].node == config.legs[1].node) return bad(config, "both legs are on one node");
  if (config.port == 0) return bad(config, "it has no port");
  if (config.secret.size() < 16 || config.secret.size() > 63 || !is_plain(config.secret)) return bad(config, "the cluster's DRBD secret is unusable");
  return success();
}

std::string address_of(const Leg& leg, std::uint16_t port) {
  const bool six = leg.address.find(':') != std::string::npos;
  return six ? fmt::format("ipv6 [{}]:{}", leg.address, port) : fmt::format("ipv4 {}:{}", leg.address, port);
}

std::string render_disk(const ResourceConfig& config) {
  const Rates& rates = config.rates;
  // A lone leg has nobody to fence; asking would freeze it for good.
  std::string text = fmt::format("  disk {{\n    fencing {};\n", config.legs.size() == 2 ? "resource-and-stonith" : "dont-care");
  text += "    on-io-error detach;\n";
  text += fmt::format("    c-plan-ahead {};\n    c-fill-target {}k;\n    c-max-rate {}k;\n    c-min-rate {}k;\n    resync-rate {}k;\n", rates.plan_ahead,
                      rates.fill_target.count() >> 10, rates.max_rate.count() >> 10, rates.min_rate.count() >> 10, rates.resync_rate.count() >> 10);
  text += "    discard-zeroes-if-aligned yes;\n";
  if (config.discard_granularity.count() != 0) text += fmt::format("    rs-discard-granularity {};\n", config.discard_granularity.count());
  return text + "  }\n";
}

std::string render_net(const ResourceConfig& config) {
  std::string text = "  net {\n    protocol C;\n";
  if (config.legs.size() == 2) text += fmt::format("    cram-hmac-alg sha256;\n    shared-secret \"{}\";\n", config.secret);
  text += "    verify-alg crc32c;\n";
  // Nothing is ever resolved by discarding: the operator decides.
  text += "    rr-conflict disconnect;\n    after-sb-0pri disconnect;\n    after-sb-1pri disconnect;\n    after-sb-2pri disconnect;\n";
  // Detection in about 2 s (0.9 s of silence while writing, 1 s + 0.5 s when idle). In force from the first connect:
  // a running connection does not take up changed timers.
  text += "    ping-int 1;\n    ping-timeout 5;\n    timeout 9;\n    connect-int 3;\n";
  return text + "  }\n";
}

}  // namespace

std::string resource_name(const VolumeName& volume) { return std::string(prefix) + volume.str(); }

Result<VolumeName> volume_of_resource(const std::string& resource) {
  if (resource.compare(0, prefix.size(), prefix) != 0) return Error(ErrorCode::not_found, fmt::format("DRBD resource {} is not mcv's", resource));
  return VolumeName::parse(std::string_view(resource).substr(prefix.size()));
}

std::string resource_file_path(const VolumeName& volume) { return fmt::format("{}/{}.res", resource_directory, resource_name(volume)); }

bool has_one_leg(std::string_view text) {
  constexpr std::string_view leg = "\n  on \"";
  const std::size_t first = text.find(leg);
  return first != std::string_view::npos && text.find(leg, first + 1) == std::string_view::npos;
}

// Metadata is external, on a small LV of its own: the DRBD device then has exactly the size of the data LV, a local
// volume becomes replicated in place (and back) without moving a byte, and growing does not move metadata. It is one
// more LV to make, about as long as an lvcreate takes.
Result<std::string> render_resource(const ResourceConfig& config) {
  MCV_CHECK(check(config));
  std::string text = "# Written by mcv from the cluster's configuration; changes here are overwritten.\n";
  text += fmt::format("resource \"{}\" {{\n", resource_name(config.volume));
  text += render_disk(config);
  text += render_net(config);
  for (const Leg& leg : config.legs) {
    text += fmt::format("  on \"{}\" {{\n    device /dev/drbd{} minor {};\n    disk \"{}\";\n    meta-disk \"{}\";\n", leg.node.str(), config.minor,
                        config.minor, leg.disk, leg.meta_disk);
    // 8.4 wants an address even where nothing connects.
    text += config.legs.size() == 2 ? fmt::format("    address {};\n", address_of(leg, config.port))
                                    : fmt::format("    address ipv4 127.0.0.1:{};\n", config.port == 0 ? 7999 : config.port);
    text += "  }\n";
  }
  return text + "}\n";
}

}  // namespace mcv::drbd

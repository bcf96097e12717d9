// SPDX-License-Identifier: Apache-2.0
// Online verify, a piece at a time.
#include <algorithm>
#include <chrono>
#include <fmt/format.h>

#include "world/sim_drbd.h"

namespace mcv::sim {

using std::chrono::milliseconds;

namespace {

ToolAnswer failed(const std::string& text) { return ToolAnswer{10, "", text + "\n"}; }
ToolAnswer state_refused(int code, const std::string& text) { return ToolAnswer{code == -2 ? 17 : 11, "", fmt::format("0: State change failed: ({}) {}\n", code, text)}; }

}  // namespace

ToolAnswer SimDrbd::verify(std::size_t node, std::uint32_t minor, std::uint64_t start, std::uint64_t stop) {
  Leg* leg = find_minor(node, minor);
  if (leg == nullptr) return failed(fmt::format("{}: Failure: (127) Device minor not allocated", minor));
  if (leg->connection != "Connected") return state_refused(-14, "Need a connection for this operation");
  if (leg->replication.starts_with("Verify")) {
    leg->verify_stop = stop;
    return ToolAnswer{};
  }
  if (!leg->attached || leg->peer_disk == "Diskless") return state_refused(-5, "Need access to the disk of the peer");
  if (leg->replication != "Established") return state_refused(-15, "Resync is running");
  // No peer: its power went a moment ago, and the kernel has not noticed yet.
  Leg* peer = find(1 - node, leg->resource);
  leg->verify_at = start;
  leg->verify_stop = stop;
  leg->replication = "VerifyS";
  if (peer != nullptr) peer->replication = "VerifyT";
  const std::uint64_t run = ++leg->verify_run;
  log(node, fmt::format("block drbd{}: conn( Connected -> VerifyS ) ", minor));
  log(node, fmt::format("block drbd{}: Starting Online Verify from sector {}", minor, start));
  tell_peer_device(node, *leg);
  if (peer != nullptr) {
    log(1 - node, fmt::format("block drbd{}: conn( Connected -> VerifyT ) ", minor));
    tell_peer_device(1 - node, *peer);
  }
  const std::string resource = leg->resource;
  scheduler_.after(0, milliseconds(scheduler_.chance().between(verify_pace.least_ms, verify_pace.most_ms)), [this, node, resource, run]() { verify_step(node, resource, run); });
  return ToolAnswer{};
}

/// A quarter of the device at a time.
void SimDrbd::verify_step(std::size_t node, const std::string& resource, std::uint64_t run) {
  Leg* leg = find(node, resource);
  Leg* peer = find(1 - node, resource);
  if (leg == nullptr || peer == nullptr || leg->verify_run != run || leg->replication != "VerifyS") return;
  if (cut_) {
    // A cut that ends before either side noticed it only delays the verify.
    scheduler_.after(0, milliseconds(100), [this, node, resource, run]() { verify_step(node, resource, run); });
    return;
  }
  Lv* mine = data_of(node, *leg);
  Lv* theirs = data_of(1 - node, *peer);
  const std::uint64_t device_end = mine->size / 512;
  const std::uint64_t end = leg->verify_stop != 0 ? std::min(leg->verify_stop, device_end) : device_end;
  const std::uint64_t until = std::min(end, leg->verify_at + device_end / 4 + 8);
  std::set<std::uint64_t> blocks;
  for (const Lv* side : {mine, theirs}) {
    for (const auto& [block, value] : side->blocks) blocks.insert(block);
  }
  for (const std::uint64_t block : blocks) {
    if (block * 8 < leg->verify_at || block * 8 >= until) continue;
    const auto a = mine->blocks.find(block);
    const auto b = theirs->blocks.find(block);
    const std::uint64_t left = a == mine->blocks.end() ? 0 : a->second;
    const std::uint64_t right = b == theirs->blocks.end() ? 0 : b->second;
    const bool in_flight = std::any_of(leg->writes.begin(), leg->writes.end(), [&](const auto& write) { return write->block == block; }) ||
                           std::any_of(peer->writes.begin(), peer->writes.end(), [&](const auto& write) { return write->block == block; });
    if (left == right || in_flight) continue;
    log(node, fmt::format("block drbd{}: Out of sync: start={}, size=8 (sectors)", leg->minor, block * 8));
    meta_of(node, *leg)->marked.insert(block);
    meta_of(1 - node, *peer)->marked.insert(block);
  }
  leg->verify_at = until;
  if (until < end) {
    scheduler_.after(0, milliseconds(scheduler_.chance().between(verify_pace.least_ms, verify_pace.most_ms)), [this, node, resource, run]() { verify_step(node, resource, run); });
    return;
  }
  log(node, fmt::format("block drbd{}: Online verify done (total 1 sec; paused 0 sec; 4296 K/sec)", leg->minor));
  if (end < device_end) log(node, fmt::format("block drbd{}: Online Verify reached sector {}", leg->minor, end));
  const std::size_t marked = out_of_sync(node, *leg) / 4;
  if (marked > 0) log(node, fmt::format("block drbd{}: Online verify found {} 4k block out of sync!", leg->minor, marked));
  log(node, fmt::format("block drbd{}: conn( VerifyS -> Connected ) ", leg->minor));
  log(1 - node, fmt::format("block drbd{}: conn( VerifyT -> Connected ) ", leg->minor));
  leg->replication = peer->replication = "Established";
  tell_peer_device(node, *leg);
  tell_peer_device(1 - node, *peer);
}

}  // namespace mcv::sim

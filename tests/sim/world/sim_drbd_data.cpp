// SPDX-License-Identifier: Apache-2.0
// A VMM's side: writes on both legs, reads.
#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <utility>

#include "world/sim_drbd.h"

namespace mcv::sim {

using std::chrono::microseconds;

bool SimDrbd::open(std::size_t node, std::uint32_t minor, const std::string& by) {
  Leg* leg = find_minor(node, minor);
  if (leg == nullptr || !leg->primary) return false;
  leg->open_by.insert(by);
  return true;
}

void SimDrbd::close(std::size_t node, std::uint32_t minor, const std::string& by) {
  Leg* leg = find_minor(node, minor);
  if (leg == nullptr) return;
  leg->open_by.erase(by);
  // A process has ended when its writes have, also those that nobody hears of any more: never on one copy alone without a mark.
  const auto writes = std::exchange(leg->writes, {});
  DrbdMeta* meta = meta_of(node, *leg);
  if (leg->held || meta == nullptr) return;
  Leg* peer = find(1 - node, leg->resource);
  const bool both = leg->connection == "Connected" && !cut_ && peer != nullptr && peer->attached;
  if (!leg->attached) {
    DrbdMeta* theirs = both ? meta_of(1 - node, *peer) : nullptr;
    for (const auto& write : writes) {
      if (theirs == nullptr) break;
      data_of(1 - node, *peer)->blocks[write->block] = write->value;
      theirs->dirty.insert(write->block);
    }
    return;
  }
  for (const auto& write : writes) {
    data_of(node, *leg)->blocks[write->block] = write->value;
    if (both) data_of(1 - node, *peer)->blocks[write->block] = write->value;
    else meta->dirty.insert(write->block);
  }
}

std::uint64_t SimDrbd::read(std::size_t node, std::uint32_t minor, std::uint64_t block) const {
  const Leg* leg = find_minor(node, minor);
  const bool is_elsewhere = leg != nullptr && leg->connection == "Connected" && (!leg->attached || leg->replication == "SyncTarget");
  return on_disk(is_elsewhere ? 1 - node : node, minor, block);
}

std::uint64_t SimDrbd::on_disk(std::size_t node, std::uint32_t minor, std::uint64_t block) const {
  const Leg* leg = find_minor(node, minor);
  const Lv* data = leg != nullptr ? data_of(node, *leg) : nullptr;
  if (data == nullptr) return 0;
  const auto found = data->blocks.find(block);
  return found == data->blocks.end() ? 0 : found->second;
}

void SimDrbd::corrupt(std::size_t node, std::uint32_t minor, std::uint64_t block, std::uint64_t value) {
  Leg* leg = find_minor(node, minor);
  if (leg != nullptr && leg->attached) data_of(node, *leg)->blocks[block] = value;
}

void SimDrbd::flicker(std::uint32_t minor, std::uint64_t block) {
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
    Leg* leg = find_minor(node, minor);
    if (leg == nullptr || !leg->primary || !leg->attached || leg->held || leg->connection != "Connected" || leg->replication.starts_with("Sync")) continue;
    Leg* peer = find(1 - node, leg->resource);
    if (cut_ || !powered_[1 - node] || peer == nullptr || !peer->attached || peer->connection != "Connected") continue;
    DrbdMeta* meta = meta_of(node, *leg);
    if (meta != nullptr) meta->active.insert(block);
    const std::uint64_t before = read(node, minor, block);
    data_of(node, *leg)->blocks[block] = before + 2;
    data_of(1 - node, *peer)->blocks[block] = before + 1;
    scheduler_.after(0, microseconds(scheduler_.chance().between(20'000, 80'000)), [this, node, minor, block, before]() { write(node, minor, block, before + 3, []() {}); });
  }
}

std::set<std::uint64_t> SimDrbd::differing(std::uint32_t minor, std::uint64_t first) const {
  std::set<std::uint64_t> blocks;
  const Leg* a = find_minor(0, minor);
  const Leg* b = find_minor(1, minor);
  if (a == nullptr || b == nullptr) return blocks;
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
    const Lv* data = data_of(node, node == 0 ? *a : *b);
    if (data == nullptr) continue;
    for (const auto& [block, value] : data->blocks) {
      if (block >= first && on_disk(0, minor, block) != on_disk(1, minor, block)) blocks.insert(block);
    }
  }
  for (const Leg* leg : {a, b}) {
    for (const auto& write : leg->writes) blocks.erase(write->block);
  }
  return blocks;
}

void SimDrbd::write(std::size_t node, std::uint32_t minor, std::uint64_t block, std::uint64_t value, std::function<void()> done) {
  Leg* leg = find_minor(node, minor);
  if (leg == nullptr || !leg->primary) return;
  auto write = std::make_shared<Write>();
  write->block = block;
  write->value = value;
  write->done = std::move(done);
  leg->writes.push_back(std::move(write));
  push_writes(node, *leg);
}

void SimDrbd::push_writes(std::size_t node, Leg& leg) {
  if (leg.held) return;
  for (const auto& write : leg.writes) send(node, leg.resource, write);
}

/// Locally at one instant, on the peer at another, acknowledged when both are there.
void SimDrbd::send(std::size_t node, const std::string& resource, std::shared_ptr<Write> write) {
  Leg* first = find(node, resource);
  if (!first->attached) return send_without_disk(node, *first, std::move(write));
  DrbdMeta* al = meta_of(node, *first);
  if (al != nullptr) al->active.insert(write->block);
  const std::uint64_t run = first->connection_run;
  Chance& chance = scheduler_.chance();
  const auto finish = [this, node, resource, write]() {
    Leg* leg = find(node, resource);
    if (leg == nullptr) return;
    const auto place = std::find(leg->writes.begin(), leg->writes.end(), write);
    if (place == leg->writes.end()) return;
    leg->writes.erase(place);
    write->done();
  };
  const auto locally = [this, node, resource, write]() -> bool {
    Leg* leg = find(node, resource);
    if (leg == nullptr || !leg->attached || std::find(leg->writes.begin(), leg->writes.end(), write) == leg->writes.end()) return false;
    data_of(node, *leg)->blocks[write->block] = write->value;
    return true;
  };
  scheduler_.after(0, microseconds(chance.between(50, 2000)), [locally]() { locally(); });
  if (first->connection != "Connected" || first->peer_disk == "Diskless") {
    scheduler_.after(0, microseconds(chance.between(2000, 3000)), [this, node, resource, write, finish, locally]() {
      Leg* leg = find(node, resource);
      DrbdMeta* meta = leg != nullptr ? meta_of(node, *leg) : nullptr;
      if (leg == nullptr || leg->held || (leg->connection == "Connected" && leg->peer_disk != "Diskless") || !locally()) return;
      if (meta != nullptr) meta->dirty.insert(write->block);
      finish();
    });
    return;
  }
  scheduler_.after(0, microseconds(chance.between(200, 4000)), [this, node, resource, write, run, finish, locally]() {
    Leg* peer = find(1 - node, resource);
    Leg* leg = find(node, resource);
    if (cut_ || peer == nullptr || leg == nullptr || !peer->attached || leg->connection != "Connected" || peer->connection != "Connected" || leg->connection_run != run) return;
    data_of(1 - node, *peer)->blocks[write->block] = write->value;
    scheduler_.after(0, microseconds(scheduler_.chance().between(50, 3000)), [this, node, resource, run, finish, locally]() {
      Leg* now = find(node, resource);
      if (cut_ || now == nullptr || now->connection != "Connected" || now->connection_run != run || !locally()) return;
      finish();
    });
  });
}

/// Through the peer: what it holds is marked there, for the day this disk is back.
void SimDrbd::send_without_disk(std::size_t node, Leg& leg, std::shared_ptr<Write> write) {
  const std::uint64_t run = leg.connection_run;
  scheduler_.after(0, microseconds(scheduler_.chance().between(400, 8000)), [this, node, resource = leg.resource, write, run]() {
    Leg* now = find(node, resource);
    Leg* peer = find(1 - node, resource);
    if (cut_ || now == nullptr || peer == nullptr || now->attached || !peer->attached || now->held || now->connection != "Connected" || now->connection_run != run) return;
    const auto place = std::find(now->writes.begin(), now->writes.end(), write);
    DrbdMeta* theirs = meta_of(1 - node, *peer);
    if (place == now->writes.end() || theirs == nullptr) return;
    data_of(1 - node, *peer)->blocks[write->block] = write->value;
    theirs->dirty.insert(write->block);
    now->writes.erase(place);
    write->done();
  });
}

bool SimDrbd::peer_has_disk(std::size_t node, const Leg& leg) {
  const Leg* peer = find(1 - node, leg.resource);
  return leg.connection == "Connected" && peer != nullptr && disk_state(1 - node, *peer) == "UpToDate";
}

void SimDrbd::detach(std::size_t node, Leg& leg) {
  leg.attached = leg.negotiating = false;
  if (Lv* data = data_of(node, leg)) data->open_by.clear();
  if (Lv* meta = nodes_[node].lvm->device(leg.meta)) meta->open_by.clear();
}

bool SimDrbd::lose_disk(std::size_t node, std::uint32_t minor, bool broken) {
  Leg* leg = find_minor(node, minor);
  if (leg == nullptr || !leg->attached || cut_ || (leg->primary && !peer_has_disk(node, *leg))) return false;
  if (broken) broken_[node].insert(minor);
  scheduler_.say(fmt::format("drbd {}: {} gives its disk up", leg->resource, nodes_[node].name));
  detach(node, *leg);
  tell_device(node, *leg);
  if (leg->connection != "Connected") return true;
  Leg& peer = *find(1 - node, leg->resource);
  // A resync ends with it, or a verify.
  for (Leg* side : {leg, &peer}) {
    const std::size_t where = side == leg ? node : 1 - node;
    ++side->connection_run;
    ++side->verify_run;
    if (side->replication.starts_with("Verify")) log(where, fmt::format("block drbd{}: conn( {} -> Connected ) ", minor, side->replication));
    side->replication = "Established";
  }
  peer.peer_disk = "Diskless";
  tell_peer_device(node, *leg);
  tell_peer_device(1 - node, peer);
  DrbdMeta* theirs = meta_of(1 - node, peer);
  if (theirs == nullptr) return true;
  // "Lost contact to peer's copy of data": who is written to begins a generation.
  if (leg->primary || peer.primary) fresh_uuid(1 - node, peer);
  note_exposed(node, *leg);
  for (const Leg* side : {static_cast<const Leg*>(leg), static_cast<const Leg*>(&peer)}) {
    for (const auto& write : side->writes) theirs->dirty.insert(write->block);
  }
  push_writes(node, *leg);
  push_writes(1 - node, peer);
  return true;
}

}  // namespace mcv::sim

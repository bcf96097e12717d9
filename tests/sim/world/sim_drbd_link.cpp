// SPDX-License-Identifier: Apache-2.0
// The link between the two: handshake, resync, loss, and the power of each side.
#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <utility>

#include "world/sim_drbd.h"

namespace mcv::sim {

using std::chrono::milliseconds;

void SimDrbd::try_connect(const std::string& resource) {
  scheduler_.after(0, milliseconds(scheduler_.chance().between(20, 400)), [this, resource]() { handshake(resource); });
}

void SimDrbd::handshake(const std::string& resource) {
  Leg* a = find(0, resource);
  Leg* b = find(1, resource);
  if (a == nullptr || b == nullptr || cut_ || !powered_[0] || !powered_[1]) return;
  if (!a->wants_peer || !b->wants_peer || a->connection == "Connected" || b->connection == "Connected") return;
  if (!a->attached || !b->attached) {
    if (a->primary && b->primary) return;
    // Nothing to compare. A Primary without a disk takes only the data it knows; everybody else takes what there is, and calls it current.
    for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
      const Leg& without = *find(node, resource);
      if (without.attached) continue;
      DrbdMeta* there = meta_of(1 - node, *find(1 - node, resource));
      if (without.primary && (there == nullptr || there->current != without.exposed)) return;
      if (there != nullptr && there->consistent) there->outdated = false;
    }
    return establish(resource);
  }
  compare(resource);
}

/// A peer that is not heard any more, unnoticed yet: they compare when it is, or when they meet again.
void SimDrbd::compare_when_heard(std::size_t node, const std::string& resource, std::uint64_t run) {
  Leg* leg = find(node, resource);
  if (leg == nullptr || leg->connection != "Connected" || leg->connection_run != run || !leg->negotiating) return;
  const Leg* peer = find(1 - node, resource);
  if (!cut_ && powered_[1 - node] && peer != nullptr) {
    leg->negotiating = false;
    if (peer->attached) return compare(resource);
    // Nobody to compare with: whatever it is, it is what there is.
    if (DrbdMeta* meta = meta_of(node, *leg); meta != nullptr && meta->consistent) meta->outdated = false;
    return establish(resource);
  }
  scheduler_.after(0, milliseconds(100), [this, node, resource, run]() { compare_when_heard(node, resource, run); });
}

void SimDrbd::compare(const std::string& resource) {
  Leg* a = find(0, resource);
  Leg* b = find(1, resource);
  DrbdMeta* ma = meta_of(0, *a);
  DrbdMeta* mb = meta_of(1, *b);
  if (ma == nullptr || mb == nullptr) return;
  const auto in_history = [](const DrbdMeta& meta, std::uint64_t uuid) { return std::find(meta.history.begin(), meta.history.end(), uuid) != meta.history.end(); };
  int source = -1;
  bool full = false;
  bool related = true;
  if (ma->current == DrbdMeta::just_created && mb->current == DrbdMeta::just_created) source = -1;
  else if (ma->current == DrbdMeta::just_created || mb->current == DrbdMeta::just_created) {
    source = ma->current == DrbdMeta::just_created ? 1 : 0;
    full = true;
  } else if (ma->current == mb->current) {
    if (ma->primary != mb->primary) source = ma->primary ? 0 : 1;
    else if (ma->consistent != mb->consistent) source = ma->consistent ? 0 : 1;
    else if (!ma->dirty.empty() || !mb->dirty.empty()) source = !ma->dirty.empty() ? 0 : 1;
  } else if (ma->bitmap == mb->current) {
    source = 0;
  } else if (mb->bitmap == ma->current) {
    source = 1;
  } else if (ma->bitmap != 0 && ma->bitmap == mb->bitmap) {
    related = false;
  } else if (in_history(*ma, mb->current)) {
    source = 0;
    full = true;
  } else if (in_history(*mb, ma->current)) {
    source = 1;
    full = true;
  } else {
    related = false;
  }
  // rr-conflict and after-sb disconnect: nothing is discarded.
  // rr-conflict only concerns a Primary whose disk is whole (drbd_receiver.c: disk >= D_CONSISTENT): one that was without it, or is in
  // the middle of the copy, reads from the other side.
  const Leg* target_leg = source >= 0 ? find(static_cast<std::size_t>(1 - source), resource) : nullptr;
  const bool target_is_primary = target_leg != nullptr && target_leg->primary && target_leg->connection != "Connected" && meta_of(static_cast<std::size_t>(1 - source), *target_leg)->consistent;
  if (!related || (a->primary && b->primary) || target_is_primary) {
    scheduler_.say(fmt::format("drbd {}: split brain, both stand alone", resource));
    for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
      Leg* leg = find(node, resource);
      leg->wants_peer = false;
      lose_connection(node, *leg, true);
      leg->connection = "StandAlone";
      log(node, fmt::format("block drbd{}: Split-Brain detected but unresolved, dropping connection!", leg->minor));
      tell_connection(node, *leg);
    }
    return;
  }
  if (source < 0) {
    // Nothing was written meanwhile: "Implicitly set disk from Outdated to UpToDate".
    ma->outdated = mb->outdated = false;
  }
  establish(resource);
  if (source < 0) {
    settle_crashed_primary(*a, *ma);
    settle_crashed_primary(*b, *mb);
  } else {
    const auto from = static_cast<std::size_t>(source);
    DrbdMeta* meta = meta_of(from, *find(from, resource));
    DrbdMeta* target = meta_of(1 - from, *find(1 - from, resource));
    if (full) meta->full_sync = true;
    for (const std::uint64_t block : target->dirty) meta->dirty.insert(block);
    for (const std::uint64_t block : target->active) meta->dirty.insert(block);
    for (const DrbdMeta* side : {meta, target}) meta->dirty.insert(side->marked.begin(), side->marked.end());
    begin_sync(resource, from);
  }
}

/// What a Primary without a disk has seen: it takes no other data later.
void SimDrbd::note_exposed(std::size_t node, Leg& leg) {
  const Leg* peer = find(1 - node, leg.resource);
  const DrbdMeta* there = peer != nullptr ? meta_of(1 - node, *peer) : nullptr;
  if (!leg.attached && there != nullptr) leg.exposed = there->current;
}

void SimDrbd::establish(const std::string& resource) {
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
    Leg& leg = *find(node, resource);
    Leg& peer = *find(1 - node, resource);
    ++leg.connection_run;
    leg.connection = "Connected";
    leg.replication = "Established";
    leg.uncertain = peer.uncertain = false;
    leg.peer_primary = peer.primary;
    leg.peer_disk = disk_state(1 - node, peer);
    if (DrbdMeta* meta = meta_of(node, leg)) meta->peer_outdated = false;
    note_exposed(node, leg);
    tell_device(node, leg);
    tell_connection(node, leg);
    tell_peer_device(node, leg);
    const bool was_held = std::exchange(leg.held, false);
    if (was_held) tell_resource(node, leg);
  }
  scheduler_.say(fmt::format("drbd {}: connected", resource));
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) push_writes(node, *find(node, resource));
}

void SimDrbd::begin_sync(const std::string& resource, std::size_t source) {
  Leg* leg = find(1 - source, resource);
  DrbdMeta* target = leg == nullptr ? nullptr : meta_of(1 - source, *leg);
  // The other node lost its power or its disk, and this kernel has not noticed yet: what is marked is copied at the next connect.
  if (target == nullptr) return;
  Leg& from = *find(source, resource);
  Leg& to = *leg;
  DrbdMeta* origin = meta_of(source, from);
  if (origin->bitmap == 0 && origin->current != target->current) origin->bitmap = target->current;
  target->consistent = false;
  from.replication = "SyncSource";
  to.replication = "SyncTarget";
  from.peer_disk = "Inconsistent";
  to.peer_disk = disk_state(source, from);
  tell_peer_device(source, from);
  tell_device(1 - source, to);
  tell_peer_device(1 - source, to);
  scheduler_.say(fmt::format("drbd {}: resync from {}", resource, nodes_[source].name));
  const std::uint64_t run = from.connection_run;
  const Time duration = origin->full_sync ? Time(milliseconds(scheduler_.chance().between(2000, 20'000))) : Time(milliseconds(scheduler_.chance().between(50, 2000)));
  scheduler_.after(0, duration, [this, resource, source, run]() { finish_sync(resource, source, run); });
}

/// With the peer equal again, a Primary that crashed is a Secondary like any other.
void SimDrbd::settle_crashed_primary(const Leg& leg, DrbdMeta& meta) {
  meta.primary = leg.primary;
  if (!leg.primary) meta.active.clear();
}

void SimDrbd::finish_sync(const std::string& resource, std::size_t source, std::uint64_t run) {
  Leg* from = find(source, resource);
  Leg* to = find(1 - source, resource);
  if (from == nullptr || to == nullptr || from->connection != "Connected" || from->connection_run != run) return;
  if (cut_) {
    // As a verify: a cut that ends before either side noticed it only delays it.
    scheduler_.after(0, milliseconds(100), [this, resource, source, run]() { finish_sync(resource, source, run); });
    return;
  }
  DrbdMeta* origin = meta_of(source, *from);
  DrbdMeta* target = meta_of(1 - source, *to);
  Lv* data = data_of(source, *from);
  Lv* copy = data_of(1 - source, *to);
  if (origin->full_sync) copy->blocks = data->blocks;
  for (const std::uint64_t block : origin->dirty) {
    const auto found = data->blocks.find(block);
    if (found == data->blocks.end()) copy->blocks.erase(block);
    else copy->blocks[block] = found->second;
  }
  if (origin->bitmap != 0) origin->history.insert(origin->history.begin(), origin->bitmap);
  origin->bitmap = 0;
  origin->full_sync = false;
  origin->dirty.clear();
  target->dirty.clear();
  origin->marked.clear();
  target->marked.clear();
  target->active.clear();
  target->primary = to->primary;
  settle_crashed_primary(*from, *origin);
  target->full_sync = false;
  target->bitmap = 0;
  target->current = origin->current;
  target->history = origin->history;
  target->consistent = true;
  target->outdated = false;
  from->replication = to->replication = "Established";
  from->peer_disk = "UpToDate";
  to->peer_disk = "UpToDate";
  tell_peer_device(source, *from);
  tell_device(1 - source, *to);
  tell_peer_device(1 - source, *to);
  scheduler_.say(fmt::format("drbd {}: in sync", resource));
}

/// This side of a connection that ended.
void SimDrbd::lose_connection(std::size_t node, Leg& leg, bool graceful) {
  if (leg.connection != "Connected") return;
  ++leg.connection_run;
  if (leg.replication.starts_with("Verify")) {
    log(node, fmt::format("block drbd{}: conn( {} -> NetworkFailure ) ", leg.minor, leg.replication));
    log(node, fmt::format("block drbd{}: Online Verify reached sector {}", leg.minor, leg.verify_at));
  }
  ++leg.verify_run;
  leg.connection = "Connecting";
  leg.replication = "Off";
  leg.peer_primary = false;
  // Lost while it negotiated: what it is cannot be told, unless it is what was read before.
  if (std::exchange(leg.negotiating, false)) {
    if (meta_of(node, leg)->current != leg.exposed) detach(node, leg);
    tell_device(node, leg);
  }
  DrbdMeta* meta = meta_of(node, leg);
  leg.peer_disk = meta != nullptr && meta->peer_outdated ? "Outdated" : "DUnknown";
  tell_connection(node, leg);
  tell_peer_device(node, leg);
  if (leg.primary && leg.fencing && !(meta != nullptr && meta->peer_outdated)) {
    leg.held = true;
    tell_resource(node, leg);
    scheduler_.say(fmt::format("drbd {}: {} holds I/O", leg.resource, nodes_[node].name));
    ask_about_held(node, leg.resource, leg.connection_run);
  } else if (leg.primary) {
    fresh_uuid(node, leg);
    push_writes(node, leg);
  }
  if (graceful || !leg.wants_peer) return;
  try_connect(leg.resource);
}

/// Once per loss: the kernel does not ask again.
void SimDrbd::ask_about_held(std::size_t node, const std::string& resource, std::uint64_t run) {
  scheduler_.after(0, milliseconds(scheduler_.chance().between(5, 3000)), [this, node, resource, run]() {
    Leg* leg = find(node, resource);
    if (leg == nullptr || !leg->held || leg->connection_run != run || !powered_[node]) return;
    ask(node, resource, [this, node, resource, run](int code) {
      // The kernel ignores what comes after a reconnect.
      Leg* now = find(node, resource);
      if (now == nullptr || !now->held || now->connection_run != run || !powered_[node]) return;
      if (!peer_may_be_outdated(node, *now, code)) return;
      now->held = false;
      fresh_uuid(node, *now);
      tell_resource(node, *now);
      push_writes(node, *now);
    });
  });
}

void SimDrbd::fresh_uuid(std::size_t node, Leg& leg) {
  DrbdMeta* meta = meta_of(node, leg);
  if (meta == nullptr || meta->bitmap != 0) return;
  meta->bitmap = meta->current;
  next_uuid_ += 2;
  meta->current = next_uuid_;
}

void SimDrbd::cut() {
  cut_ = true;
  const std::uint64_t version = ++link_version_;
  for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
    scheduler_.after(0, milliseconds(scheduler_.chance().between(900, 2000)), [this, node, version]() {
      if (version != link_version_) return;
      for (auto& [name, leg] : legs_[node]) lose_connection(node, leg, false);
    });
  }
}

void SimDrbd::heal() {
  cut_ = false;
  ++link_version_;
  std::set<std::string> resources;
  for (const Legs& legs : legs_) {
    for (const auto& [name, leg] : legs) resources.insert(name);
  }
  for (const std::string& resource : resources) {
    Leg* a = find(0, resource);
    Leg* b = find(1, resource);
    // A short cut that neither side noticed: what was on the way is sent again.
    if (a != nullptr && b != nullptr && a->connection == "Connected" && b->connection == "Connected") {
      push_writes(0, *a);
      push_writes(1, *b);
      continue;
    }
    for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
      if (Leg* leg = find(node, resource)) lose_connection(node, *leg, false);
    }
    try_connect(resource);
  }
}

void SimDrbd::power_off(std::size_t node) {
  powered_[node] = false;
  loaded_[node] = false;
  legs_[node].clear();
  subscribers_[node].clear();
  log_[node].clear();
  scheduler_.after(0, milliseconds(scheduler_.chance().between(900, 2000)), [this, node]() {
    if (powered_[node] && !legs_[node].empty()) return;
    for (auto& [name, leg] : legs_[1 - node]) lose_connection(1 - node, leg, false);
  });
}

void SimDrbd::boot(std::size_t node) {
  powered_[node] = true;
  // Whoever did not notice a short power cut does when the new kernel answers.
  for (auto& [name, leg] : legs_[1 - node]) {
    if (leg.connection == "Connected") lose_connection(1 - node, leg, false);
  }
}

}  // namespace mcv::sim

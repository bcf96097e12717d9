// SPDX-License-Identifier: Apache-2.0
// What DRBD shows: events2, /proc/drbd, the kernel log, the auditor's look.
#include <algorithm>
#include <fmt/format.h>

#include "world/sim_drbd.h"

namespace mcv::sim {

void SimDrbd::event(std::size_t node, const std::string& line) {
  for (const auto& [id, subscriber] : subscribers_[node]) subscriber(line);
}

void SimDrbd::log(std::size_t node, const std::string& message) { log_[node].emplace_back(next_cursor_++, message); }

void SimDrbd::tell_resource(std::size_t node, const Leg& leg, const char* action) {
  event(node, fmt::format("{} resource name:{} role:{} suspended:{} write-ordering:flush", action, leg.resource, leg.primary ? "Primary" : "Secondary",
                          leg.held ? "fencing" : "no"));
}

void SimDrbd::tell_device(std::size_t node, const Leg& leg, const char* action) {
  const Lv* data = leg.attached ? data_of(node, leg) : nullptr;
  event(node, fmt::format("{} device name:{} volume:0 minor:{} disk:{} size:{} read:0 written:0 al-writes:0 bm-writes:0 upper-pending:0 lower-pending:0",
                          action, leg.resource, leg.minor, disk_state(node, leg), data != nullptr ? data->size / 1024 : 0));
}

void SimDrbd::tell_connection(std::size_t node, const Leg& leg, const char* action) {
  event(node, fmt::format("{} connection name:{} peer-node-id:0 conn-name:peer connection:{} role:{} congested:no", action, leg.resource, leg.connection,
                          leg.connection != "Connected" ? "Unknown" : leg.peer_primary ? "Primary" : "Secondary"));
}

void SimDrbd::tell_peer_device(std::size_t node, const Leg& leg, const char* action) {
  event(node, fmt::format("{} peer-device name:{} peer-node-id:0 conn-name:peer volume:0 replication:{} peer-disk:{} resync-suspended:no received:0 sent:0 "
                          "out-of-sync:{} pending:0 unacked:0",
                          action, leg.resource, leg.replication, leg.peer_disk, out_of_sync(node, leg)));
}

std::vector<std::string> SimDrbd::dump(std::size_t node) const {
  std::vector<std::string> lines;
  SimDrbd* self = const_cast<SimDrbd*>(this);
  const auto kept = std::exchange(self->subscribers_[node], {});
  self->subscribers_[node][0] = [&lines](const std::string& line) { lines.push_back(line); };
  for (const auto& [name, leg] : legs_[node]) {
    self->tell_resource(node, leg, "exists");
    if (leg.has_minor) self->tell_device(node, leg, "exists");
    // A connection that was ended is told as destroyed, and still is in every later dump, alone.
    if (!leg.two_legs || (leg.connection == "StandAlone" && !leg.had_connection)) continue;
    self->tell_connection(node, leg, "exists");
    self->tell_peer_device(node, leg, "exists");
  }
  self->subscribers_[node] = kept;
  lines.push_back("exists -");
  return lines;
}

std::uint64_t SimDrbd::subscribe(std::size_t node, Subscriber subscriber) {
  subscribers_[node][next_subscription_] = std::move(subscriber);
  return next_subscription_++;
}

void SimDrbd::unsubscribe(std::size_t node, std::uint64_t subscription) { subscribers_[node].erase(subscription); }

std::string SimDrbd::proc(std::size_t node) const {
  std::string text = "version: 8.4.11 (api:1/proto:86-101)\nsrcversion: F73C670A7EC572DB9CF3E5B \n\n";
  for (const auto& [name, leg] : legs_[node]) {
    if (!leg.has_minor) continue;
    std::string state = leg.connection == "Connecting" ? "WFConnection" : leg.connection;
    if (leg.connection == "Connected" && leg.replication != "Established") state = leg.replication;
    text += fmt::format("{}: cs:{} ro:{}/{} ds:{}/{} C r-----\n    ns:0 nr:0 dw:0 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:{}\n", leg.minor, state,
                        leg.primary ? "Primary" : "Secondary", leg.connection != "Connected" ? "Unknown" : leg.peer_primary ? "Primary" : "Secondary",
                        disk_state(node, leg), leg.peer_disk, out_of_sync(node, leg));
    if (leg.replication == "SyncSource" || leg.replication == "SyncTarget") {
      const std::uint64_t left = out_of_sync(node, leg);
      text += fmt::format("\t[=>..................] sync'ed: {:.1f}% ({}/{})K\n\tfinish: 0:00:10 speed: 6,824 (6,824) K/sec\n", 5.0, left, left);
    }
    if (leg.replication.starts_with("Verify")) {
      const std::uint64_t total = data_of(node, leg)->size / 1024;
      const std::uint64_t left = total - std::min(total, leg.verify_at / 2);
      text += fmt::format("\t[=>..................] verified: {:.1f}% ({}/{})K\n\tfinish: 0:00:10 speed: 6,824 (6,824) want: 4,720 K/sec\n",
                          100.0 * static_cast<double>(total - left) / static_cast<double>(total), left, total);
    }
  }
  return text;
}

std::string SimDrbd::kernel_log(std::size_t node, const std::string& after_cursor, bool last_only) const {
  const std::uint64_t after = after_cursor.empty() ? 0 : std::stoull(after_cursor.substr(2), nullptr, 16);
  std::vector<std::string> lines;
  for (const auto& [cursor, message] : log_[node]) {
    if (cursor > after) lines.push_back(fmt::format(R"({{"_TRANSPORT":"kernel","__CURSOR":"i={:x}","MESSAGE":"{}"}})", cursor, message));
  }
  if (last_only && lines.size() > 1) lines = {lines.back()};
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::vector<SimDrbd::Seen> SimDrbd::look(std::size_t node) const {
  std::vector<Seen> list;
  for (const auto& [name, leg] : legs_[node]) {
    list.push_back(Seen{name, leg.primary, disk_state(node, leg), leg.connection, leg.replication, leg.held, leg.open_by, leg.replication == "VerifyS" ? leg.verify_at : 0});
  }
  return list;
}

}  // namespace mcv::sim

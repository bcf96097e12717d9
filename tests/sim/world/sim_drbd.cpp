// SPDX-License-Identifier: Apache-2.0
#include "world/sim_drbd.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <regex>

namespace mcv::sim {

using namespace std::chrono_literals;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

ToolAnswer failed(const std::string& text) { return ToolAnswer{10, "", text + "\n"}; }
ToolAnswer state_refused(int code, const std::string& text) { return ToolAnswer{code == -2 ? 17 : 11, "", fmt::format("0: State change failed: ({}) {}\n", code, text)}; }

std::uint64_t minor_of_path(const std::string& text) { return std::stoull(text); }

}  // namespace

SimDrbd::SimDrbd(Scheduler& scheduler, std::array<Node, 2> nodes) : scheduler_(scheduler), nodes_(std::move(nodes)) {}

// --- look-ups ---------------------------------------------------------------------------------------------

SimDrbd::Leg* SimDrbd::find(std::size_t node, const std::string& resource) {
  const auto found = legs_[node].find(resource);
  return found == legs_[node].end() ? nullptr : &found->second;
}

SimDrbd::Leg* SimDrbd::find_minor(std::size_t node, std::uint32_t minor) {
  for (auto& [name, leg] : legs_[node]) {
    if (leg.has_minor && leg.minor == minor) return &leg;
  }
  return nullptr;
}

const SimDrbd::Leg* SimDrbd::find_minor(std::size_t node, std::uint32_t minor) const {
  for (const auto& [name, leg] : legs_[node]) {
    if (leg.has_minor && leg.minor == minor) return &leg;
  }
  return nullptr;
}

Lv* SimDrbd::data_of(std::size_t node, const Leg& leg) const { return nodes_[node].lvm->device(leg.data); }

DrbdMeta* SimDrbd::meta_of(std::size_t node, const Leg& leg) const {
  Lv* volume = nodes_[node].lvm->device(leg.meta);
  return volume != nullptr && volume->meta ? &*volume->meta : nullptr;
}

std::string SimDrbd::disk_state(std::size_t node, const Leg& leg) const {
  const DrbdMeta* meta = meta_of(node, leg);
  if (!leg.attached || meta == nullptr) return "Diskless";
  if (!meta->consistent) return "Inconsistent";
  if (meta->outdated) return "Outdated";
  // Without the peer a Secondary that was in contact keeps UpToDate; one that was attached since is only Consistent, unless
  // its metadata say that the peer is outdated.
  return leg.uncertain ? "Consistent" : "UpToDate";
}

std::uint64_t SimDrbd::out_of_sync(std::size_t node, const Leg& leg) const {
  const DrbdMeta* meta = meta_of(node, leg);
  if (meta == nullptr) return 0;
  if (meta->full_sync) return data_of(node, leg)->size / 1024;
  return meta->dirty.size() * 4;
}

// --- what readers see -------------------------------------------------------------------------------------

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
    if (!leg.two_legs || leg.connection == "StandAlone") continue;
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
    list.push_back(Seen{name, leg.primary, disk_state(node, leg), leg.connection, leg.replication, leg.held, leg.open_by});
  }
  return list;
}

// --- the tools --------------------------------------------------------------------------------------------

std::optional<ToolAnswer> SimDrbd::run(std::size_t node, const std::vector<std::string>& argv) {
  const std::string& tool = argv.front();
  if (tool == "modprobe") {
    loaded_[node] = true;
    if (log_[node].empty()) log(node, "drbd: initialized. Version: 8.4.11 (api:1/proto:86-101)");
    return ToolAnswer{};
  }
  if (tool == "drbdadm") return drbdadm(node, argv);
  if (tool == "drbdsetup") return drbdsetup(node, argv);
  if (tool == "drbdmeta") return drbdmeta(node, argv);
  return std::nullopt;
}

std::optional<SimDrbd::Leg> SimDrbd::parse(std::size_t node, const std::string& path) const {
  const auto file = nodes_[node].files->files.find(path);
  if (file == nodes_[node].files->files.end()) return std::nullopt;
  const std::string& text = file->second.text;
  Leg leg;
  leg.path = path;
  std::smatch found;
  static const std::regex resource("resource \"([^\"]+)\"");
  if (!std::regex_search(text, found, resource)) return std::nullopt;
  leg.resource = found[1];
  std::size_t legs = 0;
  for (std::size_t at = text.find("  on \""); at != std::string::npos; at = text.find("  on \"", at + 1)) ++legs;
  leg.two_legs = legs == 2;
  const std::regex section(fmt::format("on \"{}\" \\{{([^}}]*)\\}}", nodes_[node].name));
  if (!std::regex_search(text, found, section)) return std::nullopt;
  const std::string mine = found[1];
  static const std::regex minor("minor ([0-9]+)"), disk("\\bdisk \"([^\"]+)\""), meta("meta-disk \"([^\"]+)\"");
  if (!std::regex_search(mine, found, minor)) return std::nullopt;
  leg.minor = static_cast<std::uint32_t>(minor_of_path(found[1]));
  if (std::regex_search(mine, found, disk)) leg.data = found[1];
  if (std::regex_search(mine, found, meta)) leg.meta = found[1];
  return leg;
}

ToolAnswer SimDrbd::drbdmeta(std::size_t node, const std::vector<std::string>& argv) {
  const auto device_word = std::find_if(argv.begin(), argv.end(), [](const std::string& word) { return word.starts_with("/dev/"); });
  if (device_word == argv.end()) return failed("no device");
  Lv* volume = nodes_[node].lvm->device(*device_word);
  if (volume == nullptr) return ToolAnswer{20, "", fmt::format("open({}) failed: No such file or directory\n", *device_word)};
  if (argv.back() == "create-md") {
    volume->meta.emplace();
    return ToolAnswer{0, "New drbd meta data block successfully created.\n", ""};
  }
  if (!volume->meta) return ToolAnswer{1, "", "No valid meta data found\n"};
  return ToolAnswer{0, fmt::format("{:016X}:{:016X}:0000000000000000:0000000000000000:1:1:0:0:0:0:0:0:0:0\n", volume->meta->current, volume->meta->bitmap), ""};
}

ToolAnswer SimDrbd::drbdadm(std::size_t node, const std::vector<std::string>& argv) {
  if (!loaded_[node]) return failed("Could not connect to 'drbd' generic netlink family");
  std::string path;
  std::vector<std::string> words;
  std::set<std::string> flags;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    if (argv[i] == "--config-file") path = argv[++i];
    else if (argv[i].starts_with("--")) flags.insert(argv[i]);
    else words.push_back(argv[i]);
  }
  const auto wanted = parse(node, path);
  if (!wanted) return ToolAnswer{10, "", fmt::format("Can not open '{}': No such file or directory\n", path)};
  const std::string& verb = words.front();
  if (verb == "adjust") return adjust(node, *wanted);
  if (verb == "new-resource") {
    if (find(node, wanted->resource) != nullptr) return failed("resource exists");
    Leg leg = *wanted;
    legs_[node].emplace(leg.resource, leg);
    tell_resource(node, leg, "create");
    return ToolAnswer{};
  }
  Leg* leg = find(node, wanted->resource);
  if (leg == nullptr) return failed(fmt::format("{}: Failure: (158) Unknown resource", wanted->resource));
  if (verb == "new-minor") {
    leg->has_minor = true;
    tell_device(node, *leg, "create");
    return ToolAnswer{};
  }
  if (verb == "attach") {
    if (leg->attached) return failed(fmt::format("{}: Failure: (124) Device is attached to a disk (use detach first)", leg->minor));
    leg->two_legs = wanted->two_legs;
    if (nodes_[node].lvm->device(leg->data) == nullptr || meta_of(node, *leg) == nullptr) return failed(fmt::format("{}: Failure: (104) Can not open backing device.", leg->minor));
    attach_leg(node, *leg);
    return ToolAnswer{};
  }
  if (verb == "primary") return promote(node, *leg, flags.count("--force") != 0);
  if (verb == "secondary") return demote(node, *leg);
  if (verb == "connect") {
    if (leg->wants_peer) return failed(fmt::format("{}: Failure: (125) Device has a net-config (use disconnect first)", leg->minor));
    leg->wants_peer = true;
    leg->connection = "Connecting";
    tell_connection(node, *leg, "create");
    tell_peer_device(node, *leg, "create");
    try_connect(leg->resource);
    return ToolAnswer{};
  }
  if (verb == "disconnect") {
    goodbye(node, *leg);
    return ToolAnswer{};
  }
  if (verb == "new-current-uuid") return new_uuid(node, *leg);
  if (verb == "resume-io") {
    if (leg->held) {
      leg->held = false;
      fresh_uuid(node, *leg);
      tell_resource(node, *leg);
      push_writes(node, *leg);
    }
    return ToolAnswer{};
  }
  if (verb == "outdate") {
    if (leg->primary) return state_refused(-7, "Refusing to be Outdated while Primary");
    if (DrbdMeta* meta = meta_of(node, *leg)) meta->outdated = true;
    tell_device(node, *leg);
    return ToolAnswer{};
  }
  return failed("unknown command " + verb);
}

ToolAnswer SimDrbd::drbdsetup(std::size_t node, const std::vector<std::string>& argv) {
  if (!loaded_[node]) return failed("Could not connect to 'drbd' generic netlink family");
  if (argv[1] == "down") return down(node, argv[2]);
  if (argv[1] == "verify") {
    std::uint64_t start = 0, stop = 0;
    for (const std::string& word : argv) {
      if (word.starts_with("--start=")) start = std::stoull(word.substr(8));
      if (word.starts_with("--stop=")) stop = std::stoull(word.substr(7));
    }
    return verify(node, static_cast<std::uint32_t>(std::stoul(argv[2])), start, stop);
  }
  if (argv[1] == "get-gi") {
    const Leg* leg = find_minor(node, static_cast<std::uint32_t>(std::stoul(argv[2])));
    const DrbdMeta* meta = leg != nullptr ? meta_of(node, *leg) : nullptr;
    if (meta == nullptr) return failed("no disk");
    return ToolAnswer{0, fmt::format("{:016X}:{:016X}:0000000000000000:0000000000000000:1:1:0:0:0:0:0:0:0:0\n", meta->current, meta->bitmap), ""};
  }
  return failed("unknown command " + argv[1]);
}

ToolAnswer SimDrbd::adjust(std::size_t node, const Leg& wanted) {
  Leg* leg = find(node, wanted.resource);
  if (leg == nullptr) {
    Leg fresh = wanted;
    legs_[node].emplace(wanted.resource, fresh);
    leg = find(node, wanted.resource);
    tell_resource(node, *leg, "create");
  }
  leg->two_legs = wanted.two_legs;
  if (!leg->has_minor) {
    leg->has_minor = true;
    tell_device(node, *leg, "create");
  }
  if (!leg->attached) {
    Lv* data = nodes_[node].lvm->device(leg->data);
    if (data == nullptr || nodes_[node].lvm->device(leg->meta) == nullptr) return failed(fmt::format("{}: Failure: (104) Can not open backing device.", leg->minor));
    if (meta_of(node, *leg) == nullptr) return failed(fmt::format("{}: Failure: (119) No valid meta-data signature found.", leg->minor));
    attach_leg(node, *leg);
  }
  if (leg->two_legs && !leg->wants_peer) {
    leg->wants_peer = true;
    leg->connection = "Connecting";
    tell_connection(node, *leg, "create");
    tell_peer_device(node, *leg, "create");
    try_connect(leg->resource);
  }
  return ToolAnswer{};
}

void SimDrbd::attach_leg(std::size_t node, Leg& leg) {
  Lv* data = nodes_[node].lvm->device(leg.data);
  leg.attached = true;
  data->open_by = fmt::format("drbd{}", leg.minor);
  nodes_[node].lvm->device(leg.meta)->open_by = data->open_by;
  DrbdMeta* meta = meta_of(node, leg);
  leg.uncertain = leg.two_legs && !meta->peer_outdated;
  leg.peer_disk = meta->peer_outdated ? "Outdated" : "DUnknown";
  if (meta->primary) {
    // The crashed Primary's last writes may be on one leg only.
    for (const std::uint64_t block : meta->active) meta->dirty.insert(block);
  }
  tell_device(node, leg);
}

/// The kernel runs its program and waits for it; 5 counts only with an UpToDate disk.
bool SimDrbd::peer_may_be_outdated(std::size_t node, Leg& leg) {
  const int code = fence_peer ? fence_peer(node, leg.resource) : 1;
  scheduler_.say(fmt::format("drbd {}: fence-peer on {}: exit {}", leg.resource, nodes_[node].name, code));
  if (code != 7 && !(code == 5 && disk_state(node, leg) == "UpToDate")) return false;
  meta_of(node, leg)->peer_outdated = true;
  leg.peer_disk = "Outdated";
  leg.uncertain = false;
  tell_device(node, leg);
  if (leg.wants_peer) tell_peer_device(node, leg);
  return true;
}

ToolAnswer SimDrbd::promote(std::size_t node, Leg& leg, bool force) {
  if (leg.primary) return ToolAnswer{};
  if (!leg.attached) return state_refused(-2, "Need access to UpToDate data");
  if (leg.connection == "Connected" && leg.peer_primary) return state_refused(-1, "Multiple primaries not allowed by config");
  DrbdMeta* meta = meta_of(node, leg);
  const std::string disk = disk_state(node, leg);
  if (force && disk == "Inconsistent") {
    meta->consistent = true;
    meta->outdated = false;
    meta->full_sync = true;
    fresh_uuid(node, leg);
    tell_device(node, leg);
    if (leg.connection == "Connected") begin_sync(leg.resource, node);
  } else if (disk == "Consistent" && leg.connection != "Connected") {
    if (!peer_may_be_outdated(node, leg)) return state_refused(-2, "Need access to UpToDate data");
  } else if (disk != "UpToDate" && leg.peer_disk != "UpToDate") {
    return state_refused(-2, "Need access to UpToDate data");
  } else if (disk != "UpToDate" && leg.connection != "Connected") {
    return state_refused(-2, "Need access to UpToDate data");
  } else if (leg.two_legs && leg.connection != "Connected" && !meta->peer_outdated) {
    // fencing resource-and-stonith
    if (!peer_may_be_outdated(node, leg)) return state_refused(-7, "Refusing to be Primary while peer is not outdated");
  }
  leg.primary = true;
  meta->primary = true;
  if (leg.two_legs && leg.connection != "Connected") fresh_uuid(node, leg);
  tell_resource(node, leg);
  if (leg.connection == "Connected") {
    if (Leg* peer = find(1 - node, leg.resource)) {
      peer->peer_primary = true;
      tell_connection(1 - node, *peer);
    }
  }
  scheduler_.say(fmt::format("drbd {}: {} is Primary", leg.resource, nodes_[node].name));
  return ToolAnswer{};
}

ToolAnswer SimDrbd::demote(std::size_t node, Leg& leg) {
  if (!leg.primary) return ToolAnswer{};
  if (!leg.open_by.empty()) return state_refused(-12, "Device is held open by someone");
  leg.primary = false;
  leg.held = false;
  if (DrbdMeta* meta = meta_of(node, leg)) {
    meta->primary = false;
    meta->active.clear();
  }
  tell_resource(node, leg);
  if (leg.connection == "Connected") {
    if (Leg* peer = find(1 - node, leg.resource)) {
      peer->peer_primary = false;
      tell_connection(1 - node, *peer);
    }
  }
  scheduler_.say(fmt::format("drbd {}: {} is Secondary", leg.resource, nodes_[node].name));
  return ToolAnswer{};
}

ToolAnswer SimDrbd::new_uuid(std::size_t node, Leg& leg) {
  DrbdMeta* mine = meta_of(node, leg);
  Leg* peer = find(1 - node, leg.resource);
  DrbdMeta* theirs = peer != nullptr ? meta_of(1 - node, *peer) : nullptr;
  if (leg.connection != "Connected" || mine == nullptr || theirs == nullptr || mine->current != DrbdMeta::just_created || theirs->current != DrbdMeta::just_created) {
    return failed(fmt::format("{}: Failure: (155) Can only skip the initial sync of connected, just created devices", leg.minor));
  }
  next_uuid_ += 2;
  for (DrbdMeta* meta : {mine, theirs}) {
    meta->current = next_uuid_;
    meta->bitmap = 0;
    meta->consistent = true;
    meta->full_sync = false;
    meta->dirty.clear();
  }
  leg.peer_disk = peer->peer_disk = "UpToDate";
  for (const std::size_t side : {node, 1 - node}) {
    tell_device(side, *find(side, leg.resource));
    tell_peer_device(side, *find(side, leg.resource));
  }
  return ToolAnswer{};
}

void SimDrbd::goodbye(std::size_t node, Leg& leg) {
  leg.wants_peer = false;
  if (leg.connection == "Connected") {
    if (Leg* peer = find(1 - node, leg.resource)) {
      // An orderly goodbye of a Secondary outdates itself where the other side is Primary: that one goes on.
      DrbdMeta* mine = meta_of(node, leg);
      DrbdMeta* theirs = meta_of(1 - node, *peer);
      if (!leg.primary && peer->primary && mine != nullptr && theirs != nullptr) {
        mine->outdated = true;
        theirs->peer_outdated = true;
      }
      lose_connection(1 - node, *peer, true);
    }
    lose_connection(node, leg, true);
  }
  leg.connection = "StandAlone";
  tell_connection(node, leg);
  event(node, fmt::format("destroy peer-device name:{} peer-node-id:0 conn-name:peer volume:0", leg.resource));
  event(node, fmt::format("destroy connection name:{} peer-node-id:0 conn-name:peer", leg.resource));
}

ToolAnswer SimDrbd::down(std::size_t node, const std::string& resource) {
  Leg* leg = find(node, resource);
  if (leg == nullptr) return ToolAnswer{};
  if (!leg->open_by.empty()) return state_refused(-12, "Device is held open by someone");
  if (leg->primary) demote(node, *leg);
  if (leg->two_legs && leg->wants_peer) goodbye(node, *leg);
  if (leg->attached) {
    if (Lv* data = data_of(node, *leg)) data->open_by.clear();
    if (Lv* meta = nodes_[node].lvm->device(leg->meta)) meta->open_by.clear();
  }
  event(node, fmt::format("destroy device name:{} volume:0 minor:{}", resource, leg->minor));
  event(node, fmt::format("destroy resource name:{}", resource));
  legs_[node].erase(resource);
  return ToolAnswer{};
}

// --- connection -------------------------------------------------------------------------------------------

void SimDrbd::try_connect(const std::string& resource) {
  scheduler_.after(0, milliseconds(scheduler_.chance().between(20, 400)), [this, resource]() { handshake(resource); });
}

void SimDrbd::handshake(const std::string& resource) {
  Leg* a = find(0, resource);
  Leg* b = find(1, resource);
  if (a == nullptr || b == nullptr || cut_ || !powered_[0] || !powered_[1]) return;
  if (!a->wants_peer || !b->wants_peer || a->connection == "Connected" || b->connection == "Connected") return;
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
  const bool target_is_primary = source >= 0 && find(static_cast<std::size_t>(1 - source), resource)->primary;
  if (!related || (a->primary && b->primary) || target_is_primary) {
    scheduler_.say(fmt::format("drbd {}: split brain, both stand alone", resource));
    for (const std::size_t node : {std::size_t{0}, std::size_t{1}}) {
      Leg* leg = find(node, resource);
      leg->wants_peer = false;
      leg->connection = "StandAlone";
      log(node, fmt::format("block drbd{}: Split-Brain detected but unresolved, dropping connection!", leg->minor));
      tell_connection(node, *leg);
    }
    return;
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
    begin_sync(resource, from);
  }
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
  Leg& from = *find(source, resource);
  Leg& to = *find(1 - source, resource);
  DrbdMeta* target = meta_of(1 - source, to);
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
  DrbdMeta* meta = meta_of(node, leg);
  leg.peer_disk = meta != nullptr && meta->peer_outdated ? "Outdated" : "DUnknown";
  tell_connection(node, leg);
  tell_peer_device(node, leg);
  if (leg.primary && !(meta != nullptr && meta->peer_outdated)) {
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
    if (!peer_may_be_outdated(node, *leg)) return;
    leg->held = false;
    fresh_uuid(node, *leg);
    tell_resource(node, *leg);
    push_writes(node, *leg);
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

// --- data -------------------------------------------------------------------------------------------------

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
  leg->writes.clear();
}

std::uint64_t SimDrbd::read(std::size_t node, std::uint32_t minor, std::uint64_t block) const {
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
  if (first->connection != "Connected") {
    scheduler_.after(0, microseconds(chance.between(2000, 3000)), [this, node, resource, write, finish, locally]() {
      Leg* leg = find(node, resource);
      DrbdMeta* meta = leg != nullptr ? meta_of(node, *leg) : nullptr;
      if (leg == nullptr || leg->held || leg->connection == "Connected" || !locally()) return;
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

// --- verify -----------------------------------------------------------------------------------------------

ToolAnswer SimDrbd::verify(std::size_t node, std::uint32_t minor, std::uint64_t start, std::uint64_t stop) {
  Leg* leg = find_minor(node, minor);
  if (leg == nullptr) return failed(fmt::format("{}: Failure: (127) Device minor not allocated", minor));
  if (leg->connection != "Connected") return state_refused(-14, "Need a connection for this operation");
  if (leg->replication.starts_with("Verify")) {
    leg->verify_stop = stop;
    return ToolAnswer{};
  }
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
  scheduler_.after(0, milliseconds(scheduler_.chance().between(20, 500)), [this, node, resource, run]() { verify_step(node, resource, run); });
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
    meta_of(node, *leg)->dirty.insert(block);
    meta_of(1 - node, *peer)->dirty.insert(block);
  }
  leg->verify_at = until;
  if (until < end) {
    scheduler_.after(0, milliseconds(scheduler_.chance().between(20, 500)), [this, node, resource, run]() { verify_step(node, resource, run); });
    return;
  }
  log(node, fmt::format("block drbd{}: Online verify done (total 1 sec; paused 0 sec; 4296 K/sec)", leg->minor));
  if (end < device_end) log(node, fmt::format("block drbd{}: Online Verify reached sector {}", leg->minor, end));
  const std::size_t marked = meta_of(node, *leg)->dirty.size();
  if (marked > 0) log(node, fmt::format("block drbd{}: Online verify found {} 4k block out of sync!", leg->minor, marked));
  log(node, fmt::format("block drbd{}: conn( VerifyS -> Connected ) ", leg->minor));
  log(1 - node, fmt::format("block drbd{}: conn( VerifyT -> Connected ) ", leg->minor));
  leg->replication = peer->replication = "Established";
  tell_peer_device(node, *leg);
  tell_peer_device(1 - node, *peer);
}

}  // namespace mcv::sim

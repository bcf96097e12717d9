// SPDX-License-Identifier: Apache-2.0
// drbdadm, drbdsetup and drbdmeta.
#include <algorithm>
#include <fmt/format.h>
#include <regex>

#include "world/sim_drbd.h"

namespace mcv::sim {

namespace {

ToolAnswer failed(const std::string& text) { return ToolAnswer{10, "", text + "\n"}; }
ToolAnswer state_refused(int code, const std::string& text) { return ToolAnswer{code == -2 ? 17 : 11, "", fmt::format("0: State change failed: ({}) {}\n", code, text)}; }
/// What drbdadm says of a file with one leg where a verb needs the other one.
ToolAnswer missing_peer(const std::string& path) { return failed(path + ":2: in resource: Missing section 'on <PEER> { ... }'."); }
std::uint64_t minor_of_path(const std::string& text) { return std::stoull(text); }
/// As `get-gi` says it: identifiers, then consistent, up to date, primary, connected, setting all bits, peer outdated, crashed primary.
std::string identifiers(const DrbdMeta& meta) {
  return fmt::format("{:016X}:{:016X}:0000000000000000:0000000000000000:{:d}:{:d}:{:d}:0:{:d}:{:d}:0\n", meta.current, meta.bitmap, meta.consistent,
                     meta.consistent && !meta.outdated, meta.primary, meta.full_sync, meta.peer_outdated);
}

}  // namespace

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
  leg.fencing = text.find("fencing resource-and-stonith;") != std::string::npos;
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
  return ToolAnswer{0, identifiers(*volume->meta), ""};
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
  if (verb == "adjust" && !wanted->two_legs) return missing_peer(path);
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
    leg->fencing = wanted->fencing;
    if (is_broken(node, *leg)) return failed(fmt::format("{}: Failure: (118) IO error(s) occurred during initial access to meta-data.", leg->minor));
    if (nodes_[node].lvm->device(leg->data) == nullptr || meta_on_disk(node, *leg) == nullptr) return failed(fmt::format("{}: Failure: (104) Can not open backing device.", leg->minor));
    attach_leg(node, *leg);
    return ToolAnswer{};
  }
  if (verb == "primary") return promote(node, *leg, flags.count("--force") != 0);
  if (verb == "secondary") return demote(node, *leg);
  if ((verb == "connect" || verb == "disconnect") && !wanted->two_legs) return missing_peer(path);
  if (verb == "connect") {
    leg->two_legs = true;
    if (leg->wants_peer) return failed(fmt::format("{}: Failure: (125) Device has a net-config (use disconnect first)", leg->minor));
    leg->wants_peer = leg->had_connection = true;
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
  if (verb == "invalidate-remote") return invalidate_remote(node, *leg);
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
    if (leg->primary) return state_refused(-2, "Need access to UpToDate data");
    // The kernel refuses, drbdadm tries the metadata then, and calls that a success: nothing is outdated.
    if (leg->connection == "Connected") return ToolAnswer{};
    DrbdMeta* meta = meta_of(node, *leg);
    if (!leg->attached || meta == nullptr || !meta->consistent) return ToolAnswer{5, "", "0: State change failed: (-16) Disk state is lower than outdated\n"};
    meta->outdated = true;
    tell_device(node, *leg);
    return ToolAnswer{};
  }
  return failed("unknown command " + verb);
}

ToolAnswer SimDrbd::drbdsetup(std::size_t node, const std::vector<std::string>& argv) {
  if (!loaded_[node]) return failed("Could not connect to 'drbd' generic netlink family");
  if (argv[1] == "disk-options") {
    Leg* leg = find_minor(node, static_cast<std::uint32_t>(std::stoul(argv[2])));
    if (leg == nullptr || !leg->attached) return failed("no disk");
    for (const std::string& word : argv) {
      if (word.starts_with("--fencing=")) leg->fencing = word == "--fencing=resource-and-stonith";
    }
    return ToolAnswer{};
  }
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
    return ToolAnswer{0, identifiers(*meta), ""};
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
  leg->fencing = wanted.fencing;
  if (!leg->has_minor) {
    leg->has_minor = true;
    tell_device(node, *leg, "create");
  }
  if (!leg->attached) {
    Lv* data = nodes_[node].lvm->device(leg->data);
    if (data == nullptr || nodes_[node].lvm->device(leg->meta) == nullptr) return failed(fmt::format("{}: Failure: (104) Can not open backing device.", leg->minor));
    if (is_broken(node, *leg)) return failed(fmt::format("{}: Failure: (118) IO error(s) occurred during initial access to meta-data.", leg->minor));
    if (meta_on_disk(node, *leg) == nullptr) return failed(fmt::format("{}: Failure: (119) No valid meta-data signature found.", leg->minor));
    attach_leg(node, *leg);
  }
  if (leg->two_legs && !leg->wants_peer) {
    leg->wants_peer = leg->had_connection = true;
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
  leg.uncertain = leg.fencing && !meta->peer_outdated;
  leg.peer_disk = meta->peer_outdated ? "Outdated" : "DUnknown";
  if (meta->primary) {
    // The crashed Primary's last writes may be on one leg only.
    for (const std::uint64_t block : meta->active) meta->dirty.insert(block);
  }
  // Attached again while connected: both sides compare what they have.
  leg.negotiating = leg.connection == "Connected";
  tell_device(node, leg);
  if (leg.connection == "Connected") compare_when_heard(node, leg.resource, leg.connection_run);
}

void SimDrbd::ask(std::size_t node, const std::string& resource, ExitCode done) {
  if (!fence_peer) return done(1);
  fence_peer(node, resource, [this, node, resource, done](int code) {
    scheduler_.say(fmt::format("drbd {}: fence-peer on {}: exit {}", resource, nodes_[node].name, code));
    done(code);
  });
}

/// Whether a promotion would run the program.
bool SimDrbd::must_ask(std::size_t node, const Leg& leg) const {
  if (leg.primary || !leg.attached || !leg.fencing || leg.connection == "Connected") return false;
  const std::string disk = disk_state(node, leg);
  const DrbdMeta* meta = meta_of(node, leg);
  return disk == "Consistent" || (disk == "UpToDate" && meta != nullptr && !meta->peer_outdated);
}

void SimDrbd::ask_first(std::size_t node, const std::vector<std::string>& argv, std::function<void()> then) {
  const bool promotes = argv.front() == "drbdadm" && std::find(argv.begin(), argv.end(), "primary") != argv.end() && std::find(argv.begin(), argv.end(), "--force") == argv.end();
  Leg* leg = promotes ? find(node, argv.back()) : nullptr;
  if (leg == nullptr || !must_ask(node, *leg)) return then();
  const std::uint64_t run = leg->connection_run;
  ask(node, leg->resource, [this, node, resource = leg->resource, run, then](int code) {
    // A connection that came meanwhile makes the answer one to an older question.
    Leg* now = find(node, resource);
    if (now != nullptr && now->connection_run == run) now->told = code;
    then();
    if (Leg* after = find(node, resource)) after->told.reset();
  });
}

/// 4 and 7 count whatever this disk is, 5 only with an UpToDate one.
bool SimDrbd::peer_may_be_outdated(std::size_t node, Leg& leg, int code) {
  if (code != 4 && code != 7 && !(code == 5 && disk_state(node, leg) == "UpToDate")) return false;
  if (!leg.attached) return false;
  meta_of(node, leg)->peer_outdated = true;
  leg.peer_disk = "Outdated";
  leg.uncertain = false;
  tell_device(node, leg);
  if (leg.wants_peer) tell_peer_device(node, leg);
  return true;
}

ToolAnswer SimDrbd::promote(std::size_t node, Leg& leg, bool force) {
  if (leg.primary) return ToolAnswer{};
  if (!leg.attached && !peer_has_disk(node, leg)) return state_refused(-2, "Need access to UpToDate data");
  if (leg.connection == "Connected" && leg.peer_primary) return state_refused(-1, "Multiple primaries not allowed by config");
  DrbdMeta* meta = meta_of(node, leg);
  const std::string disk = disk_state(node, leg);
  if (force && disk == "Outdated" && leg.connection != "Connected") {
    // "Forced into split brain situation!"
    meta->outdated = false;
    leg.uncertain = false;  // forced: the kernel calls it UpToDate from here on
    meta->peer_outdated = true;
    leg.peer_disk = "Outdated";
    tell_device(node, leg);
  } else if (force && disk == "Inconsistent") {
    meta->consistent = true;
    meta->outdated = false;
    meta->full_sync = true;
    fresh_uuid(node, leg);
    tell_device(node, leg);
    if (leg.connection == "Connected") begin_sync(leg.resource, node);
  } else if (disk == "Consistent" && leg.connection != "Connected") {
    if (!peer_may_be_outdated(node, leg, leg.told.value_or(1))) return state_refused(-2, "Need access to UpToDate data");
  } else if (disk != "UpToDate" && leg.peer_disk != "UpToDate") {
    return state_refused(-2, "Need access to UpToDate data");
  } else if (disk != "UpToDate" && leg.connection != "Connected") {
    return state_refused(-2, "Need access to UpToDate data");
  } else if (leg.fencing && leg.connection != "Connected" && !meta->peer_outdated) {
    // fencing resource-and-stonith
    if (!peer_may_be_outdated(node, leg, leg.told.value_or(1))) return state_refused(-7, "Refusing to be Primary while peer is not outdated");
  }
  leg.primary = true;
  if (meta != nullptr) meta->primary = true;
  if (leg.connection != "Connected" || leg.peer_disk == "Diskless") fresh_uuid(node, leg);
  if (!leg.attached) {
    fresh_uuid(1 - node, *find(1 - node, leg.resource));
    note_exposed(node, leg);
  }
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
    meta->marked.clear();
  }
  leg.peer_disk = peer->peer_disk = "UpToDate";
  for (const std::size_t side : {node, 1 - node}) {
    tell_device(side, *find(side, leg.resource));
    tell_peer_device(side, *find(side, leg.resource));
  }
  return ToolAnswer{};
}

/// Alone and Primary every block is marked for the next connect; connected a full copy begins.
ToolAnswer SimDrbd::invalidate_remote(std::size_t node, Leg& leg) {
  DrbdMeta* meta = meta_of(node, leg);
  if (meta == nullptr || disk_state(node, leg) != "UpToDate") return state_refused(-2, "Need access to UpToDate data");
  if (leg.connection == "StandAlone" && leg.primary) {
    meta->full_sync = true;
    tell_peer_device(node, leg);
    return ToolAnswer{};
  }
  if (leg.connection != "Connected") return state_refused(-14, "Need a connection for this operation");
  if (leg.replication != "Established") return state_refused(-15, "Resync already in progress");
  meta->full_sync = true;
  begin_sync(leg.resource, node);
  return ToolAnswer{};
}

void SimDrbd::goodbye(std::size_t node, Leg& leg) {
  leg.wants_peer = false;
  if (leg.connection == "Connected") {
    if (Leg* peer = find(1 - node, leg.resource)) {
      // An orderly goodbye outdates the side that is Secondary where the other one is Primary: that one goes on.
      DrbdMeta* mine = meta_of(node, leg);
      DrbdMeta* theirs = meta_of(1 - node, *peer);
      if (leg.primary != peer->primary && mine != nullptr && theirs != nullptr) {
        (leg.primary ? theirs : mine)->outdated = true;
        (leg.primary ? mine : theirs)->peer_outdated = true;
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

}  // namespace mcv::sim

// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/events.h"

#include <charconv>
#include <fmt/format.h>

namespace mcv::drbd {
namespace {

std::string_view next_word(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

std::optional<Event::Action> action_of(std::string_view text) {
  if (text == "exists") return Event::Action::exists;
  if (text == "create") return Event::Action::create;
  if (text == "change") return Event::Action::change;
  if (text == "destroy") return Event::Action::destroy;
  if (text == "call") return Event::Action::call;
  if (text == "response") return Event::Action::response;
  return std::nullopt;
}

std::optional<Event::Object> object_of(std::string_view text) {
  if (text == "resource") return Event::Object::resource;
  if (text == "device") return Event::Object::device;
  if (text == "connection") return Event::Object::connection;
  if (text == "peer-device") return Event::Object::peer_device;
  if (text == "helper") return Event::Object::helper;
  return std::nullopt;
}

std::optional<std::uint64_t> number_of(const std::string* text) {
  if (text == nullptr) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return value;
}

/// The kernel has so many; a greater one cut off would be another device's.
constexpr std::uint64_t minors = 1 << 20;

bool is_verify(ReplicationState state) { return state == ReplicationState::verify_source || state == ReplicationState::verify_target; }

template <typename T>
bool assign(T& target, T value) {
  if (target == value) return false;
  target = std::move(value);
  return true;
}

bool set_connection(ResourceFacts& resource, ConnectionState state) {
  const bool lost = resource.facts.connection == ConnectionState::connected && state != ConnectionState::connected;
  if (lost) ++resource.connection_losses;
  return assign(resource.facts.connection, state);
}

bool set_replication(ResourceFacts& resource, ReplicationState state) {
  if (!is_verify(resource.facts.replication) && is_verify(state)) ++resource.verify_starts;
  if (is_verify(resource.facts.replication) && !is_verify(state)) ++resource.verify_ends;
  return assign(resource.facts.replication, state);
}

bool apply_resource(const Event& event, ResourceFacts& resource) {
  bool changed = false;
  if (const auto* role = event.field("role")) changed |= assign(resource.facts.role, disk_role_of(*role));
  if (const auto* suspended = event.field("suspended")) changed |= assign(resource.facts.suspended, IoHold::parse(*suspended));
  return changed;
}

bool apply_device(const Event& event, ResourceFacts& resource) {
  if (event.action == Event::Action::destroy) {
    const bool had = resource.minor.has_value();
    resource.minor.reset();
    resource.facts.disk = DiskState::diskless;
    return had;
  }
  bool changed = false;
  if (const auto minor = number_of(event.field("minor")); minor && *minor < minors) changed |= assign(resource.minor, std::optional(static_cast<std::uint32_t>(*minor)));
  if (const auto* disk = event.field("disk")) changed |= assign(resource.facts.disk, disk_state_of(*disk));
  if (const auto size = number_of(event.field("size"))) changed |= assign(resource.size, Bytes::kib(*size));
  return changed;
}

bool apply_connection(const Event& event, ResourceFacts& resource) {
  if (event.action == Event::Action::destroy) {
    const bool role_changed = assign(resource.facts.peer_role, DiskRole::unknown);
    return set_connection(resource, ConnectionState::standalone) || role_changed;
  }
  bool changed = false;
  if (const auto* connection = event.field("connection")) changed |= set_connection(resource, connection_of(*connection));
  if (const auto* role = event.field("role")) changed |= assign(resource.facts.peer_role, disk_role_of(*role));
  return changed;
}

bool apply_peer_device(const Event& event, ResourceFacts& resource) {
  if (event.action == Event::Action::destroy) {
    // What the kernel knew about the peer's disk (Outdated, say) stays in its metadata and comes back with the next create.
    return set_replication(resource, ReplicationState::off);
  }
  bool changed = false;
  if (const auto* replication = event.field("replication")) changed |= set_replication(resource, replication_of(*replication));
  if (const auto* disk = event.field("peer-disk")) changed |= assign(resource.facts.peer_disk, disk_state_of(*disk));
  if (const auto kib = number_of(event.field("out-of-sync"))) changed |= assign(resource.facts.out_of_sync_kib, *kib);
  return changed;
}

}  // namespace

const std::string* Event::field(std::string_view key) const {
  for (const auto& [name, value] : fields) {
    if (name == key) return &value;
  }
  return nullptr;
}

Result<Event> parse_event(std::string_view line) {
  const auto refuse = [&]() { return Error(ErrorCode::bad_output, fmt::format("drbdsetup events2 said \"{}\"", line)); };
  std::string_view rest = line;
  const std::string_view first = next_word(rest);
  Event event;
  if (first == "-") {
    if (next_word(rest) != "skipped") return refuse();
    event.action = Event::Action::skipped;
    return event;
  }
  const auto action = action_of(first);
  if (!action) return refuse();
  event.action = *action;
  const std::string_view second = next_word(rest);
  if (second == "-" && *action == Event::Action::exists) {
    event.action = Event::Action::dump_complete;
    return event;
  }
  const auto object = object_of(second);
  if (!object) return refuse();
  event.object = *object;
  while (!rest.empty()) {
    const std::string_view word = next_word(rest);
    if (word.empty()) continue;
    const std::size_t colon = word.find(':');
    if (colon == std::string_view::npos) return refuse();
    const std::string_view key = word.substr(0, colon);
    const std::string_view value = word.substr(colon + 1);
    if (key == "name") {
      event.resource = value;
    } else {
      event.fields.emplace_back(key, value);
    }
  }
  if (event.resource.empty()) return refuse();
  return event;
}

void EventTable::begin_dump() {
  complete_ = false;
  confirmed_.clear();
}

const ResourceFacts* EventTable::find(const std::string& resource) const {
  const auto found = resources_.find(resource);
  return found == resources_.end() ? nullptr : &found->second;
}

bool EventTable::apply(const Event& event) {
  switch (event.action) {
    case Event::Action::dump_complete: {
      std::erase_if(resources_, [&](const auto& entry) { return !confirmed_.contains(entry.first); });
      complete_ = true;
      return true;
    }
    case Event::Action::skipped:
      complete_ = false;
      return true;
    case Event::Action::call:
    case Event::Action::response: return false;
    case Event::Action::exists:
    case Event::Action::create:
    case Event::Action::change:
    case Event::Action::destroy: break;
  }
  if (event.object == Event::Object::helper) return false;
  confirmed_[event.resource] = true;
  if (event.object == Event::Object::resource && event.action == Event::Action::destroy) {
    confirmed_.erase(event.resource);
    return resources_.erase(event.resource) != 0;
  }
  const auto [entry, created] = resources_.try_emplace(event.resource);
  if (created) {
    entry->second.facts.disk = DiskState::diskless;
    entry->second.facts.connection = ConnectionState::standalone;
  }
  return apply_to(event, entry->second) || created;
}

bool EventTable::apply_to(const Event& event, ResourceFacts& resource) {
  switch (event.object) {
    case Event::Object::resource: return apply_resource(event, resource);
    case Event::Object::device: return apply_device(event, resource);
    case Event::Object::connection: return apply_connection(event, resource);
    case Event::Object::peer_device: return apply_peer_device(event, resource);
    case Event::Object::helper:
    case Event::Object::none: return false;
  }
  return false;
}

DiskRole disk_role_of(std::string_view text) {
  if (text == "Primary") return DiskRole::primary;
  if (text == "Secondary") return DiskRole::secondary;
  return DiskRole::unknown;
}

DiskState disk_state_of(std::string_view text) {
  for (const DiskState state : {DiskState::diskless, DiskState::attaching, DiskState::failed, DiskState::negotiating, DiskState::inconsistent,
                                DiskState::outdated, DiskState::consistent, DiskState::up_to_date}) {
    if (to_text(state) == text) return state;
  }
  return DiskState::unknown;
}

ReplicationState replication_of(std::string_view text) {
  if (text == "PausedSyncS" || text == "PausedSyncT") return ReplicationState::paused_sync;
  for (const ReplicationState state : {ReplicationState::off, ReplicationState::established, ReplicationState::sync_source,
                                       ReplicationState::sync_target, ReplicationState::verify_source, ReplicationState::verify_target}) {
    if (to_text(state) == text) return state;
  }
  return ReplicationState::other;
}

ConnectionState connection_of(std::string_view text) {
  for (const ConnectionState state : {ConnectionState::standalone, ConnectionState::connecting, ConnectionState::connected}) {
    if (to_text(state) == text) return state;
  }
  return ConnectionState::other;
}

}  // namespace mcv::drbd

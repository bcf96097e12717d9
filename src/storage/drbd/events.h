// SPDX-License-Identifier: Apache-2.0
// `drbdsetup events2` as values: lines to events, events to a table of what the kernel has. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/core/result.h"
#include "cluster/core/units.h"
#include "cluster/model/observation.h"

namespace mcv::drbd {

struct Event {
  enum class Action {
    exists, create, change, destroy,
    call, response,  ///< the kernel runs its program
    dump_complete,   ///< "exists -": all that existed was told
    skipped,         ///< "- skipped N": messages were lost, the table is not to be trusted until the next dump
  };
  enum class Object { none, resource, device, connection, peer_device, helper };

  Action action = Action::exists;
  Object object = Object::none;
  std::string resource;
  std::vector<std::pair<std::string, std::string>> fields;  ///< all "key:value" words but the name, in order

  const std::string* field(std::string_view key) const;
};

/// `bad_output` for a line of another form; an unknown action or object (a newer drbd-utils) as well.
Result<Event> parse_event(std::string_view line);

/// One resource, with what happened to it since the table knows it. mcv's resources have one volume.
struct ResourceFacts {
  VolumeFacts facts;
  std::optional<std::uint32_t> minor;  ///< nullopt until the device exists
  Bytes size;
  std::uint64_t connection_losses = 0;  ///< times it left Connected
  std::uint64_t verify_starts = 0;      ///< times it entered VerifyS or VerifyT
  std::uint64_t verify_ends = 0;
};

class EventTable {
 public:
  /// Everything known becomes unconfirmed; `dump_complete` drops what was not told again. Called before each new dump.
  void begin_dump();
  /// True when something a reader can see changed.
  bool apply(const Event& event);
  /// A dump was read to its end and nothing was lost since.
  bool complete() const { return complete_; }
  const std::map<std::string, ResourceFacts>& resources() const { return resources_; }
  const ResourceFacts* find(const std::string& resource) const;

 private:
  bool apply_to(const Event& event, ResourceFacts& resource);

  std::map<std::string, ResourceFacts> resources_;
  std::map<std::string, bool> confirmed_;
  bool complete_ = false;
};

DiskRole disk_role_of(std::string_view text);
DiskState disk_state_of(std::string_view text);
ReplicationState replication_of(std::string_view text);
ConnectionState connection_of(std::string_view text);

}  // namespace mcv::drbd

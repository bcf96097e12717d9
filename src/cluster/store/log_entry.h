// SPDX-License-Identifier: Apache-2.0
// One place in the history, and the image of a whole history as the store keeps it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/model/cluster_state.h"
#include "cluster/store/abilities.h"
#include "cluster/store/position.h"

namespace mcv {

enum class LogEntryKind { change, generation };

struct LogEntry {
  std::uint64_t index = 0;
  GenerationRef generation;
  LogEntryKind kind = LogEntryKind::change;
  std::string change_id;  ///< empty for a generation's own entry
  std::string bytes;      ///< as proposed, never re-encoded
  std::string previous;   ///< hash of the entry before
  std::string hash;       ///< over all of the above and the format, except change_id, which is inside `bytes`
  std::uint64_t format = 1;  ///< of `bytes`, and of the entry: as it was proposed, whatever was raised since

  Json to_json() const;
  /// Verifies the hash: `store_corrupt` when it does not match, `format_unknown` above `known`.
  static Result<LogEntry> from_json(const Json& json, std::uint64_t known);
  friend bool operator==(const LogEntry&, const LogEntry&) = default;
};

/// The audit's row of a change (AuditRow), whole; nothing where nobody asked for it.
std::optional<Json> audit_of(const LogEntry& entry);

/// The only way to make an entry: fills in the hash.
LogEntry make_entry(std::uint64_t index, const GenerationRef& generation, LogEntryKind kind, std::string change_id, std::string bytes,
                    const std::string& previous, std::uint64_t format);

/// All that is durable of the shared configuration on one node. Entries above `committed_index` are tentative.
struct LogImage {
  std::vector<GenerationRecord> generations;  ///< oldest first; empty = never initialised
  bool alone = false;                         ///< authority taken and no contact since
  std::optional<Json> diverged;               ///< what is known of the other history
  std::uint64_t committed_index = 0;
  std::string committed_hash;
  ClusterState state;                         ///< at committed_index
  std::map<std::uint64_t, LogEntry> log;      ///< the kept end of it

  std::uint64_t last_index() const { return log.empty() ? committed_index : std::max(committed_index, log.rbegin()->first); }
  const std::string& last_hash() const { return last_index() == committed_index ? committed_hash : log.rbegin()->second.hash; }
  /// For a joining or older node: without what concerns this node only, and with at most `entries` of the log.
  Json to_json(std::size_t entries) const;
  static Result<LogImage> from_json(const Json& json, std::uint64_t known);
  /// The chain holds together and ends where it says.
  Status verify() const;
  /// Nothing in it, tentative entries included, makes the nodes write a format above `known`.
  Status check_format(std::uint64_t known) const;
};

}  // namespace mcv

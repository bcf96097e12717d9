// SPDX-License-Identifier: Apache-2.0
// The shared configuration as a value, and the only way it changes: apply(Change) in log order.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/json.h"
#include "cluster/model/records.h"

namespace mcv {

/// Kinds of shared objects. The text form is part of the log's format.
enum class Kind { node, network, pool, vm, volume, setting };
std::string_view to_text(Kind kind);
Result<Kind> kind_from_text(std::string_view text);

/// One object's change. `expected_revision` guards against a lost update: 0 = must not exist yet; otherwise the revision
/// the proposer read; nullopt = whatever is there (used by the owner of a field nobody else writes).
struct Mutation {
  Kind kind = Kind::setting;
  std::string key;
  std::optional<std::uint64_t> expected_revision = {};
  std::optional<Json> value = {};  ///< the whole record; nullopt deletes, unless there is a patch
  std::optional<Json> patch = {};  ///< only these fields change (JSON merge patch); the object must exist
  std::optional<Json> when = {};   ///< refused unless the object has these field values now

  Json to_json() const;
  static Result<Mutation> from_json(const Json& json);
};

/// All or nothing. `id` is the proposer's token: a client cut off asks what became of it.
struct Change {
  std::string id;
  std::string summary;  ///< for people: "create vm1"
  std::vector<Mutation> mutations;
  std::optional<Json> audit = {};  ///< who asked for it (AuditRow), where somebody did; a build without an audit carries it along

  std::string encode() const;  ///< canonical JSON; hashes cover these bytes as proposed
  static Result<Change> decode(std::string_view text);
};

class ClusterState {
 public:
  struct Entry {
    std::uint64_t revision = 0;  ///< the log index of its last change
    Json value;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  /// Pure: the state after `change` at log index `index`, or why it does not apply (`revision_conflict`,
  /// `already_exists`, `in_use`, `bad_request`). A volume put with kind drbd and port 0 gets its minor and port here, so
  /// that both nodes compute the same numbers. `*this` is unchanged on error.
  Status apply(const Change& change, std::uint64_t index);
  /// Whether `apply` would succeed, without changing anything.
  Status check(const Change& change) const;

  const Entry* find(Kind kind, const std::string& key) const;
  std::uint64_t revision(Kind kind, const std::string& key) const;  ///< 0 when absent
  const std::map<std::string, Entry>& all(Kind kind) const;

  Result<NodeRecord> node(const NodeName& name) const;
  Result<VmRecord> vm(const VmName& name) const;
  Result<VolumeRecord> volume(const VolumeName& name) const;
  Result<PoolRecord> pool(const PoolName& name) const;
  Result<NetworkRecord> network(const NetworkName& name) const;
  std::vector<NodeRecord> nodes() const;  ///< by id
  std::vector<VmRecord> vms() const;
  std::vector<VolumeRecord> volumes() const;
  std::vector<VolumeRecord> volumes_of(const VmRecord& vm) const;
  std::optional<std::string> setting(const std::string& key) const;
  bool is_cluster() const { return all(Kind::node).size() > 1; }

  /// SHA-256 over the canonical form; equal states have equal hashes on both nodes.
  std::string hash() const;
  Json to_json() const;
  static Result<ClusterState> from_json(const Json& json);
  friend bool operator==(const ClusterState&, const ClusterState&) = default;

 private:
  void decode(Kind kind);

  std::map<Kind, std::map<std::string, Entry>> objects_;
  /// What objects_ says, decoded when it changes: every decision asks for these, many times between two changes.
  std::vector<NodeRecord> nodes_;
  std::vector<VmRecord> vms_;
  std::vector<VolumeRecord> volumes_;
};

/// In the configuration, and with two copies or one leg of DRBD's: a volume that became local is not.
bool is_replicated(const ClusterState& state, const VolumeName& volume);

/// Convenience for planners.
Mutation put_new(const VmRecord& vm);
Mutation put_new(const VolumeRecord& volume);
Mutation put_new(const PoolRecord& pool);
Mutation put_new(const NetworkRecord& network);
Mutation put_new(const NodeRecord& node);
Mutation put_at(const ClusterState& state, const VmRecord& vm);          ///< replaces what `state` holds
Mutation put_at(const ClusterState& state, const VolumeRecord& volume);
Mutation put_at(const ClusterState& state, const NodeRecord& node);
/// Changes some fields of one object and nothing somebody else may have written meanwhile, if it still has `when`.
Mutation patch(Kind kind, const std::string& key, Json fields, std::optional<Json> when = std::nullopt);
Mutation erase_at(const ClusterState& state, Kind kind, const std::string& key);
Mutation put_setting(const ClusterState& state, const std::string& key, const std::string& value);

}  // namespace mcv

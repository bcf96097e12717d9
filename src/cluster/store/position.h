// SPDX-License-Identifier: Apache-2.0
// Where a node stands in the one history of the shared configuration.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/json.h"

namespace mcv {

/// Names one generation: the history between two takings of authority. The uuid tells two apart that were taken on
/// both sides with the same counter.
struct GenerationRef {
  std::uint64_t counter = 0;  ///< 0 = none: the node was never initialised
  std::string uuid;
  friend bool operator==(const GenerationRef&, const GenerationRef&) = default;
};

/// The last committed entry of a node. Equal positions mean equal configurations: the hash covers every entry before.
struct Position {
  GenerationRef generation;
  std::uint64_t index = 0;
  std::string hash;  ///< lower-case hex; empty at index 0
  friend bool operator==(const Position&, const Position&) = default;
};

Json to_json(const Position& position);
Result<Position> position_from_json(const Json& json);

/// A generation as both nodes remember it. The first entry of its history is the generation's own (DESIGN 4).
struct GenerationRecord {
  GenerationRef ref;
  std::string taken_by;           ///< node name
  std::string proof;              ///< why it was allowed, for people and the audit: "initialised", "fence", "confirm-down", ...
  std::uint64_t base_index = 0;   ///< the entry it continues
  std::string base_hash;
  /// The last entries up to the base, so that a node that comes back much later can be placed without the old log.
  std::map<std::uint64_t, std::string> recent;
  /// A person chose this history, and the one that ended exactly there is given up for it. Whoever stands at that end takes
  /// this one; nobody else does, and nobody who went on from there.
  std::optional<Position> settles = {};
  /// Where the other node's history ended when the two met and stood apart, while nobody has chosen: it is not part of this one. The
  /// word that the other node is lost began this generation; should it come back, they stand apart again.
  std::optional<Position> apart_from = {};

  Json to_json() const;
  static Result<GenerationRecord> from_json(const Json& json);
  friend bool operator==(const GenerationRecord&, const GenerationRecord&) = default;
};

/// Success of a proposal.
struct Committed : Position {
  bool on_both_nodes = false;  ///< false: a cluster of one, or authority while the peer is proven down
};

/// What became of a change, by its id.
enum class ChangeOutcome {
  committed,    ///< applied; see the position
  not_applied,  ///< never will be
  undecided,    ///< held here, and only contact with the peer (or authority) tells
  forgotten,    ///< older than the kept log
};
std::string_view to_text(ChangeOutcome outcome);

struct Outcome {
  ChangeOutcome state = ChangeOutcome::not_applied;
  Position position;  ///< of the change's entry; only when committed
};

/// How this node may change the shared configuration now.
enum class LinkState {
  uninitialised,  ///< `hvctl node init` was not run: nothing can be changed
  single,         ///< a cluster of one: commits locally
  apart,          ///< two nodes, no contact: refuses
  syncing,        ///< in contact, comparing histories: changes wait, bounded
  together,       ///< changes commit on both nodes
  alone,          ///< two nodes, authority taken while the peer is down: commits locally until contact
  diverged,       ///< the nodes hold histories only a person can choose between: refuses, both are kept
  removed,        ///< this node is no member any more: passive
  failed,         ///< the store cannot be trusted before a restart: refuses
};
std::string_view to_text(LinkState state);

}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
// What the builds of two nodes know, and what may be written into the configuration they share (docs/formats.md, ADR 0011).
// Pure: both nodes decide alike.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "cluster/model/cluster_state.h"

namespace mcv {

/// The newest format of the shared configuration that this build reads and writes.
inline constexpr std::uint64_t newest_format = 1;
/// The one after it. Only a daemon that is started with the test option --trial-format knows it: a rolling upgrade can be
/// tested before there is a next format. An entry of it has one field more, and another hash.
inline constexpr std::uint64_t trial_format = newest_format + 1;

/// The shared setting that says which format is written; absent = 1.
inline constexpr const char* format_setting = "format";

/// Words of the configuration that a build without them would pass over, although it must not.
namespace feature {
inline constexpr const char* run_alone = "run-alone";    ///< ADR 0009: the other node may have gone on
inline constexpr const char* verify_desk = "verify-desk";  ///< ADR 0014: takes verifies of the other node, and queues them
inline constexpr const char* access = "access";            ///< ADR 0015: users, groups and grants; judges who asks, also for the other node
inline constexpr const char* audit = "audit";              ///< ADR 0017: keeps a row of what it carries out for the other node
}

/// Of one build, as its daemon tells the other one on contact. The default is this build.
struct Abilities {
  std::uint64_t format = newest_format;  ///< 1 to this one are read, and written where the configuration says so
  std::set<std::string> features = {feature::run_alone, feature::verify_desk, feature::access, feature::audit};
  friend bool operator==(const Abilities&, const Abilities&) = default;
};

/// The other node of a cluster of two.
struct OtherBuild {
  std::string node;
  std::optional<Abilities> knows;  ///< nothing while it is not in contact
};

/// What a node with this configuration writes. A word nobody knows is a format nobody knows.
std::uint64_t format_of(const ClusterState& state);
/// The format a change sets, if it does.
std::optional<std::uint64_t> format_set_by(const Change& change);

/// Whether both builds know what `change` brings into `before`; `other` is nothing in a cluster of one.
Status check_abilities(const Change& change, const ClusterState& before, const Abilities& own, const std::optional<OtherBuild>& other);

/// The format that may be written from now on; the present one when no build knows a newer one. Otherwise who stands in the way.
Result<std::uint64_t> next_format(const ClusterState& state, const std::string& self, const Abilities& own, const std::optional<OtherBuild>& other);

}  // namespace mcv

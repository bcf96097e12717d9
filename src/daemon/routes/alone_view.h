// SPDX-License-Identifier: Apache-2.0
// What clients are told of a copy that went on without the other one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cluster/authority/standpoint.h"
#include "cluster/core/json.h"
#include "cluster/model/cluster_state.h"

namespace mcv {
class Node;
}

namespace mcv::views {

/// "2026-11-02 09:30:00 UTC".
std::string utc(std::int64_t wall_seconds);

struct AloneText {
  std::string text;
  std::string next;
};

/// Of one look at this node's records.
class AloneView {
 public:
  explicit AloneView(const Node& node);

  /// Neither node went on alone with it, and the other one knows that of this one: what the kernel calls redundant is.
  bool is_settled(const VolumeName& volume) const;
  /// Which nodes went on alone with it, since when and why: an array, mostly empty.
  Json since(const VolumeName& volume) const;
  /// What a person has to know of it now; nothing when the other texts say enough.
  std::optional<AloneText> text(const VolumeRecord& volume, const VolumeFacts* here) const;

 private:
  AloneText two_copies(const VolumeRecord& volume) const;

  const Node& node_;
  authority::Standpoint standpoint_;
  bool shipped_;
};

}  // namespace mcv::views

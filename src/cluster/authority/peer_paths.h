// SPDX-License-Identifier: Apache-2.0
// Whether the other node answers: every way there is, and the one place that says what counts as an answer.
#pragma once

#include <optional>
#include <vector>

#include "cluster/core/names.h"

namespace mcv::authority {

struct Standpoint;

/// Every way on which the other node could answer, as of one look made for this question.
struct PathsToPeer {
  bool daemon_in_group = false;             ///< corosync's process group
  std::optional<bool> in_membership;        ///< corosync's ring; nullopt: corosync here does not say
  bool answers_on_peer_link = false;        ///< anything but "no connection": also a wrong key, also silence after it
  std::vector<VolumeName> connected;        ///< volumes whose DRBD connection stands
};

enum class AnsweringPath { daemon, peer_link, replication, corosync };
/// How the other node answers, on any path; nothing when it does on none. A corosync that says nothing is no answer.
std::optional<AnsweringPath> answering_path(const Standpoint& standpoint, const PathsToPeer& paths);

}  // namespace mcv::authority

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "cluster/core/names.h"
#include "cluster/model/observation.h"

namespace mcv {

/// One of a volume's two copies is older than the other, and nothing copies between them now.
struct OlderCopy {
  std::string node;  ///< where the older one is
  std::string text;  ///< "the copy of vm1-0 on B is older: …"
  std::string next;
};

/// By what DRBD on `here` says; nullopt where it does not know, and while the two are connected.
std::optional<OlderCopy> older_copy(const VolumeFacts& facts, const VolumeName& volume, const std::string& here, const std::string& peer);

}  // namespace mcv

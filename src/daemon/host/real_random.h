// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cluster/host/random.h"

namespace mcv::host {

/// getrandom(2).
class RealRandom : public Random {
 public:
  std::uint64_t next() override;
};

}  // namespace mcv::host

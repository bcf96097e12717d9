// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace mcv::host {

/// The only source of chance. Production: getrandom(2), fit for secrets. Simulation: the seed.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
  /// `bytes` random bytes as lower-case hex.
  std::string hex(std::size_t bytes);
  /// An RFC 4122 version 4 UUID.
  std::string uuid();
};

}  // namespace mcv::host

// SPDX-License-Identifier: Apache-2.0
// Disk space kept back, so that what was begun can be finished when everything else has filled the file system.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/core/result.h"

namespace mcv::host {

class ReserveFile {
 public:
  ReserveFile(std::string path, std::uint64_t bytes) : path_(std::move(path)), bytes_(bytes) {}
  /// Makes it whole again; true when it is. A full disk is not an error here.
  bool restore();
  /// Gives the space back to the file system.
  void release();
  bool whole() const { return whole_; }

 private:
  std::string path_;
  std::uint64_t bytes_;
  bool whole_ = false;
};

}  // namespace mcv::host

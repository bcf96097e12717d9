// SPDX-License-Identifier: Apache-2.0
// Secrets stay in their file. What a daemon says elsewhere (command lines, the log, answers, the store, files that others may read)
// is held against the secrets both nodes have; every line of every schedule, where a look at real nodes can only sample.
#pragma once

#include <array>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "world/sim_files.h"

namespace mcv::sim {

class SecretWatch {
 public:
  /// `path`: of the file of secrets on each disk.
  SecretWatch(std::array<const FileDisk*, 2> disks, std::string path) : disks_(disks), path_(std::move(path)) {}

  void heard(std::string_view where, std::string_view text);
  /// A file is written; `mode` as in open(2).
  void written(const std::string& path, std::string_view text, unsigned mode);
  /// What was heard that should not be, once each.
  std::optional<std::string> finding();

 private:
  void learn();
  std::optional<std::string> secret_in(std::string_view text);

  std::array<const FileDisk*, 2> disks_;
  std::string path_;
  std::array<std::string, 2> seen_;                 ///< the files as they were read last
  std::set<std::pair<std::string, std::string>> secrets_;  ///< value, name; those of earlier clusters as well
  std::set<std::string> told_;
  std::optional<std::string> finding_;
};

}  // namespace mcv::sim

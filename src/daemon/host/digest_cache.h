// SPDX-License-Identifier: Apache-2.0
// Hashes of files that did not change: kernels and images are compared between the nodes at every migration, and reading
// tens of megabytes each time costs seconds on a busy host.
#pragma once

#include <sys/stat.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>

namespace mcv::host {

/// Thread-safe: used by the jobs of the blocking pool. A file is the same while device, inode, size and change time are; a
/// change time cannot be set back by anybody but the clock.
class DigestCache {
 public:
  std::optional<std::string> find(const struct stat& file);
  /// `before` and `after` frame the reading: a file that changed meanwhile is not kept.
  void keep(const struct stat& before, const struct stat& after, const std::string& digest);

 private:
  using Identity = std::tuple<dev_t, ino_t, off_t, long, long>;
  static Identity identity_of(const struct stat& file);

  static constexpr std::size_t limit = 1024;
  std::mutex mutex_;
  std::map<Identity, std::string> digests_;
};

}  // namespace mcv::host

// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/digest_cache.h"

namespace mcv::host {

DigestCache::Identity DigestCache::identity_of(const struct stat& file) {
  return {file.st_dev, file.st_ino, file.st_size, file.st_ctim.tv_sec, file.st_ctim.tv_nsec};
}

std::optional<std::string> DigestCache::find(const struct stat& file) {
  const std::lock_guard lock(mutex_);
  const auto found = digests_.find(identity_of(file));
  if (found == digests_.end()) return std::nullopt;
  return found->second;
}

void DigestCache::keep(const struct stat& before, const struct stat& after, const std::string& digest) {
  if (identity_of(before) != identity_of(after)) return;
  const std::lock_guard lock(mutex_);
  if (digests_.size() >= limit) digests_.clear();
  digests_[identity_of(before)] = digest;
}

}  // namespace mcv::host

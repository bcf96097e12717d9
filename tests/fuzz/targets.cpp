// SPDX-License-Identifier: Apache-2.0
#include "targets.h"

#include <cstdio>
#include <cstdlib>

namespace mcv::fuzz {

std::vector<Target> all_targets() {
  std::vector<Target> all;
  for (auto* group : {cluster_targets, group_targets, request_targets, storage_targets, hv_targets, daemon_targets, cli_targets, client_targets, store_targets}) {
    for (Target& target : group()) all.push_back(std::move(target));
  }
  return all;
}

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace mcv::fuzz

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/result.h"

namespace mcv::api {

/// A request's target, taken apart and decoded.
struct Target {
  std::vector<std::string> segments;
  std::map<std::string, std::string> query;

  std::string path() const;
};

/// Refuses what no client of ours sends and what has fooled servers: "..", empty segments, an encoded slash or control
/// character, bytes that are not UTF-8, broken escapes, a query key given twice.
Result<Target> parse_target(std::string_view text);

/// Encodes everything but letters, digits and "-._~": fit for a segment and for a query value.
std::string percent_encode(std::string_view text);

}  // namespace mcv::api

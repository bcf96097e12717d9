// SPDX-License-Identifier: Apache-2.0
// One value out of JSON that another build, another program or another node wrote, where nothing depends on its being there.
#pragma once

#include <concepts>
#include <string>
#include <utility>

#include "cluster/core/json.h"

namespace mcv {

/// What `object` says under `key`, or `fallback`: also where it is no object, and where the value is of another type or beyond what T
/// holds. Json::value throws in the first two cases, and a task that throws ends the daemon.
template <typename T>
T value_in(const Json& object, const char* key, T fallback) {
  const auto found = object.find(key);
  if (found == object.end()) return fallback;
  if constexpr (std::same_as<T, Json>) {
    return *found;
  } else if constexpr (std::same_as<T, std::string>) {
    return found->is_string() ? found->template get<std::string>() : fallback;
  } else if constexpr (std::same_as<T, bool>) {
    return found->is_boolean() ? found->template get<bool>() : fallback;
  } else {
    static_assert(std::integral<T>);
    if (found->is_number_unsigned()) {
      const auto number = found->template get<std::uint64_t>();
      return std::in_range<T>(number) ? static_cast<T>(number) : fallback;
    }
    const auto number = found->is_number_integer() ? found->template get<std::int64_t>() : 0;
    return found->is_number_integer() && std::in_range<T>(number) ? static_cast<T>(number) : fallback;
  }
}

inline std::string value_in(const Json& object, const char* key, const char* fallback) { return value_in(object, key, std::string(fallback)); }

}  // namespace mcv

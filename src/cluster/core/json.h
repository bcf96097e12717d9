// SPDX-License-Identifier: Apache-2.0
// Strict decoding: a missing, unknown or wrongly typed key is an error that names its path. A typo never passes.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/result.h"

namespace mcv {

using Json = nlohmann::json;

inline constexpr std::size_t json_depth_limit = 64;

/// Parses text from outside. Refuses nesting deeper than json_depth_limit and bytes that are not UTF-8.
Result<Json> parse_json(std::string_view text);

Error json_too_deep();
Error not_json();

/// Compact, sorted keys: equal values give equal bytes, so the text can be hashed.
std::string canonical(const Json& value);

/// Reads one object key by key, then `finish()` refuses what was never asked for.
///   Fields fields(json, "vm");
///   spec.cpus = fields.required<std::uint32_t>("cpus");
///   MCV_CHECK(fields.finish());
/// The first error wins; getters return an empty value after it.
class Fields {
 public:
  Fields(const Json& object, std::string path);

  template <typename T>
  T required(const char* key) {
    T value{};
    if (const Json* found = find(key, true)) read(*found, key, value);
    return value;
  }
  template <typename T>
  T optional_or(const char* key, T fallback) {
    if (const Json* found = find(key, false)) read(*found, key, fallback);
    return fallback;
  }
  template <typename T>
  std::optional<T> optional(const char* key) {
    const Json* found = find(key, false);
    if (found == nullptr) return std::nullopt;
    T value{};
    read(*found, key, value);
    return value;
  }
  /// The raw value for nested decoding, or nullptr (an error for required ones).
  const Json* object(const char* key, bool required_key = true);
  const Json* array(const char* key, bool required_key = true);

  void fail(Error error);
  bool failed() const { return error_.has_value(); }
  /// The first error, or "unknown field" for keys nobody read.
  Status finish();
  /// The first error only: for records written by a newer build, whose extra keys are kept, not refused.
  Status finish_lenient();

 private:
  const Json* find(const char* key, bool required_key);
  void wrong_type(const char* key, std::string_view wanted);
  void read(const Json& json, const char* key, std::string& value);
  void read(const Json& json, const char* key, bool& value);
  void read(const Json& json, const char* key, std::uint64_t& value);
  void read(const Json& json, const char* key, std::uint32_t& value);
  void read(const Json& json, const char* key, std::int64_t& value);
  void read(const Json& json, const char* key, std::vector<std::string>& value);

  const Json& json_;
  std::string path_;
  std::set<std::string, std::less<>> seen_;
  std::optional<Error> error_;
};

}  // namespace mcv

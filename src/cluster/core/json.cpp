// SPDX-License-Identifier: Apache-2.0
#include "cluster/core/json.h"

#include <fmt/format.h>
#include <limits>
#include <utility>

namespace mcv {
namespace {

/// Of brackets outside of texts, before anything is built of them. Exact for JSON; for what is none the parser says so. Counting in
/// the parser's callback costs more than the parsing.
bool is_too_deep(std::string_view text) {
  std::size_t depth = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    switch (text[at]) {
      case '{':
      case '[':
        if (++depth > json_depth_limit) return true;
        break;
      case '}':
      case ']':
        if (depth > 0) --depth;
        break;
      case '"':
        for (++at; at < text.size() && text[at] != '"'; ++at) {
          if (text[at] == '\\') ++at;
        }
        break;
      default: break;
    }
  }
  return false;
}

const Json& empty_object() {
  static const Json empty = Json::object();
  return empty;
}

}  // namespace

Result<Json> parse_json(std::string_view text) {
  if (is_too_deep(text)) return json_too_deep();
  Json value = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return not_json();
  return value;
}

Error json_too_deep() { return {ErrorCode::bad_request, fmt::format("the JSON is nested deeper than {}", json_depth_limit)}; }

Error not_json() { return {ErrorCode::bad_request, "the text is not JSON"}; }

std::string canonical(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

Fields::Fields(const Json& object, std::string path) : json_(object.is_object() ? object : empty_object()), path_(std::move(path)) {
  if (!object.is_object()) error_ = Error(ErrorCode::bad_request, fmt::format("{} is not a JSON object", path_));
}

const Json* Fields::find(const char* key, bool required_key) {
  seen_.insert(key);
  const auto found = json_.find(key);
  if (found == json_.end() || found->is_null()) {
    if (required_key) fail(Error(ErrorCode::bad_request, fmt::format("{}.{} is missing", path_, key)));
    return nullptr;
  }
  return &*found;
}

const Json* Fields::object(const char* key, bool required_key) {
  const Json* found = find(key, required_key);
  if (found != nullptr && !found->is_object()) {
    wrong_type(key, "an object");
    return nullptr;
  }
  return found;
}

const Json* Fields::array(const char* key, bool required_key) {
  const Json* found = find(key, required_key);
  if (found != nullptr && !found->is_array()) {
    wrong_type(key, "an array");
    return nullptr;
  }
  return found;
}

void Fields::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

void Fields::wrong_type(const char* key, std::string_view wanted) {
  fail(Error(ErrorCode::bad_request, fmt::format("{}.{} is not {}", path_, key, wanted)));
}

Status Fields::finish_lenient() {
  if (error_) return *error_;
  return success();
}

Status Fields::finish() {
  if (error_) return *error_;
  for (const auto& item : json_.items()) {
    if (!seen_.contains(item.key())) {
      return Error(ErrorCode::unknown_field, fmt::format("{}.{} is not known", path_, item.key().substr(0, 64)));
    }
  }
  return success();
}

void Fields::read(const Json& json, const char* key, std::string& value) {
  if (json.is_string()) value = json.get<std::string>();
  else wrong_type(key, "text");
}

void Fields::read(const Json& json, const char* key, bool& value) {
  if (json.is_boolean()) value = json.get<bool>();
  else wrong_type(key, "true or false");
}

void Fields::read(const Json& json, const char* key, std::uint64_t& value) {
  // Parsed numbers are unsigned, those built in code are signed.
  if (json.is_number_unsigned() || (json.is_number_integer() && json.get<std::int64_t>() >= 0)) value = json.get<std::uint64_t>();
  else wrong_type(key, "a whole number of zero or more");
}

void Fields::read(const Json& json, const char* key, std::uint32_t& value) {
  std::uint64_t wide = 0;
  read(json, key, wide);
  if (wide > std::numeric_limits<std::uint32_t>::max()) wrong_type(key, "a number below 2^32");
  else value = static_cast<std::uint32_t>(wide);
}

void Fields::read(const Json& json, const char* key, std::int64_t& value) {
  if (json.is_number_integer()) value = json.get<std::int64_t>();
  else wrong_type(key, "a whole number");
}

void Fields::read(const Json& json, const char* key, std::vector<std::string>& value) {
  value.clear();
  if (!json.is_array()) return wrong_type(key, "a list of texts");
  for (const Json& item : json) {
    if (!item.is_string()) return wrong_type(key, "a list of texts");
    value.push_back(item.get<std::string>());
  }
}

}  // namespace mcv

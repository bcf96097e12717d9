// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/api_call.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace mcv::api {
namespace {

std::string clipped(const std::string& text) { return text.size() <= 100 ? text : fmt::format("{:.100}...", text); }

/// Whether something inside of `value` is null.
bool holds_null(const Json& value) {
  return value.is_structured() && std::any_of(value.begin(), value.end(), [](const Json& inner) { return inner.is_null() || holds_null(inner); });
}

}  // namespace

access::Identity identity_of(const Caller& caller) {
  access::Identity identity;
  identity.uid = caller.uid;
  if (auto name = UserName::parse(caller.name); name.ok()) identity.name = std::move(*name);
  return identity;
}

std::string who(const Caller& caller) { return access::to_text(identity_of(caller)); }

std::string ApiCall::param(const std::string& name) const {
  const auto found = params.find(name);
  return found == params.end() ? std::string() : found->second;
}

Result<Json> ApiCall::json(std::initializer_list<std::string_view> nullable) const {
  if (body.empty()) return Json::object();
  MCV_TRY(Json parsed, parse_json(body));
  if (!parsed.is_object()) return Error(ErrorCode::bad_request, "the body is not a JSON object");
  for (const auto& [key, value] : parsed.items()) {
    const bool is_null = value.is_null() && std::find(nullable.begin(), nullable.end(), key) == nullable.end();
    if (is_null || holds_null(value)) {
      return Error(ErrorCode::bad_request, fmt::format("{} {} null: leave it out, or give it a value", clipped(key), is_null ? "is" : "holds a"));
    }
  }
  return parsed;
}

Status ApiCall::no_fields() const {
  MCV_TRY(const Json parsed, json());
  if (parsed.empty()) return success();
  return Error(ErrorCode::unknown_field, fmt::format("unknown field {}: this takes none", clipped(parsed.items().begin().key())));
}

Result<bool> ApiCall::flag(const std::string& key) const {
  const auto found = query.find(key);
  if (found == query.end() || found->second == "false") return false;
  if (found->second == "true") return true;
  return Error(ErrorCode::bad_request, fmt::format("{} is true or false, not '{}'", key, found->second));
}

Result<std::optional<std::string>> ApiCall::text(const std::string& key, std::size_t longest) const {
  const auto found = query.find(key);
  if (found == query.end()) return std::optional<std::string>();
  if (found->second.size() > longest) return Error(ErrorCode::bad_request, fmt::format("{} has {} bytes; at most {} are taken", key, found->second.size(), longest));
  return std::optional<std::string>(found->second);
}

Result<std::optional<std::uint64_t>> ApiCall::number(const std::string& key, std::uint64_t least, std::uint64_t most) const {
  const auto found = query.find(key);
  if (found == query.end()) return std::optional<std::uint64_t>();
  std::uint64_t value = 0;
  const char* end = found->second.data() + found->second.size();
  const auto read = std::from_chars(found->second.data(), end, value);
  if (read.ec == std::errc() && read.ptr == end && value >= least && value <= most) return std::optional<std::uint64_t>(value);
  return Error(ErrorCode::bad_request, fmt::format("{} is a number from {} to {}", key, least, most));
}

Status ApiCall::only_query(std::initializer_list<std::string_view> keys) const {
  for (const auto& [key, value] : query) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) return Error(ErrorCode::unknown_field, fmt::format("unknown query parameter '{}'", key));
  }
  return success();
}

ApiReply reply(Json body, int status) {
  JsonReply made;
  made.status = status;
  made.body = std::move(body);
  return made;
}

std::optional<JsonReply> document_of(const ApiReply& reply) {
  if (const auto* json = std::get_if<JsonReply>(&reply)) return *json;
  const auto* text = std::get_if<TextReply>(&reply);
  if (text == nullptr) return std::nullopt;
  Result<Json> parsed = parse_json(text->json);
  if (!parsed.ok()) return std::nullopt;
  return JsonReply{200, std::move(*parsed)};
}

}  // namespace mcv::api

// SPDX-License-Identifier: Apache-2.0
#include "world/api_contract.h"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "cluster/core/problem.h"

namespace mcv::sim {
namespace {

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  std::istringstream text(path.substr(0, path.find('?')));
  for (std::string part; std::getline(text, part, '/');) parts.push_back(part);
  return parts;
}

bool fits(const std::string& pattern, const std::string& target) {
  const auto wanted = parts_of(pattern);
  const auto given = parts_of(target);
  const auto alike = [](const std::string& want, const std::string& have) { return want == have || (want.starts_with('{') && !have.empty()); };
  return wanted.size() == given.size() && std::equal(wanted.begin(), wanted.end(), given.begin(), alike);
}

bool is_of(const Json& value, const std::string& type) {
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "null") return value.is_null();
  if (type == "integer") return value.is_number_integer();
  return type == "number" && value.is_number();
}

bool has_type(const Json& schema, const Json& value) {
  const auto type = schema.find("type");
  if (type == schema.end()) return true;
  if (type->is_string()) return is_of(value, type->get<std::string>());
  return std::any_of(type->begin(), type->end(), [&](const Json& one) { return is_of(value, one.get<std::string>()); });
}

bool matches(const std::string& pattern, const std::string& text) {
  static std::map<std::string, std::regex> compiled;
  const auto found = compiled.try_emplace(pattern, pattern).first;
  return std::regex_search(text, found->second);
}

/// Characters, as JSON Schema counts them.
std::size_t length_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

bool is_within(const Json& schema, const char* least, const char* most, double value) {
  return value >= schema.value(least, value) && value <= schema.value(most, value);
}

}  // namespace

const ApiContract& ApiContract::get() {
  static const ApiContract contract;
  return contract;
}

ApiContract::ApiContract() {
  std::ifstream file(MCV_OPENAPI_FILE);
  document_ = Json::parse(file, nullptr, false);
  if (!document_.is_object()) throw std::runtime_error("config/openapi.json cannot be read");
  for (const auto& [path, methods] : document_["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      std::string upper = method;
      std::transform(upper.begin(), upper.end(), upper.begin(), [](char letter) { return static_cast<char>(letter - 'a' + 'A'); });
      routes_.push_back({upper, path, &operation});
    }
  }
}

const ApiContract::Route* ApiContract::find(const std::string& method, const std::string& target) const {
  // A fixed path before one with a parameter.
  const Route* found = nullptr;
  for (const Route& route : routes_) {
    if (route.method != method || !fits(route.path, target)) continue;
    if (found == nullptr || route.path.find('{') == std::string::npos) found = &route;
  }
  return found;
}

const Json& ApiContract::resolved(const Json& schema) const {
  const Json* node = &schema;
  while (node->contains("$ref")) node = &document_.at(Json::json_pointer((*node)["$ref"].get<std::string>().substr(1)));
  return *node;
}

const Json* ApiContract::body_schema(const Route& route) const {
  const auto body = route.operation->find("requestBody");
  return body == route.operation->end() ? nullptr : &resolved(*body)["content"]["application/json"]["schema"];
}

std::vector<std::string> ApiContract::errors(const Json& schema, const Json& value, const std::string& where) const {
  std::vector<std::string> found;
  check_value(schema, value, where, found);
  return found;
}

void ApiContract::check_value(const Json& reference, const Json& value, const std::string& where, std::vector<std::string>& found) const {
  const Json& schema = resolved(reference);
  if (!has_type(schema, value)) return found.push_back(fmt::format("{}: {} is not {}", where, value.dump(), schema["type"].dump()));
  const auto allowed = schema.find("enum");
  if (allowed != schema.end() && std::find(allowed->begin(), allowed->end(), value) == allowed->end()) found.push_back(fmt::format("{}: {} is none of {}", where, value.dump(), allowed->dump()));
  if (schema.contains("const") && schema["const"] != value) found.push_back(fmt::format("{}: {} is not {}", where, value.dump(), schema["const"].dump()));
  if (const auto one_of = schema.find("oneOf"); one_of != schema.end()) {
    const auto fitting = std::count_if(one_of->begin(), one_of->end(), [&](const Json& one) { return errors(one, value, where).empty(); });
    if (fitting != 1) found.push_back(fmt::format("{}: {} fits {} of {} alternatives", where, value.dump(), fitting, one_of->size()));
  }
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (schema.contains("pattern") && !matches(schema["pattern"].get<std::string>(), text)) found.push_back(fmt::format("{}: {} does not match {}", where, value.dump(), schema["pattern"].dump()));
    if (!is_within(schema, "minLength", "maxLength", static_cast<double>(length_of(text)))) found.push_back(fmt::format("{}: has {} characters", where, length_of(text)));
  }
  if (value.is_number() && !is_within(schema, "minimum", "maximum", value.get<double>())) found.push_back(fmt::format("{}: {} is out of range", where, value.dump()));
  if (value.is_array()) {
    if (!is_within(schema, "minItems", "maxItems", static_cast<double>(value.size()))) found.push_back(fmt::format("{}: has {} items", where, value.size()));
    if (!schema.contains("items")) return;
    for (std::size_t item = 0; item < value.size(); ++item) check_value(schema["items"], value[item], fmt::format("{}[{}]", where, item), found);
  }
  if (value.is_object()) check_object(schema, value, where, found);
}

void ApiContract::check_object(const Json& schema, const Json& value, const std::string& where, std::vector<std::string>& found) const {
  if (!is_within(schema, "minProperties", "maxProperties", static_cast<double>(value.size()))) found.push_back(fmt::format("{}: has {} keys", where, value.size()));
  for (const Json& key : schema.value("required", Json::array())) {
    if (!value.contains(key.get<std::string>())) found.push_back(fmt::format("{}: lacks {}", where, key.get<std::string>()));
  }
  const Json properties = schema.value("properties", Json::object());
  const Json others = schema.value("additionalProperties", Json(true));
  for (const auto& [key, item] : value.items()) {
    if (properties.contains(key)) check_value(properties[key], item, where + "." + key, found);
    else if (others == Json(false)) found.push_back(fmt::format("{}: does not know {}", where, key));
    else if (others.is_object()) check_value(others, item, where + "." + key, found);
  }
}

std::vector<std::string> ApiContract::check(const std::string& method, const std::string& target, const Json& body, const api::ApiReply& reply) const {
  const Route* route = find(method, target);
  if (const auto* error = std::get_if<Error>(&reply)) {
    std::vector<std::string> found = errors(document_["components"]["schemas"]["Problem"], to_client_problem(*error), "problem");
    if (error->code() == ErrorCode::internal) found.push_back("an internal error: " + error->message());
    return found;
  }
  if (route == nullptr) return {fmt::format("{} {} is answered, and is no route of the contract", method, target)};
  std::vector<std::string> found;
  if (const Json* schema = body_schema(*route)) {
    for (const std::string& text : errors(*schema, body.is_null() ? Json::object() : body, "request")) found.push_back("taken although " + text);
  }
  if (const auto json = api::document_of(reply)) {
    const Json& responses = (*route->operation)["responses"];
    const auto status = responses.find(std::to_string(json->status));
    if (status == responses.end()) {
      found.push_back(fmt::format("status {} is not declared", json->status));
    } else {
      for (std::string& text : errors(resolved(*status)["content"]["application/json"]["schema"], json->body, "reply")) found.push_back(std::move(text));
    }
  }
  return found;
}

}  // namespace mcv::sim

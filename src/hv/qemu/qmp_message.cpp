// SPDX-License-Identifier: Apache-2.0
#include "hv/qemu/qmp_message.h"

#include <array>
#include <fmt/format.h>
#include <utility>

#include "cluster/core/json_value.h"
#include "hv/vmm_words.h"

namespace mcv::hv::qemu {
namespace {

std::uint64_t id_of(const Json& json) {
  const auto id = json.find("id");
  return id != json.end() && id->is_number_unsigned() ? id->get<std::uint64_t>() : 0;
}

std::string text_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int number_at(const Json& json, const char* pointer) {
  const Json::json_pointer place(pointer);
  return json.contains(place) && json[place].is_number_integer() ? json[place].get<int>() : 0;
}

}  // namespace

Result<QmpMessage> parse_qmp(std::string_view line) {
  MCV_TRY(const Json json, parse_json(line));
  if (!json.is_object()) return Error(ErrorCode::bad_output, "QMP: not an object");
  if (json.contains("QMP"))
    return QmpMessage(QmpGreeting{number_at(json, "/QMP/version/qemu/major"), number_at(json, "/QMP/version/qemu/minor")});
  if (json.contains("event")) return QmpMessage(QmpEvent{text_of(json, "event"), value_in(json, "data", Json::object())});
  if (json.contains("return")) return QmpMessage(QmpReply{id_of(json), json["return"]});
  if (json.contains("error") && json["error"].is_object())
    return QmpMessage(QmpFailure{id_of(json), vmm_words(text_of(json["error"], "class") + ": " + text_of(json["error"], "desc"))});
  return Error(ErrorCode::bad_output, "QMP: neither greeting, event, return nor error");
}

std::string qmp_command(std::uint64_t id, const std::string& name, const Json& arguments) {
  Json json = Json::object();
  json["execute"] = name;
  json["id"] = id;
  if (!arguments.empty()) json["arguments"] = arguments;
  return canonical(json) + "\n";
}

VmmPhase phase_of_status(std::string_view status) {
  static constexpr std::array<std::pair<std::string_view, VmmPhase>, 16> phases{{
      {"prelaunch", VmmPhase::created},     {"preconfig", VmmPhase::created},     {"inmigrate", VmmPhase::created},
      {"running", VmmPhase::running},       {"debug", VmmPhase::paused},          {"paused", VmmPhase::paused},
      {"suspended", VmmPhase::running},     {"save-vm", VmmPhase::paused},        {"restore-vm", VmmPhase::paused},
      {"finish-migrate", VmmPhase::paused}, {"postmigrate", VmmPhase::paused},    {"io-error", VmmPhase::paused},
      {"watchdog", VmmPhase::paused},       {"guest-panicked", VmmPhase::failed}, {"internal-error", VmmPhase::failed},
      {"shutdown", VmmPhase::powered_off},
  }};
  for (const auto& [text, phase] : phases) {
    if (text == status) return phase;
  }
  return VmmPhase::unknown;
}

std::vector<std::string> LineBuffer::feed(std::string_view bytes) {
  std::vector<std::string> lines;
  rest_ += bytes;
  std::size_t start = 0;
  for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', start)) {
    std::string line = rest_.substr(start, end - start);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) lines.push_back(std::move(line));
    start = end + 1;
  }
  rest_.erase(0, start);
  return lines;
}

}  // namespace mcv::hv::qemu

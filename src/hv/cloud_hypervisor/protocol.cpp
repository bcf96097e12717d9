// SPDX-License-Identifier: Apache-2.0
#include "hv/cloud_hypervisor/protocol.h"

#include <charconv>
#include <fmt/format.h>
#include <utility>

#include "hv/vmm_words.h"

namespace mcv::hv::ch {

SocketPaths socket_paths(const std::string& vm_directory) {
  return {vm_directory + "/api.sock", vm_directory + "/events", vm_directory + "/console.sock"};
}

host::Argv command_line(const std::string& binary, const SocketPaths& paths) {
  // --no-shutdown: a guest's power-off leaves the process, so that an exit nobody asked for is always a failure (its exit
  // code is 0 in both cases).
  return {binary, "--api-socket", "path=" + paths.api, "--event-monitor", "path=" + paths.events, "--no-shutdown"};
}

Json vm_config(const VmLaunch& launch, const SocketPaths& paths) {
  Json config = Json::object();
  config["cpus"] = {{"boot_vcpus", launch.cpus}, {"max_vcpus", launch.cpus}};
  config["memory"] = {{"size", launch.memory.count()}};
  Json payload = Json::object();
  if (!launch.boot.firmware.empty()) payload["firmware"] = launch.boot.firmware;
  if (!launch.boot.kernel.empty()) {
    payload["kernel"] = launch.boot.kernel;
    if (!launch.boot.initramfs.empty()) payload["initramfs"] = launch.boot.initramfs;
    if (!launch.boot.cmdline.empty()) payload["cmdline"] = launch.boot.cmdline;
  }
  config["payload"] = std::move(payload);
  Json disks = Json::array();
  for (const LaunchDisk& disk : launch.disks) {
    Json entry = Json::object();
    entry["id"] = fmt::format("disk{}", disks.size());
    entry["path"] = disk.path;
    entry["serial"] = disk.serial;
    entry["direct"] = true;       // the page cache of one node must not hide what the replica has
    entry["image_type"] = "Raw";  // else the type is guessed from what the guest wrote, and sector 0 is read-only
    disks.push_back(std::move(entry));
  }
  if (!disks.empty()) config["disks"] = std::move(disks);
  Json nics = Json::array();
  for (const LaunchNic& nic : launch.nics) {
    Json entry = Json::object();
    entry["id"] = fmt::format("net{}", nics.size());
    entry["tap"] = nic.tap;
    entry["mac"] = nic.mac;
    nics.push_back(std::move(entry));
  }
  if (!nics.empty()) config["net"] = std::move(nics);
  config["rng"] = {{"src", "/dev/urandom"}};
  config["serial"] = {{"mode", "Socket"}, {"socket", paths.console}};
  config["console"] = {{"mode", "Off"}};
  config["pvpanic"] = true;
  config["platform"] = {{"system_uuid", launch.uuid}};
  return config;
}

std::vector<Event> parse_events(std::string_view text) {
  std::vector<Event> events;
  int depth = 0;
  bool in_string = false;
  bool escaped = false;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (escaped) escaped = false;
      else if (c == '\\') escaped = true;
      else if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = depth > 0;
    if (c == '{' && depth++ == 0) start = i;
    if (c != '}' || depth == 0 || --depth != 0) continue;
    const Result<Json> json = parse_json(text.substr(start, i - start + 1));
    if (!json.ok()) continue;
    Event event;
    if (json->contains("source") && (*json)["source"].is_string()) event.source = (*json)["source"].get<std::string>();
    if (json->contains("event") && (*json)["event"].is_string()) event.name = (*json)["event"].get<std::string>();
    if (event.source == "vm" || event.source == "vmm" || event.source == "guest") events.push_back(std::move(event));
  }
  return events;
}

std::string_view whole_events(std::string_view tail) {
  constexpr std::string_view between = "\n\n";
  const std::size_t at = tail.find(between);
  return at == std::string_view::npos ? std::string_view() : tail.substr(at + between.size());
}

EventFacts summarize(const std::vector<Event>& events, EventFacts before) {
  EventFacts facts = before;
  for (const Event& event : events) {
    if (event.source == "guest" && event.name == "panic") facts.panicked = true;
    if (event.source == "vmm" && event.name == "shutdown") facts.leaving = true;
    if (event.source != "vm") continue;
    if (event.name == "deleted") facts.leaving = true;
    if (event.name == "shutdown") facts.powered_off = true;
    if (event.name == "rebooted") ++facts.resets;
    if (event.name == "booted" || event.name == "rebooted" || event.name == "restored") {
      facts.booted = true;
      facts.powered_off = false;
      facts.paused = false;
      facts.panicked = false;
    }
    if (event.name == "paused") facts.paused = true;
    if (event.name == "resumed") facts.paused = false;
  }
  return facts;
}

Result<std::string> state_of_info(std::string_view body) {
  MCV_TRY(const Json json, parse_json(body));
  if (!json.is_object() || !json.contains("state") || !json["state"].is_string())
    return Error(ErrorCode::bad_output, "cloud-hypervisor: vm.info without a state");
  return json["state"].get<std::string>();
}

VmmPhase phase_of(const std::optional<std::string>& info_state, const EventFacts& events) {
  // On its way out the VMM shows a shut-down guest for a moment; that is its death, not the guest's power-off.
  if (events.leaving) return VmmPhase::unknown;
  if (info_state.has_value()) {
    if (*info_state == "Running") return VmmPhase::running;
    if (*info_state == "Paused" || *info_state == "BreakPoint") return VmmPhase::paused;
    if (*info_state == "Shutdown") return VmmPhase::powered_off;
    // "Created" is both: not booted yet, and powered off with the process kept.
    if (*info_state == "Created") return events.booted ? (events.powered_off ? VmmPhase::powered_off : VmmPhase::unknown) : VmmPhase::created;
    if (info_state->empty()) return events.booted ? VmmPhase::unknown : VmmPhase::created;
    return VmmPhase::unknown;
  }
  // Without an answer a shut-down guest may be a VMM on its way out: half a second lies between its events (measured).
  if (!events.booted || events.powered_off) return VmmPhase::unknown;
  return events.paused ? VmmPhase::paused : VmmPhase::running;
}

std::string error_text(int status, std::string_view body) {
  const Result<Json> json = parse_json(body);
  if (!json.ok() || !json->is_array()) return fmt::format("HTTP {}: {}", status, vmm_words(body));
  std::string text;
  for (const Json& part : *json) {
    if (!part.is_string()) continue;
    if (!text.empty()) text += ": ";
    text += part.get<std::string>();
  }
  return text.empty() ? fmt::format("HTTP {}", status) : vmm_words(text);
}

std::optional<int> parse_version(std::string_view output) {
  constexpr std::string_view start = "cloud-hypervisor v";
  if (!output.starts_with(start)) return std::nullopt;
  output.remove_prefix(start.size());
  int major = 0;
  const auto [end, error] = std::from_chars(output.data(), output.data() + output.size(), major);
  if (error != std::errc() || end == output.data()) return std::nullopt;
  return major;
}

}  // namespace mcv::hv::ch

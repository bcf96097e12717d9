// SPDX-License-Identifier: Apache-2.0
#include "daemon/log/event_log.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace mcv {
namespace {

EventSink& sink() {
  static EventSink set;
  return set;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

/// One event is one line, whatever a request had in it.
std::string one_line(std::string text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  std::replace_if(text.begin(), text.end(), is_control, ' ');
  return text;
}

}  // namespace

void log_event(LogEvent event) {
  if (!spdlog::should_log(to_spdlog(event.level))) return;
  event.message = one_line(std::move(event.message));
  for (LogField& field : event.fields) field.value = one_line(std::move(field.value));
  if (sink()) sink()(event);
  else spdlog::log(to_spdlog(event.level), "{}", to_text(event));
}

std::string to_text(const LogEvent& event) {
  std::string text = event.message;
  for (const LogField& field : event.fields) {
    if (!field.value.empty()) text += " " + std::string(field.name) + "=" + field.value;
  }
  return text;
}

std::vector<std::string> journal_entries(const LogEvent& event) {
  std::vector<std::string> entries = {"MESSAGE=" + event.message};
  for (const LogField& field : event.fields) {
    if (!field.value.empty()) entries.push_back("MCV_" + std::string(field.name) + "=" + field.value);
  }
  return entries;
}

void set_event_sink(EventSink given) { sink() = std::move(given); }

}  // namespace mcv

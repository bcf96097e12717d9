// SPDX-License-Identifier: Apache-2.0
// Facts with fields that a collector of logs can search: what happened to which VM, by which operation, who asked.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mcv {

enum class LogLevel { debug, info, warning, error };

struct LogField {
  std::string_view name;  ///< upper-case letters and '_': one of log_fields
  std::string value;      ///< empty: not told
};

/// One name for one thing, everywhere; docs/operations.md lists them.
namespace log_fields {
constexpr std::string_view node = "NODE";
constexpr std::string_view vm = "VM";
constexpr std::string_view state = "STATE";
constexpr std::string_view last_exit = "LAST_EXIT";
constexpr std::string_view operation = "OPERATION";
constexpr std::string_view kind = "KIND";
constexpr std::string_view object = "OBJECT";
constexpr std::string_view result = "RESULT";
constexpr std::string_view error = "ERROR";
constexpr std::string_view uid = "UID";
constexpr std::string_view user = "USER";
constexpr std::string_view pid = "PID";
constexpr std::string_view request = "REQUEST";
}  // namespace log_fields

struct LogEvent {
  LogLevel level = LogLevel::info;
  std::string message;
  std::vector<LogField> fields;
};

/// Never give it a secret. Single-threaded.
void log_event(LogEvent event);

/// The message, then " NAME=value" for each field that is told.
std::string to_text(const LogEvent& event);
/// As entries of the journal: MESSAGE=…, and "VM" becomes MCV_VM=….
std::vector<std::string> journal_entries(const LogEvent& event);

/// Where events go from now on; none: as text to the log.
using EventSink = std::function<void(const LogEvent&)>;
void set_event_sink(EventSink sink);

}  // namespace mcv

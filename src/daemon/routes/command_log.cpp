// SPDX-License-Identifier: Apache-2.0
#include "daemon/routes/command_log.h"

#include <fmt/format.h>

#include <variant>

#include "cluster/core/json_value.h"
#include "cluster/core/utf8.h"
#include "daemon/api/target.h"

namespace mcv {
namespace {

constexpr std::size_t longest_target = 200;

/// "/v1/vms/NAME/…"
std::string vm_in(const std::string& target) {
  const auto parsed = api::parse_target(target);
  const bool names_one = parsed.ok() && parsed->segments.size() > 2 && parsed->segments[1] == "vms";
  return names_one ? parsed->segments[2] : std::string();
}

/// How a request ended, whether here or on the node it was sent on to.
struct Ending {
  std::string error;      ///< its code; empty when it was done or begun
  std::string text;
  std::string operation;  ///< that was begun
  bool defect = false;
};

Ending ending_of(const api::ApiReply& reply) {
  Ending ending;
  if (const Error* error = std::get_if<Error>(&reply)) {
    ending.error = to_text(error->code());
    ending.text = error->message();
    ending.defect = error->kind() == ErrorKind::internal;
    return ending;
  }
  const auto* json = std::get_if<api::JsonReply>(&reply);
  if (json == nullptr || !json->body.is_object()) return ending;
  if (json->status >= 400) {
    ending.error = value_in(json->body, "code", "unknown");
    ending.text = value_in(json->body, "detail", value_in(json->body, "title", ""));
  } else if (const auto operation = json->body.find("operation"); operation != json->body.end() && operation->is_object()) {
    ending.operation = value_in(*operation, "id", "");
  }
  return ending;
}

}  // namespace

Asked asked_of(const api::ApiCall& call, const std::string& target) {
  Asked asked;
  asked.method = call.method;
  asked.target = target;
  asked.caller = call.caller;
  asked.forwarded = call.forwarded;
  asked.opens_stream = !call.upgrade.empty();
  return asked;
}

LogEvent command_event(const NodeName& self, const Asked& asked, const api::ApiReply& reply) {
  const Ending ending = ending_of(reply);
  const std::string request = valid_utf8(asked.method + " " + asked.target.substr(0, longest_target));
  const std::string pid = asked.forwarded ? std::string() : std::to_string(asked.caller.pid);
  const std::string named = asked.caller.name.empty() ? std::string() : fmt::format(" ({})", valid_utf8(asked.caller.name));
  const std::string who = asked.forwarded ? fmt::format("uid {}{} on the other node", asked.caller.uid, named) : fmt::format("uid {}{} pid {}", asked.caller.uid, named, pid);
  LogEvent event;
  event.level = asked.method != "GET" || asked.opens_stream ? LogLevel::info : LogLevel::debug;
  if (ending.defect) event.level = LogLevel::error;
  event.message = fmt::format("{}: {}: {}", who, request, ending.error.empty() ? "ok" : ending.error);
  if (!ending.text.empty()) event.message += ": " + ending.text;
  event.fields = {{log_fields::node, self.str()},
                  {log_fields::uid, std::to_string(asked.caller.uid)},
                  {log_fields::user, valid_utf8(asked.caller.name)},
                  {log_fields::pid, pid},
                  {log_fields::request, request},
                  {log_fields::vm, vm_in(asked.target)},
                  {log_fields::operation, ending.operation},
                  {log_fields::result, ending.error.empty() ? "ok" : "refused"},
                  {log_fields::error, ending.error}};
  return event;
}

}  // namespace mcv

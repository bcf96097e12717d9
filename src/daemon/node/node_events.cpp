// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/node_events.h"

#include <fmt/format.h>

namespace mcv {
namespace {

/// The VM an operation is about; most are about one.
std::string vm_name_of(const std::string& object) { return object.starts_with("vm/") ? object.substr(3) : std::string(); }

std::string what_happens(OperationNews news, const OperationView& view) {
  switch (news) {
    case OperationNews::begun: return "begins";
    case OperationNews::resumed: return "goes on after a restart of mcvd";
    case OperationNews::retried: return "is tried again";
    case OperationNews::ended: return view.outcome ? std::string(to_text(*view.outcome)) : "ended";
  }
  return "";
}

std::string contact_text(const Link& link, const Position& position) {
  switch (link.state) {
    case LinkState::together: return fmt::format("{} and this node hold one configuration, at entry {}", link.peer, position.index);
    case LinkState::syncing: return fmt::format("{} is in contact: the configurations are compared", link.peer);
    case LinkState::alone: return fmt::format("this node decides alone, from entry {}", position.index);
    default: return fmt::format("the configuration is {}{}{}", to_text(link.state), link.reason.empty() ? "" : ": ", link.reason);
  }
}

}  // namespace

LogEvent link_event(const NodeName& self, const Link& link, const Position& position) {
  LogEvent event;
  if (link.state == LinkState::diverged || link.state == LinkState::failed) event.level = LogLevel::warning;
  event.message = contact_text(link, position);
  event.fields = {{log_fields::node, self.str()}, {log_fields::kind, "configuration"}, {log_fields::state, std::string(to_text(link.state))}};
  return event;
}

LogEvent guest_event(const NodeName& self, const VmName& vm, const VmFacts& facts) {
  const bool ended = facts.last_exit != ExitReason::none && facts.state == RunState::stopped;
  LogEvent event;
  event.message = fmt::format("{} is {}", vm.str(), to_text(facts.state));
  if (ended) event.message += fmt::format(": {}", to_text(facts.last_exit));
  event.fields = {{log_fields::node, self.str()},
                  {log_fields::vm, vm.str()},
                  {log_fields::state, std::string(to_text(facts.state))},
                  {log_fields::last_exit, ended ? std::string(to_text(facts.last_exit)) : std::string()}};
  return event;
}

LogEvent operation_event(const NodeName& self, OperationNews news, const OperationView& view) {
  const bool ended = news == OperationNews::ended && view.outcome;
  LogEvent event;
  if (ended && *view.outcome == OperationOutcome::failed) event.level = LogLevel::warning;
  event.message = fmt::format("operation {} {}: {}", view.id.str(), what_happens(news, view), view.summary);
  if (ended && view.error) event.message += fmt::format(": {}", view.error->message());
  event.fields = {{log_fields::node, self.str()},
                  {log_fields::operation, view.id.str()},
                  {log_fields::kind, view.kind},
                  {log_fields::object, view.object},
                  {log_fields::vm, vm_name_of(view.object)},
                  {log_fields::result, ended ? std::string(to_text(*view.outcome)) : std::string()},
                  {log_fields::error, ended && view.error ? std::string(to_text(view.error->code())) : std::string()}};
  return event;
}

}  // namespace mcv

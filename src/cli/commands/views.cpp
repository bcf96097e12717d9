// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/views.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands/ages.h"
#include "cli/session.h"
#include "cli/suggest.h"
#include "cluster/core/json_value.h"
#include "cluster/core/wall_time.h"

namespace mcv::cli::commands {
namespace {

std::int64_t wall_seconds() { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

void print_volumes(Session& session, const Json& vm) {
  Table table({"DISK", "SIZE", "KIND", "POOL", "DEVICE", "REDUNDANT", "VERIFIED"});
  for (const Json& volume : list_at(vm, "volumes")) {
    const bool replicated = text_at(volume, "kind") == "drbd";
    const std::string redundant = !replicated ? "-" : !volume.contains("redundant") ? "unknown" : flag_at(volume, "redundant") ? "yes" : "no";
    table.add({text_at(volume, "name"), size_text(number_at(volume, "size")), text_at(volume, "kind"), or_dash(text_at(volume, "pool")), or_dash(text_at(volume, "device")),
               Cell(redundant, tone_of(redundant)), replicated ? verified_cell(volume) : Cell("-")});
  }
  if (!table.empty()) session.out() << '\n' << table.to_text(session.terminal().width, session.terminal().colour);
}

void print_nics(Session& session, const Json& vm) {
  Table table({"NETWORK", "MAC"});
  for (const Json& nic : list_at(vm, "nics")) table.add({text_at(nic, "network"), text_at(nic, "mac")});
  if (!table.empty()) session.out() << '\n' << table.to_text(session.terminal().width, session.terminal().colour);
}

void add_boot(Facts& facts, const Json& boot) {
  for (const char* key : {"kernel", "initramfs", "cmdline", "firmware"}) {
    const std::string value = text_at(boot, key);
    std::string label(key);
    label.front() = static_cast<char>(label.front() - 'a' + 'A');
    if (!value.empty()) facts.add(label, value);
  }
}

}  // namespace

void Facts::add(std::string label, std::string value, Tone tone) { facts_.push_back({std::move(label), std::move(value), tone}); }

std::string Facts::to_text(std::size_t width, bool colour) const {
  std::size_t indent = 0;
  for (const Fact& fact : facts_) indent = std::max(indent, fact.label.size() + 2);
  std::string text;
  for (const Fact& fact : facts_) {
    std::string lead = paint(Tone::strong, fact.label, colour) + std::string(indent - fact.label.size(), ' ');
    for (const std::string& line : wrapped(fact.value, width > indent + 10 ? width - indent : 100'000)) {
      text += lead + paint(fact.tone, line, colour) + "\n";
      lead = std::string(indent, ' ');
    }
  }
  return text;
}

std::string left_text(const Json& node) {
  if (!node.contains("left_since") || !node["left_since"].is_number_integer()) return {};
  const auto then = node["left_since"].get<std::int64_t>();
  const std::string age = age_text(then, wall_seconds());
  return fmt::format("left in order, since {}{}", local_time_text(then), age == "unknown" ? "" : fmt::format(" ({} ago)", age));
}

std::string status_text(const Json& node) {
  const std::string status = text_at(node, "status");
  return status == "left" ? left_text(node) : status;
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

std::string joined(const Json& list) {
  std::vector<std::string> texts;
  for (const Json& item : list) {
    if (item.is_string()) texts.push_back(printable(item.get<std::string>()));
  }
  return or_dash(fmt::format("{}", fmt::join(texts, ", ")));
}

Cell verdict_cell(const Json& verdict) {
  const std::string kind = text_at(verdict, "kind");
  if (kind.empty() || kind == "never") return {"never"};
  const std::string age = age_text(static_cast<std::int64_t>(number_at(verdict, "wall_seconds")), wall_seconds());
  return {fmt::format("{}, {}{}", kind, age, age == "unknown" ? " time" : " ago"), tone_of(kind)};
}

std::string hold_words(const Json& volume) {
  std::vector<std::string> words;
  for (const Json& hold : list_at(volume, "holds")) {
    const std::string reason = text_at(hold, "reason");
    if (reason == "fencing") words.emplace_back("the other node is not there");
    else if (reason == "no-data") words.emplace_back("no disk to be reached");
    else if (reason == "user") words.emplace_back("suspended by hand");
    else words.emplace_back("reason unknown");
  }
  return words.empty() ? "reason unknown" : fmt::format("{}", fmt::join(words, ", "));
}

void print_warnings(Session& session, const Json& warnings) {
  for (const Json& warning : warnings) {
    // A VM's warnings are plain texts, the cluster's have a code and a command.
    const std::string text = warning.is_string() ? printable(warning.get<std::string>()) : text_at(warning, "text");
    const std::string next = text_at(warning, "next");
    Facts facts;
    facts.add("warning:", text, Tone::warning);
    if (!next.empty()) facts.add("next:", next);
    session.out() << '\n' << facts.to_text(session.terminal().width, session.terminal().colour);
  }
}

namespace {

std::string attribute_text(const std::string& name, const Json& value) {
  if (name == "memory" && value.is_number_unsigned()) return size_text(value.get<std::uint64_t>());
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  return text.empty() ? "none" : printable(text);
}

/// What the guest has once it was stopped and started.
void add_pending(Facts& facts, const Json& vm) {
  const std::string state = text_at(vm, "state");
  if (vm.contains("pending") && vm["pending"].is_null() && state == "running") facts.add("Pending", "unknown: an older mcvd started this guest", Tone::warning);
  for (const Json& change : list_at(vm, "pending")) {
    const std::string name = text_at(change, "name");
    const Json running = value_in(change, "running", Json());
    const Json configured = value_in(change, "configured", Json());
    facts.add("Pending", fmt::format("{}: runs with {}, configured {}; applies after hvctl vm stop {} and hvctl vm start {}", name, attribute_text(name, running), attribute_text(name, configured),
                                     text_at(vm, "name"), text_at(vm, "name")), Tone::warning);
  }
}

void print_vm(Session& session, const Json& vm) {
  const std::string state = text_at(vm, "state");
  Facts facts;
  facts.add("Name", text_at(vm, "name"), Tone::strong);
  facts.add("State", state, tone_of(state));
  facts.add("Node", or_dash(text_at(vm, "owner")));
  facts.add("CPUs", std::to_string(number_at(vm, "cpus")));
  facts.add("Memory", size_text(number_at(vm, "memory")));
  const std::string running_in = text_at(vm, "hypervisor");
  const std::string wanted = text_at(vm, "configured_hypervisor");
  facts.add("Hypervisor", running_in.empty() || running_in == wanted ? or_dash(wanted) : fmt::format("{} (set: {})", running_in, or_dash(wanted)));
  add_boot(facts, object_at(vm, "boot"));
  facts.add("Autostart", flag_at(vm, "autostart") ? "yes" : "no");
  facts.add("Protected", flag_at(vm, "delete_protection") ? "yes, from deletion" : "no");
  const Json& lock = object_at(vm, "lock");
  if (!lock.empty()) facts.add("Locked", fmt::format("by {}{}: {}", or_dash(text_at(lock, "by")), since_text(lock), text_at(lock, "reason")), Tone::warning);
  add_pending(facts, vm);
  const std::string last_exit = text_at(vm, "last_exit");
  if (!last_exit.empty() && last_exit != "none") facts.add("Last exit", last_exit, tone_of(last_exit));
  facts.add("UUID", text_at(vm, "uuid"));
  session.out() << facts.to_text(session.terminal().width, session.terminal().colour);
  print_volumes(session, vm);
  print_nics(session, vm);
  print_warnings(session, list_at(vm, "warnings"));
}

}  // namespace

Result<int> show_vms(Session& session, const std::vector<std::string>& names) {
  const auto code_of = [](const Json& vm) { return text_at(vm, "state") == "unknown" ? exit_partial : 0; };
  return session.each_shown(names, Completes::vm, "/v1/vms/{name}", [&session](const Json& vm) { print_vm(session, vm); }, code_of);
}

std::string since_text(const Json& lock) {
  if (!lock.contains("since") || !lock["since"].is_number_integer()) return {};
  const auto then = lock["since"].get<std::int64_t>();
  const std::string age = age_text(then, wall_seconds());
  return fmt::format(" since {}{}", local_time_text(then), age == "unknown" ? "" : fmt::format(" ({} ago)", age));
}

Status check_one_of(std::string_view option, const std::string& value, const std::vector<std::string>& allowed, std::string_view next) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return success();
  const std::string found = nearest(value, allowed);
  return Error(ErrorCode::bad_request, fmt::format("'{}' is not a value of {}{}", value, option, found.empty() ? "" : "; did you mean " + found + "?"))
      .with_safe("nothing was asked of mcvd")
      .with_next(next.empty() ? fmt::format("{} takes one of: {}", option, fmt::join(allowed, ", ")) : std::string(next));
}

std::string absolute_path(const std::string& path) { return path.empty() ? path : std::filesystem::absolute(path).lexically_normal().string(); }

}  // namespace mcv::cli::commands

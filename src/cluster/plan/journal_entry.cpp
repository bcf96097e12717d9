// SPDX-License-Identifier: Apache-2.0
// The journal's format. Keys are part of it: add, never rename.
#include <array>
#include <fmt/format.h>

#include "cluster/plan/operation_state.h"
#include "cluster/core/problem.h"

namespace mcv {
namespace {

constexpr std::array all_kinds = {EntryKind::accepted, EntryKind::resumed, EntryKind::started,          EntryKind::done,
                                  EntryKind::failed,   EntryKind::unclear, EntryKind::settled,          EntryKind::undone,
                                  EntryKind::stuck,    EntryKind::cancel_requested, EntryKind::retry_requested, EntryKind::superseded};

Result<EntryKind> kind_of_entry(std::string_view text) {
  for (const EntryKind kind : all_kinds) {
    if (to_text(kind) == text) return kind;
  }
  return Error(ErrorCode::format_unknown, fmt::format("the journal has an entry '{}' of a newer build", text));
}

}  // namespace

std::string_view to_text(EntryKind kind) {
  switch (kind) {
    case EntryKind::accepted: return "accepted";
    case EntryKind::resumed: return "resumed";
    case EntryKind::started: return "started";
    case EntryKind::done: return "done";
    case EntryKind::failed: return "failed";
    case EntryKind::unclear: return "unclear";
    case EntryKind::settled: return "settled";
    case EntryKind::undone: return "undone";
    case EntryKind::stuck: return "stuck";
    case EntryKind::cancel_requested: return "cancel-requested";
    case EntryKind::retry_requested: return "retry-requested";
    case EntryKind::superseded: return "superseded";
  }
  return "";
}

JournalEntry JournalEntry::of(EntryKind kind, std::size_t step) {
  JournalEntry entry;
  entry.kind = kind;
  entry.step = step;
  return entry;
}

JournalEntry JournalEntry::accepted(Plan plan, std::int64_t wall_seconds) {
  JournalEntry entry = of(EntryKind::accepted);
  entry.plan = std::move(plan);
  entry.wall_seconds = wall_seconds;
  return entry;
}

JournalEntry JournalEntry::done(std::size_t step, Json result) {
  JournalEntry entry = of(EntryKind::done, step);
  entry.result = std::move(result);
  return entry;
}

JournalEntry JournalEntry::with_error(EntryKind kind, std::size_t step, Error error) {
  JournalEntry entry = of(kind, step);
  entry.error = std::move(error);
  return entry;
}

JournalEntry JournalEntry::failed(std::size_t step, Error error, bool begun) {
  JournalEntry entry = with_error(EntryKind::failed, step, std::move(error));
  entry.begun = begun;
  return entry;
}

JournalEntry JournalEntry::settled(std::size_t step, Landed landed) {
  JournalEntry entry = of(EntryKind::settled, step);
  entry.landed = landed;
  return entry;
}

Json JournalEntry::to_json() const {
  Json json = {{"entry", to_text(kind)}, {"step", step}};
  if (plan) {
    json["plan"] = plan->to_json();
    json["wall_seconds"] = wall_seconds;
  }
  if (!result.is_null()) json["result"] = result;
  if (error) json["error"] = to_problem(*error);
  if (!begun) json["begun"] = false;
  if (kind == EntryKind::settled) json["landed"] = to_text(landed);
  if (!by.empty()) json["by"] = by;
  return json;
}

Result<JournalEntry> JournalEntry::from_json(const Json& json) {
  Fields fields(json, "journal");
  const auto kind_text = fields.required<std::string>("entry");
  const auto step = fields.required<std::uint64_t>("step");
  const Json* plan = fields.object("plan", false);
  const Json* error = fields.object("error", false);
  const auto landed = fields.optional<std::string>("landed");
  JournalEntry entry = of(EntryKind::accepted, static_cast<std::size_t>(step));
  entry.wall_seconds = fields.optional_or<std::int64_t>("wall_seconds", 0);
  entry.begun = fields.optional_or("begun", true);
  entry.by = fields.optional_or<std::string>("by", "");
  MCV_CHECK(fields.finish_lenient());
  MCV_TRY(entry.kind, kind_of_entry(kind_text));
  if (plan != nullptr) {
    MCV_TRY(entry.plan, Plan::from_json(*plan));
  }
  if (error != nullptr) entry.error = error_from_problem(*error);
  if (landed) {
    MCV_TRY(entry.landed, landed_from_text(*landed));
  }
  if (json.contains("result")) entry.result = json.at("result");
  return entry;
}

}  // namespace mcv

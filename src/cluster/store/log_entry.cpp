// SPDX-License-Identifier: Apache-2.0
#include "cluster/store/log_entry.h"

#include <fmt/format.h>

#include "cluster/core/sha256.h"

namespace mcv {
namespace {

std::string_view to_text(LogEntryKind kind) { return kind == LogEntryKind::change ? "change" : "generation"; }

std::string hash_of(const LogEntry& entry) {
  return sha256_hex(fmt::format("mcv-entry-{}\n{}\n{}\n{}\n{}\n{}\n{}", entry.format, entry.previous, entry.generation.counter, entry.generation.uuid,
                                entry.index, to_text(entry.kind), entry.bytes));
}

}  // namespace

std::optional<Json> audit_of(const LogEntry& entry) {
  // Most of a long log need not be read for it.
  if (entry.kind != LogEntryKind::change || entry.bytes.find("\"audit\"") == std::string::npos) return std::nullopt;
  const auto change = Change::decode(entry.bytes);
  if (!change.ok() || !change->audit || !change->audit->is_object()) return std::nullopt;
  Json row = *change->audit;
  row["id"] = change->id;
  row["text"] = change->summary;
  row["result"] = "done";
  return row;
}

LogEntry make_entry(std::uint64_t index, const GenerationRef& generation, LogEntryKind kind, std::string change_id, std::string bytes,
                    const std::string& previous, std::uint64_t format) {
  LogEntry entry{index, generation, kind, std::move(change_id), std::move(bytes), previous, {}, format};
  entry.hash = hash_of(entry);
  return entry;
}

Json LogEntry::to_json() const {
  Json json = {{"format", format},      {"index", index},      {"counter", generation.counter}, {"uuid", generation.uuid},
               {"kind", to_text(kind)}, {"change", change_id}, {"bytes", bytes},                {"previous", previous},
               {"hash", hash}};
  if (format >= trial_format) json["size"] = bytes.size();
  return json;
}

Result<LogEntry> LogEntry::from_json(const Json& json, std::uint64_t known) {
  Fields fields(json, "log entry");
  LogEntry entry;
  entry.format = fields.required<std::uint64_t>("format");
  entry.index = fields.required<std::uint64_t>("index");
  entry.generation.counter = fields.required<std::uint64_t>("counter");
  entry.generation.uuid = fields.required<std::string>("uuid");
  const auto kind = fields.required<std::string>("kind");
  entry.change_id = fields.required<std::string>("change");
  entry.bytes = fields.required<std::string>("bytes");
  entry.previous = fields.required<std::string>("previous");
  entry.hash = fields.required<std::string>("hash");
  if (entry.format > known) {
    return Error(ErrorCode::format_unknown, fmt::format("log entry {} has format {}, this build knows {}", entry.index, entry.format, known));
  }
  const std::uint64_t size = entry.format >= trial_format ? fields.required<std::uint64_t>("size") : entry.bytes.size();
  MCV_CHECK(fields.finish_lenient());
  if (kind == "generation") {
    entry.kind = LogEntryKind::generation;
  } else if (kind != "change") {
    return Error(ErrorCode::format_unknown, fmt::format("log entry {} is of the unknown kind '{}'", entry.index, kind));
  }
  if (entry.hash != hash_of(entry) || size != entry.bytes.size()) {
    return Error(ErrorCode::store_corrupt, fmt::format("log entry {} does not match its hash", entry.index));
  }
  return entry;
}

Json LogImage::to_json(std::size_t entries) const {
  Json history = Json::array();
  for (const GenerationRecord& record : generations) history.push_back(record.to_json());
  Json tail = Json::array();
  const std::uint64_t above = committed_index > entries ? committed_index - entries : 0;
  for (auto entry = log.upper_bound(above); entry != log.end() && entry->first <= committed_index; ++entry) {
    tail.push_back(entry->second.to_json());
  }
  return {{"format", format_of(state)}, {"generations", history}, {"index", committed_index},
          {"hash", committed_hash}, {"state", state.to_json()}, {"log", tail}};
}

Result<LogImage> LogImage::from_json(const Json& json, std::uint64_t known) {
  Fields fields(json, "snapshot");
  LogImage image;
  const auto format = fields.required<std::uint64_t>("format");
  if (!fields.failed() && format > known) {
    return Error(ErrorCode::format_unknown, fmt::format("the snapshot has format {}, this build knows {}", format, known));
  }
  image.committed_index = fields.required<std::uint64_t>("index");
  image.committed_hash = fields.required<std::string>("hash");
  const Json* history = fields.array("generations");
  const Json* state = fields.object("state");
  const Json* tail = fields.array("log");
  MCV_CHECK(fields.finish_lenient());
  for (const Json& item : *history) {
    MCV_TRY(GenerationRecord record, GenerationRecord::from_json(item));
    image.generations.push_back(std::move(record));
  }
  MCV_TRY(image.state, ClusterState::from_json(*state));
  for (const Json& item : *tail) {
    MCV_TRY(LogEntry entry, LogEntry::from_json(item, known));
    image.log[entry.index] = std::move(entry);
  }
  if (image.generations.empty()) return Error(ErrorCode::bad_request, "the snapshot is of a node that was never initialised");
  MCV_CHECK(image.verify());
  MCV_CHECK(image.check_format(known));
  return image;
}

Status LogImage::check_format(std::uint64_t known) const {
  const auto unknown = [known](std::uint64_t format) {
    return Error(ErrorCode::format_unknown, fmt::format("the configuration has format {}, this build knows {}", format, known));
  };
  if (format_of(state) > known) return unknown(format_of(state));
  for (auto entry = log.upper_bound(committed_index); entry != log.end(); ++entry) {
    if (entry->second.kind == LogEntryKind::generation) continue;
    MCV_TRY(const Change change, Change::decode(entry->second.bytes));
    // Tentative here, and perhaps committed on the other side.
    if (const auto raised = format_set_by(change); raised && *raised > known) return unknown(*raised);
  }
  return success();
}

Status LogImage::verify() const {
  const LogEntry* before = nullptr;
  for (const auto& [index, entry] : log) {
    if (before != nullptr && (before->index + 1 != index || before->hash != entry.previous)) {
      return Error(ErrorCode::store_corrupt, fmt::format("log entry {} does not continue entry {}", index, before->index));
    }
    if (index == committed_index && entry.hash != committed_hash) {
      return Error(ErrorCode::store_corrupt, fmt::format("log entry {} is not the one that was committed", index));
    }
    before = &entry;
  }
  if (!log.empty()) {
    const auto& [first, entry] = *log.begin();
    if (first > committed_index + 1 || (first == committed_index + 1 && entry.previous != committed_hash) || before->index < committed_index) {
      return Error(ErrorCode::store_corrupt, fmt::format("the log does not reach the committed entry {}", committed_index));
    }
  }
  return success();
}

}  // namespace mcv

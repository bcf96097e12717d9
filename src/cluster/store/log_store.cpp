// SPDX-License-Identifier: Apache-2.0
#include "cluster/store/log_store.h"

#include <fmt/format.h>

namespace mcv {
namespace {

const std::string log_table = "log";
const std::string state_table = "state";
const std::string meta_table = "meta";
const std::string audit_table = "audit";
const std::string facts_key = "facts";
const std::string generations_key = "generations";
const std::string diverged_key = "diverged";
constexpr std::size_t page = 500;

using Rows = std::vector<std::pair<std::string, std::string>>;

/// Twenty digits: bytewise order is the order of the numbers.
std::string log_key(std::uint64_t index) { return fmt::format("{:020}", index); }
/// In the order of the history, and two histories of one number beside each other.
std::string audit_key(const LogEntry& entry) { return fmt::format("{}/{}", log_key(entry.index), entry.change_id); }
std::string state_key(Kind kind, const std::string& key) { return fmt::format("{}/{}", to_text(kind), key); }

boost::asio::awaitable<Result<Rows>> read_table(host::Store& store, std::string table) {
  Rows rows;
  std::string first;
  for (;;) {
    MCV_CO_TRY(Rows some, co_await store.scan(table, first, page));
    const bool last = some.size() < page;
    for (auto& row : some) rows.push_back(std::move(row));
    if (last) co_return rows;
    first = rows.back().first + '\0';
  }
}

Error corrupt(const std::string& what) {
  return Error(ErrorCode::store_corrupt, fmt::format("the configuration store cannot be read: {}", what))
      .with_safe("guests go on; nothing is changed on this disk")
      .with_next("journalctl -u mcvd, then restore /var/lib/mcv or let this node join again");
}

Error newer(const Error& error) {
  return Error(ErrorCode::format_unknown, fmt::format("the configuration store was written by a newer build: {}", error.message()))
      .with_safe("guests go on; nothing is changed on this disk")
      .with_next("install the newer package again");
}

Result<LogImage> decode(const Rows& meta, const Rows& log, const Rows& state, std::uint64_t known_format) {
  LogImage image;
  for (const auto& [key, text] : meta) {
    if (key != facts_key && key != generations_key && key != diverged_key) continue;  // of a newer build
    MCV_TRY(const Json json, parse_json(text));
    if (key == facts_key) {
      Fields fields(json, "facts");
      const auto format = fields.required<std::uint64_t>("format");
      if (!fields.failed() && format > known_format) {
        return Error(ErrorCode::format_unknown, fmt::format("it has format {}, this build knows {}", format, known_format));
      }
      image.committed_index = fields.required<std::uint64_t>("index");
      image.committed_hash = fields.required<std::string>("hash");
      image.alone = fields.required<bool>("alone");
      MCV_CHECK(fields.finish_lenient());
    } else if (key == generations_key) {
      for (const Json& item : json) {
        MCV_TRY(GenerationRecord record, GenerationRecord::from_json(item));
        image.generations.push_back(std::move(record));
      }
    } else {
      image.diverged = json;
    }
  }
  for (const auto& [key, text] : log) {
    MCV_TRY(const Json json, parse_json(text));
    MCV_TRY(LogEntry entry, LogEntry::from_json(json, known_format));
    if (log_key(entry.index) != key) return corrupt(fmt::format("log entry {} is filed under {}", entry.index, key));
    image.log[entry.index] = std::move(entry);
  }
  Json objects = Json::object();
  for (const auto& [key, text] : state) {
    const std::size_t slash = key.find('/');
    if (slash == std::string::npos) return corrupt(fmt::format("'{}' is not a key of the state", key));
    MCV_TRY(Json json, parse_json(text));
    objects[key.substr(0, slash)][key.substr(slash + 1)] = std::move(json);
  }
  MCV_TRY(image.state, ClusterState::from_json(objects));
  MCV_CHECK(image.verify());
  MCV_CHECK(image.check_format(known_format));
  return image;
}

}  // namespace

host::StoreBatch to_batch(const Persist& step) {
  host::StoreBatch batch;
  batch.may_use_reserve = step.essential;
  if (step.replace_all) {
    batch.delete_ranges.push_back({log_table, "", "~"});
    batch.delete_ranges.push_back({state_table, "", "~"});
  }
  if (step.drop_above) batch.delete_ranges.push_back({log_table, log_key(*step.drop_above + 1), "~"});
  if (step.compact_below && *step.compact_below > 0) batch.delete_ranges.push_back({log_table, "", log_key(*step.compact_below - 1)});
  if (step.compact_below && *step.compact_below > audit_entries_kept) batch.delete_ranges.push_back({audit_table, "", log_key(*step.compact_below - audit_entries_kept)});
  for (const LogEntry& entry : step.audited) {
    if (const auto row = audit_of(entry)) batch.put(audit_table, audit_key(entry), canonical(*row));
  }
  for (const LogEntry& entry : step.append) batch.put(log_table, log_key(entry.index), canonical(entry.to_json()));
  for (const Persist::Row& row : step.rows) {
    if (row.entry) {
      const Json value = {{"revision", row.entry->revision}, {"value", row.entry->value}};
      batch.put(state_table, state_key(row.kind, row.key), canonical(value));
    } else {
      batch.erase(state_table, state_key(row.kind, row.key));
    }
  }
  const Json facts = {{"format", step.format}, {"index", step.committed_index}, {"hash", step.committed_hash}, {"alone", step.alone}};
  batch.put(meta_table, facts_key, canonical(facts));
  if (step.generations) {
    Json history = Json::array();
    for (const GenerationRecord& record : *step.generations) history.push_back(record.to_json());
    batch.put(meta_table, generations_key, canonical(history));
  }
  if (step.diverged) {
    if (step.diverged->is_null()) batch.erase(meta_table, diverged_key); else batch.put(meta_table, diverged_key, canonical(*step.diverged));
  }
  return batch;
}

boost::asio::awaitable<Result<std::vector<Json>>> load_audit(host::Store& store) {
  MCV_CO_TRY(const Rows rows, co_await read_table(store, audit_table));
  std::vector<Json> list;
  for (const auto& [key, text] : rows) {
    if (auto json = parse_json(text); json.ok()) list.push_back(std::move(*json));
  }
  co_return list;
}

std::vector<Json> audit_in(const LogImage& image) {
  std::vector<Json> list;
  for (const auto& [index, entry] : image.log) {
    if (index > image.committed_index) break;
    if (auto row = audit_of(entry)) list.push_back(std::move(*row));
  }
  return list;
}

boost::asio::awaitable<Result<LogImage>> load_image(host::Store& store, std::uint64_t known_format) {
  MCV_CO_TRY(const Rows meta, co_await read_table(store, meta_table));
  MCV_CO_TRY(const Rows log, co_await read_table(store, log_table));
  MCV_CO_TRY(const Rows state, co_await read_table(store, state_table));
  auto image = decode(meta, log, state, known_format);
  if (!image.ok() && image.error().code() == ErrorCode::format_unknown) co_return newer(image.error());
  if (image.ok() || image.error().code() != ErrorCode::bad_request) co_return image;
  co_return corrupt(image.error().message());
}

}  // namespace mcv

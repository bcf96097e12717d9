// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/journal.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace mcv {
namespace {

constexpr const char* table = "operations";
constexpr const char* next_key = "next";  // sorts after every number
constexpr std::size_t page = 500;

std::string key_of(OperationNumber operation, std::size_t position) { return fmt::format("{:012}/{:06}", operation, position); }

Result<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem == std::errc() && end == text.data() + text.size()) return number;
  return Error(ErrorCode::store_corrupt, fmt::format("the table of operations has a key '{}'", text));
}

Status take_line(Journal::Loaded& loaded, const std::string& key, const std::string& value) {
  if (key == next_key) {
    MCV_TRY(loaded.next, number_of(value));
    return success();
  }
  const auto number = number_of(std::string_view(key).substr(0, key.find('/')));
  if (!number.ok()) return number.error();
  const auto json = parse_json(value);
  if (!json.ok()) return json.error();
  const auto entry = JournalEntry::from_json(*json);
  if (!entry.ok()) return Error(entry.error()).with_context("operation " + key);
  OperationState& state = loaded.operations[*number];
  if (key != key_of(*number, state.entries())) return Error(ErrorCode::store_corrupt, fmt::format("the journal entry {} does not follow entry {}", key, state.entries()));
  return state.apply(*entry);
}

}  // namespace

boost::asio::awaitable<Result<Journal::Loaded>> Journal::load() {
  Loaded loaded;
  std::string first;
  for (;;) {
    MCV_CO_TRY(const auto rows, co_await store_.scan(table, first, page));
    for (const auto& [key, value] : rows) {
      MCV_CO_CHECK(take_line(loaded, key, value));
    }
    if (rows.size() < page) break;
    first = rows.back().first + '\0';
  }
  co_return loaded;
}

boost::asio::awaitable<Status> Journal::write(std::vector<Line> lines) {
  host::StoreBatch batch;
  for (const Line& line : lines) {
    batch.put(table, key_of(line.operation, line.position), canonical(line.entry.to_json()));
    if (line.position == 0) batch.put(table, next_key, std::to_string(line.operation + 1));
  }
  co_return co_await store_.commit(std::move(batch));
}

boost::asio::awaitable<Status> Journal::forget(OperationNumber operation) {
  host::StoreBatch batch;
  host::StoreBatch::DeleteRange range;
  range.table = table;
  range.first = fmt::format("{:012}/", operation);
  range.last = fmt::format("{:012}/~", operation);
  batch.delete_ranges.push_back(std::move(range));
  co_return co_await store_.commit(std::move(batch));
}

}  // namespace mcv

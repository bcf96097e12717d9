// SPDX-License-Identifier: Apache-2.0
#include "cluster/store/record_table.h"

#include <utility>

namespace mcv {

void RecordTable::put(NodeOwnedRecord record) {
  const auto [row, is_new] = records_.try_emplace(key_of(record));
  if (!is_new) leave_kind(*row);
  row->second = std::move(record);
  kinds_[row->second.kind].insert(&*row);
}

void RecordTable::erase(const Key& key) {
  const auto row = records_.find(key);
  if (row == records_.end()) return;
  leave_kind(*row);
  records_.erase(row);
}

void RecordTable::clear() {
  kinds_.clear();
  records_.clear();
}

std::vector<NodeOwnedRecord> RecordTable::of_kind(const std::string& kind) const {
  std::vector<NodeOwnedRecord> list;
  const auto rows = kinds_.find(kind);
  if (rows == kinds_.end()) return list;
  list.reserve(rows->second.size());
  for (const Row* row : rows->second) list.push_back(row->second);
  return list;
}

void RecordTable::leave_kind(const Row& row) {
  const auto rows = kinds_.find(row.second.kind);
  rows->second.erase(&row);
  if (rows->second.empty()) kinds_.erase(rows);
}

}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
// Node-owned records in memory, by writer and by kind: some kinds are asked for at every request, others (the audit) are many.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "cluster/store/node_records.h"

namespace mcv {

class RecordTable {
 public:
  using Key = std::tuple<std::string, std::string, std::uint64_t>;  ///< node, stream, number

  RecordTable() = default;
  RecordTable(const RecordTable&) = delete;
  RecordTable& operator=(const RecordTable&) = delete;

  static Key key_of(const NodeOwnedRecord& record) { return {record.node, record.stream, record.number}; }
  /// In the place of one with the same key.
  void put(NodeOwnedRecord record);
  void erase(const Key& key);
  void clear();

  const std::map<Key, NodeOwnedRecord>& all() const { return records_; }
  /// By key. Takes as long as there are records of this kind.
  std::vector<NodeOwnedRecord> of_kind(const std::string& kind) const;

 private:
  using Row = std::map<Key, NodeOwnedRecord>::value_type;
  struct ByKey {
    bool operator()(const Row* a, const Row* b) const { return a->first < b->first; }
  };
  void leave_kind(const Row& row);

  std::map<Key, NodeOwnedRecord> records_;
  std::map<std::string, std::set<const Row*, ByKey>> kinds_;  ///< rows of records_, which stay where they are
};

}  // namespace mcv

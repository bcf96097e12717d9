// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cluster/store/record_table.h"

namespace mcv::record_table_test {
namespace {

NodeOwnedRecord record_of(std::string node, std::uint64_t number, std::string kind) { return {std::move(node), "stream-1", number, std::move(kind), Json(number)}; }

std::vector<std::string> told(const std::vector<NodeOwnedRecord>& records) {
  std::vector<std::string> list;
  for (const NodeOwnedRecord& record : records) list.push_back(record.node + " " + std::to_string(record.number));
  return list;
}

TEST(RecordTable, GivesAKindInTheOrderOfItsKeys) {
  RecordTable table;
  table.put(record_of("B", 2, "audit"));
  table.put(record_of("A", 10, "audit"));
  table.put(record_of("A", 9, "suspect"));
  table.put(record_of("A", 2, "audit"));
  EXPECT_EQ(told(table.of_kind("audit")), (std::vector<std::string>{"A 2", "A 10", "B 2"}));
  EXPECT_EQ(told(table.of_kind("suspect")), (std::vector<std::string>{"A 9"}));
  EXPECT_TRUE(table.of_kind("other").empty());
  EXPECT_EQ(table.all().size(), 4u);
}

TEST(RecordTable, ARecordInThePlaceOfAnotherLeavesNothingOfIt) {
  RecordTable table;
  table.put(record_of("A", 1, "audit"));
  table.put(record_of("A", 1, "suspect"));
  EXPECT_TRUE(table.of_kind("audit").empty());
  EXPECT_EQ(told(table.of_kind("suspect")), (std::vector<std::string>{"A 1"}));
  EXPECT_EQ(table.all().size(), 1u);
}

TEST(RecordTable, WhatIsErasedIsInNoList) {
  RecordTable table;
  table.put(record_of("A", 1, "audit"));
  table.put(record_of("A", 2, "audit"));
  table.erase({"A", "stream-1", 1});
  table.erase({"A", "stream-1", 7});
  EXPECT_EQ(told(table.of_kind("audit")), (std::vector<std::string>{"A 2"}));
  table.clear();
  EXPECT_TRUE(table.of_kind("audit").empty());
  EXPECT_TRUE(table.all().empty());
}

}  // namespace
}  // namespace mcv::record_table_test

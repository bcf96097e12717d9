// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/audit_row.h"

#include <gtest/gtest.h>

namespace mcv {
namespace {

AuditRow some_row(const std::string& id, std::int64_t wall, const std::string& user = "alice") {
  AuditRow row;
  row.id = id;
  row.wall_seconds = wall;
  row.user = user;
  row.entered = "A";
  row.node = "B";
  row.action = "vm.start";
  row.request = "POST /v1/vms/vm1/start";
  row.vms = {"vm1"};
  row.text = "start vm1 on B";
  row.result = "begun";
  row.operation = "B-" + id;
  return row;
}

std::vector<std::string> ids(const std::vector<AuditRow>& rows) {
  std::vector<std::string> list;
  for (const AuditRow& row : rows) list.push_back(row.id);
  return list;
}

TEST(AuditRow, IsReadAsItWasWritten) {
  AuditRow row = some_row("1", 5);
  row.error = "busy";
  row.unheard = 7;
  EXPECT_EQ(*AuditRow::from_json(row.to_json()), row);
  Json newer = row.to_json();
  newer["more"] = 1;
  EXPECT_EQ(*AuditRow::from_json(newer), row);
  const AuditEnd end{"A-1", "failed", "timed-out"};
  EXPECT_EQ(*AuditEnd::from_json(end.to_json()), end);
  EXPECT_FALSE(AuditRow().to_json().contains("request")) << "what is empty is left out";
}

TEST(AuditView, IsTheNewestFirstEachOnceWithItsEnd) {
  const std::vector<AuditEnd> ends = {{"B-1", "failed", "vmm-failed"}};
  const auto view = audit_view({some_row("1", 10), some_row("2", 30), some_row("1", 10), some_row("3", 20)}, ends, {});
  EXPECT_EQ(ids(view), (std::vector<std::string>{"2", "3", "1"}));
  EXPECT_EQ(view.back().result, "failed");
  EXPECT_EQ(view.back().error, "vmm-failed");
  EXPECT_EQ(view.front().result, "begun");
}

TEST(AuditView, IsFiltered) {
  AuditRow refused = some_row("4", 40, "bob");
  refused.action = "vm-other.x";
  refused.result = "refused";
  refused.error = "permission-denied";
  refused.vms = {"vm2", "vm3"};
  refused.operation.clear();
  const std::vector<AuditRow> rows = {some_row("1", 10), some_row("2", 20), refused};
  const auto with = [&](auto change) {
    AuditFilter filter;
    change(filter);
    return ids(audit_view(rows, {{"B-2", "succeeded", ""}}, filter));
  };
  using Ids = std::vector<std::string>;
  EXPECT_EQ(with([](AuditFilter& f) { f.user = "bob"; }), Ids{"4"});
  EXPECT_EQ(with([](AuditFilter& f) { f.vm = "vm3"; }), Ids{"4"});
  EXPECT_EQ(with([](AuditFilter& f) { f.since = 20; }), (Ids{"4", "2"}));
  EXPECT_EQ(with([](AuditFilter& f) { f.action = "vm"; }), (Ids{"2", "1"})) << "not vm-other";
  EXPECT_EQ(with([](AuditFilter& f) { f.action = "vm.start"; }), (Ids{"2", "1"}));
  EXPECT_EQ(with([](AuditFilter& f) { f.result = "permission-denied"; }), Ids{"4"});
  EXPECT_EQ(with([](AuditFilter& f) { f.result = "succeeded"; }), Ids{"2"}) << "as the operation ended";
  EXPECT_EQ(with([](AuditFilter& f) { f.result = "begun"; }), Ids{"1"});
  EXPECT_EQ(with([](AuditFilter& f) { f.limit = 1; }), Ids{"4"});
}

}  // namespace
}  // namespace mcv

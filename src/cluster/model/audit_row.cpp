// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/audit_row.h"

#include <algorithm>
#include <map>
#include <set>

namespace mcv {
namespace {

void put_text(Json& json, const char* key, const std::string& text) {
  if (!text.empty()) json[key] = text;
}

}  // namespace

Json AuditRow::to_json() const {
  Json json = {{"wall", wall_seconds}, {"user", user}, {"entered", entered}, {"action", action}};
  put_text(json, "request", request);
  put_text(json, "id", id);
  put_text(json, "node", node);
  put_text(json, "text", text);
  put_text(json, "result", result);
  put_text(json, "error", error);
  put_text(json, "operation", operation);
  if (!vms.empty()) json["vms"] = vms;
  if (unheard != 0) json["unheard"] = unheard;
  return json;
}

Result<AuditRow> AuditRow::from_json(const Json& json) {
  Fields fields(json, "audit row");
  AuditRow row;
  row.wall_seconds = fields.optional_or<std::int64_t>("wall", 0);
  row.user = fields.optional_or<std::string>("user", "");
  row.entered = fields.optional_or<std::string>("entered", "");
  row.action = fields.optional_or<std::string>("action", "");
  row.request = fields.optional_or<std::string>("request", "");
  row.id = fields.optional_or<std::string>("id", "");
  row.node = fields.optional_or<std::string>("node", "");
  row.text = fields.optional_or<std::string>("text", "");
  row.result = fields.optional_or<std::string>("result", "");
  row.error = fields.optional_or<std::string>("error", "");
  row.operation = fields.optional_or<std::string>("operation", "");
  row.vms = fields.optional_or<std::vector<std::string>>("vms", {});
  row.unheard = fields.optional_or<std::uint64_t>("unheard", 0);
  MCV_CHECK(fields.finish_lenient());
  return row;
}

Json AuditEnd::to_json() const {
  Json json = {{"operation", operation}, {"result", result}};
  put_text(json, "error", error);
  return json;
}

Result<AuditEnd> AuditEnd::from_json(const Json& json) {
  Fields fields(json, "audit end");
  AuditEnd end;
  end.operation = fields.required<std::string>("operation");
  end.result = fields.required<std::string>("result");
  end.error = fields.optional_or<std::string>("error", "");
  MCV_CHECK(fields.finish_lenient());
  return end;
}

bool matches(const AuditRow& row, const AuditFilter& filter) {
  if (row.wall_seconds < filter.since) return false;
  if (filter.user && row.user != *filter.user) return false;
  if (filter.vm && std::find(row.vms.begin(), row.vms.end(), *filter.vm) == row.vms.end()) return false;
  if (filter.action && row.action != *filter.action && !row.action.starts_with(*filter.action + ".")) return false;
  return !filter.result || row.result == *filter.result || row.error == *filter.result;
}

std::vector<AuditRow> audit_view(std::vector<AuditRow> rows, const std::vector<AuditEnd>& ends, const AuditFilter& filter) {
  std::map<std::string, const AuditEnd*> end_of;
  for (const AuditEnd& end : ends) end_of[end.operation] = &end;
  std::set<std::string> seen;
  std::erase_if(rows, [&](AuditRow& row) {
    if (!row.id.empty() && !seen.insert(row.id).second) return true;
    const auto end = row.operation.empty() ? end_of.end() : end_of.find(row.operation);
    if (end != end_of.end()) {
      row.result = end->second->result;
      row.error = end->second->error;
    }
    return !matches(row, filter);
  });
  // Of one second the later one first as well.
  std::reverse(rows.begin(), rows.end());
  std::stable_sort(rows.begin(), rows.end(), [](const AuditRow& a, const AuditRow& b) { return a.wall_seconds > b.wall_seconds; });
  if (rows.size() > filter.limit) rows.resize(filter.limit);
  return rows;
}

}  // namespace mcv

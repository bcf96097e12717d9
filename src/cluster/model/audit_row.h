// SPDX-License-Identifier: Apache-2.0
// What the audit keeps of a request: who, from where, what, on which object, and what came of it. Never a body: that may hold a
// secret. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/json.h"

namespace mcv {

struct AuditRow {
  std::string id;                 ///< a request's own; of a change: the change's
  std::int64_t wall_seconds = 0;  ///< for people
  std::string user;               ///< "root", "alice", "uid 1001"
  std::string entered;            ///< the node whose socket it came by
  std::string node;               ///< the node that carried it out, or refused
  std::string action;             ///< the permission it takes: "vm.start"
  std::string request;            ///< "POST /v1/vms/vm1/start"
  std::vector<std::string> vms;   ///< the VMs it is about, if it is about some
  std::string text;               ///< what it does, in words
  std::string result;             ///< "done", "begun", "refused", "unknown"; of an operation that has ended: how
  std::string error;              ///< its code
  std::string operation;
  std::uint64_t unheard = 0;      ///< refusals of the same account shortly before that have no row of their own

  Json to_json() const;
  /// Lenient: keys of a newer build are ignored, absent ones are empty.
  static Result<AuditRow> from_json(const Json& json);
  friend bool operator==(const AuditRow&, const AuditRow&) = default;
};

/// How an operation that has a row ended.
struct AuditEnd {
  std::string operation;
  std::string result;  ///< "succeeded", "undone", "cancelled", "failed"
  std::string error;

  Json to_json() const;
  static Result<AuditEnd> from_json(const Json& json);
  friend bool operator==(const AuditEnd&, const AuditEnd&) = default;
};

struct AuditFilter {
  std::optional<std::string> user;
  std::optional<std::string> vm;
  std::optional<std::string> action;  ///< "vm.start", or "vm" for all of them
  std::optional<std::string> result;  ///< or the code of an error
  std::int64_t since = 0;             ///< wall clock, seconds since 1970
  std::size_t limit = 200;
};
bool matches(const AuditRow& row, const AuditFilter& filter);

/// Each row once, with its operation's end, the newest first, as many as the filter takes.
std::vector<AuditRow> audit_view(std::vector<AuditRow> rows, const std::vector<AuditEnd>& ends, const AuditFilter& filter);

}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
// The audit of one node (ADR 0017): rows of what was not a change of the configuration are records of the node, shipped to the other
// one; rows of changes are in the changes themselves, and kept when the log forgets these.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "cluster/core/task_group.h"
#include "cluster/host/host.h"
#include "cluster/model/audit_row.h"
#include "cluster/plan/operation_view.h"
#include "cluster/store/node_records.h"
#include "cluster/store/shared_state.h"

namespace mcv {

enum class AuditKept { on_both_nodes, here, nowhere };

/// One per daemon, on the loop's thread. What it is given must outlive it.
class AuditBook {
 public:
  static constexpr std::size_t rows_kept = 2000;           ///< of this node's records; a quarter more is forgotten at once
  static constexpr std::size_t refusals_part = 4;          ///< refusals are a quarter of them at most, and push out each other alone
  static constexpr std::size_t refusals_a_minute = 20;     ///< of one account that get a row: nobody fills the disk by asking
  static constexpr const char* row_kind = "audit";
  static constexpr const char* end_kind = "audit-end";

  AuditBook(host::Host& host, SharedState& shared, NodeRecords& records, TaskGroup& tasks) : host_(host), shared_(shared), records_(records), tasks_(tasks) {}

  /// Tests alone: another number than rows_kept.
  void keep(std::size_t rows) { kept_ = rows; }
  /// After NodeRecords::load.
  void load();
  /// Durable when it returns; the row gets its id and time. Nowhere: the disk is full or failed, which is in the log.
  boost::asio::awaitable<AuditKept> note(AuditRow row);
  /// Whether a refusal of that account gets a row; how many before it did not.
  bool may_note_refusal(const std::string& user, std::uint64_t& unheard);
  /// Of an operation that somebody began. Written in the background.
  void note_end(const OperationView& view);

  struct Read {
    std::vector<AuditRow> rows;
    std::vector<AuditEnd> ends;
  };
  /// All that is known here, in no order.
  boost::asio::awaitable<Result<Read>> read();

 private:
  struct Refusals {
    host::Instant since;
    std::size_t noted = 0;
    std::uint64_t unheard = 0;
  };
  using Numbers = std::deque<std::uint64_t>;  ///< of records, ascending
  boost::asio::awaitable<AuditKept> append(const char* kind, Json body, Numbers& numbers);
  boost::asio::awaitable<void> append_end(AuditEnd end);
  bool is_too_much() const;
  boost::asio::awaitable<void> forget_oldest();

  host::Host& host_;
  SharedState& shared_;
  NodeRecords& records_;
  TaskGroup& tasks_;
  Numbers numbers_;           ///< of this node's own records, but for refusals
  Numbers refused_numbers_;
  std::size_t kept_ = rows_kept;
  bool is_forgetting_ = false;
  std::map<std::string, Refusals> refusals_;
};

}  // namespace mcv

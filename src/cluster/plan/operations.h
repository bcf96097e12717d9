// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "cluster/core/task_group.h"
#include "cluster/host/host.h"
#include "cluster/plan/locks.h"
#include "cluster/plan/plan_runner.h"

namespace mcv {

/// For whoever keeps a log.
enum class OperationNews { begun, resumed, retried, ended };

/// All operations this node coordinates: admit, run, watch, cancel, resume at start-up. Single-threaded.
class Operations {
 public:
  struct Settings {
    NodeName node;                        ///< first half of the operation ids
    std::size_t keep_finished = 200;      ///< then the oldest is forgotten
    /// The journal could not be written: nothing is known any more, the daemon must end and start again.
    std::function<void(Error)> on_broken_store;
    std::function<void(OperationNews, const OperationView&)> on_news;
  };
  Operations(boost::asio::any_io_executor executor, host::Clock& clock, host::Store& store, StepDispatcher& steps, Settings settings);
  ~Operations();

  /// Once, before anything else (`submit` refuses until it has succeeded): loads the journals and goes on with every
  /// operation that has not ended.
  boost::asio::awaitable<Status> resume_all();

  /// Durable when it returns an id: the operation ends by itself from then on, also when the caller is gone. `busy` when
  /// another operation holds one of the objects; nothing is queued.
  boost::asio::awaitable<Result<OperationId>> submit(Plan plan);
  /// Every operation known, the newest first.
  std::vector<OperationView> list() const;
  Result<OperationView> get(const OperationId& id) const;
  Result<Plan> plan_of(const OperationId& id) const;
  /// Those of a kind that have not ended, the oldest first.
  std::vector<OperationState> unfinished(const std::string& kind) const;
  /// The view as soon as its version differs from `seen` (0: at once). Any number of callers. Cancellable.
  boost::asio::awaitable<Result<OperationView>> next_change(OperationId id, std::uint64_t seen);
  /// Waits for the end.
  boost::asio::awaitable<Result<OperationView>> wait_end(OperationId id);

  /// Success when the request is durable. Before the commit the operation is undone. An operation that waits (for the
  /// peer, say) after its commit or while undoing is given up: it ends as failed and can be retried.
  boost::asio::awaitable<Status> cancel(OperationId id);
  /// Goes on with an operation that ended as failed. Refused once a later operation took one of its objects.
  boost::asio::awaitable<Status> retry(OperationId id);

  /// Who holds an object, for refusals made before a plan exists.
  std::optional<OperationId> holder_of(const std::string& object) const;
  std::size_t running() const;
  /// Stops all tasks where they are; resume_all() of the next process goes on.
  boost::asio::awaitable<void> stop();

 private:
  using Record = std::shared_ptr<OperationRecord>;
  struct Ticket;

  Result<Record> find(const OperationId& id) const;
  Error busy(const OperationId& wanted_by, const OperationId& holder) const;
  std::vector<Record> stuck_and_touched_by(const Plan& plan) const;
  boost::asio::awaitable<void> admit(std::shared_ptr<Ticket> ticket);
  boost::asio::awaitable<void> resume(Record record);
  boost::asio::awaitable<void> run(Record record);
  boost::asio::awaitable<void> journal_cancel(Record record, std::shared_ptr<Ticket> ticket);
  boost::asio::awaitable<void> journal_retry(Record record, std::shared_ptr<Ticket> ticket);
  boost::asio::awaitable<void> keep_interrupting(Record record);
  boost::asio::awaitable<void> forget_old();
  void broken(const Error& error);
  void tell(OperationNews news, const OperationRecord& record) const;

  boost::asio::any_io_executor executor_;
  host::Clock& clock_;
  StepDispatcher& steps_;
  Settings settings_;
  Journal journal_;
  Locks locks_;
  bool ready_ = false;  ///< the journals were read: numbers and locks of before are known
  OperationNumber next_ = 1;
  std::map<OperationNumber, Record> records_;
  TaskGroup tasks_;
};

}  // namespace mcv

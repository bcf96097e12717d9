// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/operations.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <utility>

namespace mcv {

namespace asio = boost::asio;

/// A request that is carried out in a task of ours, so that a client who goes away cannot stop it between the commit
/// and what follows from it. The client only waits for `answer`.
struct Operations::Ticket {
  explicit Ticket(asio::any_io_executor executor) : answered(executor) {}
  Plan plan;
  std::optional<Result<OperationId>> answer;
  host::Wakeup answered;

  void reply(Result<OperationId> value) {
    answer = std::move(value);
    answered.notify();
  }
};

Operations::Operations(asio::any_io_executor executor, host::Clock& clock, host::Store& store, StepDispatcher& steps, Settings settings)
    : executor_(executor), clock_(clock), steps_(steps), settings_(std::move(settings)), journal_(store), tasks_(executor) {}

Operations::~Operations() = default;

Result<Operations::Record> Operations::find(const OperationId& id) const {
  for (const auto& [number, record] : records_) {
    if (record->id() == id) return record;
  }
  return Error(ErrorCode::not_found, fmt::format("there is no operation {} on {}", id.str(), settings_.node.str())).with_next("hvctl op list");
}

void Operations::broken(const Error& error) {
  if (settings_.on_broken_store) settings_.on_broken_store(error);
}

void Operations::tell(OperationNews news, const OperationRecord& record) const {
  if (settings_.on_news) settings_.on_news(news, record.view());
}

asio::awaitable<Status> Operations::resume_all() {
  MCV_CO_TRY(Journal::Loaded loaded, co_await journal_.load());
  next_ = loaded.next;
  for (auto& [number, state] : loaded.operations) {
    auto record = std::make_shared<OperationRecord>(executor_, journal_, number, std::move(state));
    records_.emplace(number, record);
    next_ = std::max(next_, number + 1);
    if (record->state().finished()) continue;
    // They held their locks when the daemon ended, so they cannot be in each other's way.
    const auto in_the_way = locks_.try_take(record->id(), record->state().plan().lock_needs());
    if (in_the_way) co_return Error(ErrorCode::store_corrupt, fmt::format("operations {} and {} hold the same object", record->id().str(), in_the_way->str()));
    tasks_.spawn(resume(record));
  }
  ready_ = true;
  co_return success();
}

/// A full disk at start-up delays the operations, not the daemon.
asio::awaitable<void> Operations::resume(Record record) {
  constexpr std::chrono::seconds full_disk_pause{5};
  for (;;) {
    std::vector<JournalEntry> entries = {JournalEntry::of(EntryKind::resumed)};
    const Result<std::size_t> written = co_await record->append(std::move(entries));
    if (written.ok()) break;
    if (written.error().code() != ErrorCode::disk_full) {
      broken(written.error());
      co_return;
    }
    record->report(std::nullopt, "waiting: " + written.error().message());
    co_await clock_.sleep_for(full_disk_pause);
  }
  tell(OperationNews::resumed, *record);
  co_await run(record);
}

Error Operations::busy(const OperationId& wanted_by, const OperationId& holder) const {
  const auto record = find(holder);
  const std::string what = record.ok() ? (*record)->state().plan().summary : std::string("an operation");
  return Error(ErrorCode::busy, fmt::format("operation {} ({}) is not finished", holder.str(), what))
      .with_safe(wanted_by.empty() ? "nothing was begun" : "nothing was changed")
      .with_next(fmt::format("hvctl op watch {}", holder.str()));
}

std::vector<Operations::Record> Operations::stuck_and_touched_by(const Plan& plan) const {
  std::vector<Record> list;
  for (const auto& [number, record] : records_) {
    const OperationState& state = record->state();
    const Move next = state.next_move();
    const auto* finished = std::get_if<move::Finished>(&next);
    if (finished == nullptr || finished->outcome != OperationOutcome::failed || state.superseded()) continue;
    if (conflict(state.plan().lock_needs(), plan.lock_needs())) list.push_back(record);
  }
  return list;
}

asio::awaitable<Result<OperationId>> Operations::submit(Plan plan) {
  MCV_CO_CHECK(plan.check());
  if (!ready_) {
    co_return Error(ErrorCode::daemon_unreachable, fmt::format("mcvd on {} is still reading its journals", settings_.node.str()))
        .with_safe("nothing was begun")
        .with_next("hvctl op list");
  }
  const auto ticket = std::make_shared<Ticket>(executor_);
  ticket->plan = std::move(plan);
  tasks_.spawn(admit(ticket));
  while (!ticket->answer) co_await ticket->answered.wait();
  co_return *ticket->answer;
}

asio::awaitable<void> Operations::admit(std::shared_ptr<Ticket> ticket) {
  Plan& plan = ticket->plan;
  const OperationNumber number = next_++;
  plan.id = OperationId::trusted(fmt::format("{}-{}", settings_.node.str(), number));
  const auto in_the_way = locks_.try_take(plan.id, plan.lock_needs());
  if (in_the_way) {
    ticket->reply(busy(OperationId(), *in_the_way));
    co_return;
  }
  OperationState state;
  const JournalEntry accepted = JournalEntry::accepted(plan, clock_.wall_seconds());
  JournalEntry superseded = JournalEntry::of(EntryKind::superseded);
  superseded.by = plan.id.str();
  const std::vector<Record> stuck = stuck_and_touched_by(plan);
  std::vector<Journal::Line> lines;
  lines.push_back(Journal::Line{number, 0, accepted});
  for (const Record& record : stuck) lines.push_back(Journal::Line{record->number(), record->state().entries(), superseded});
  const Status durable = co_await journal_.write(std::move(lines));
  if (!durable.ok()) {
    locks_.release(plan.id);
    ticket->reply(Error(durable.error()).with_safe("nothing was begun"));
    if (durable.error().code() != ErrorCode::disk_full) broken(durable.error());
    co_return;
  }
  Status applied = state.apply(accepted);
  for (const Record& record : stuck) applied = applied.ok() ? record->applied(superseded) : applied;
  if (!applied.ok()) {
    broken(applied.error());
    co_return;
  }
  const auto record = std::make_shared<OperationRecord>(executor_, journal_, number, std::move(state));
  records_.emplace(number, record);
  tell(OperationNews::begun, *record);
  tasks_.spawn(run(record));
  ticket->reply(plan.id);
}

asio::awaitable<void> Operations::run(Record record) {
  const Status ended = co_await run_operation(record, steps_, clock_);
  if (!ended.ok()) {
    broken(ended.error());
    co_return;
  }
  tell(OperationNews::ended, *record);
  locks_.release(record->id());
  co_await forget_old();
}

asio::awaitable<void> Operations::forget_old() {
  // One that failed stays until it was retried or a later one took its object: somebody has to look at it.
  const auto may_go = [](const auto& item) {
    const Move next = item.second->state().next_move();
    const auto* finished = std::get_if<move::Finished>(&next);
    return finished != nullptr && (finished->outcome != OperationOutcome::failed || item.second->state().superseded());
  };
  auto finished = static_cast<std::size_t>(std::count_if(records_.begin(), records_.end(), may_go));
  while (finished > settings_.keep_finished) {
    const auto oldest = std::find_if(records_.begin(), records_.end(), may_go);
    const OperationNumber number = oldest->first;
    records_.erase(oldest);
    --finished;
    // Should this fail they come back at the next start and are forgotten then.
    [[maybe_unused]] const Status forgotten = co_await journal_.forget(number);
  }
}

std::vector<OperationView> Operations::list() const {
  std::vector<OperationView> views;
  for (auto record = records_.rbegin(); record != records_.rend(); ++record) views.push_back(record->second->view());
  return views;
}

Result<OperationView> Operations::get(const OperationId& id) const {
  MCV_TRY(const Record record, find(id));
  return record->view();
}

Result<Plan> Operations::plan_of(const OperationId& id) const {
  MCV_TRY(const Record record, find(id));
  return record->state().plan();
}

std::vector<OperationState> Operations::unfinished(const std::string& kind) const {
  std::vector<OperationState> states;
  for (const auto& [number, record] : records_) {
    if (record->state().plan().kind == kind && !record->state().finished()) states.push_back(record->state());
  }
  return states;
}

asio::awaitable<Result<OperationView>> Operations::next_change(OperationId id, std::uint64_t seen) {
  MCV_CO_TRY(const Record record, find(id));
  if (record->version() == seen) co_await record->wait_change(seen);
  co_return record->view();
}

asio::awaitable<Result<OperationView>> Operations::wait_end(OperationId id) {
  MCV_CO_TRY(const Record record, find(id));
  for (;;) {
    const OperationView view = record->view();
    if (view.final()) co_return view;
    co_await record->wait_change(view.version);
  }
}

namespace {

Error too_late(const OperationState& state) {
  if (state.finished()) return Error(ErrorCode::operation_ended, fmt::format("operation {} has ended already", state.plan().id.str()));
  const std::string_view doing = state.committed() ? "is past the point of no return and is being completed" : "is being undone already";
  return Error(ErrorCode::busy, fmt::format("operation {} {}", state.plan().id.str(), doing)).with_next(fmt::format("hvctl op watch {}", state.plan().id.str()));
}

}  // namespace

asio::awaitable<Status> Operations::cancel(OperationId id) {
  MCV_CO_TRY(const Record record, find(id));
  const auto ticket = std::make_shared<Ticket>(executor_);
  tasks_.spawn(journal_cancel(record, ticket));
  while (!ticket->answer) co_await ticket->answered.wait();
  if (!ticket->answer->ok()) co_return ticket->answer->error();
  co_return success();
}

asio::awaitable<void> Operations::journal_cancel(Record record, std::shared_ptr<Ticket> ticket) {
  std::vector<JournalEntry> entries = {JournalEntry::of(EntryKind::cancel_requested)};
  const Result<std::size_t> written = co_await record->append(std::move(entries));
  if (!written.ok()) {
    ticket->reply(written.error());
    if (written.error().code() != ErrorCode::disk_full) broken(written.error());
    co_return;
  }
  if (*written > 0) {
    ticket->reply(record->id());
    co_await keep_interrupting(record);
    co_return;
  }
  if (record->waiting && !record->state().finished()) {
    record->give_up_wanted = true;
    ticket->reply(record->id());
    co_return;
  }
  ticket->reply(too_late(record->state()));
}

/// The step that was running when the cancel came. The request is repeated: one to the peer may be lost.
asio::awaitable<void> Operations::keep_interrupting(Record record) {
  constexpr std::chrono::seconds again{5};
  for (;;) {
    const Move next = record->state().next_move();
    const auto* running = std::get_if<move::Run>(&next);
    if (running == nullptr) co_return;
    const std::size_t step = running->step;
    if (record->state().step(step) != StepState::running) co_return;
    steps_.interrupt(record->state().plan().steps[step].node, record->id(), step);
    co_await clock_.sleep_for(again);
  }
}

asio::awaitable<Status> Operations::retry(OperationId id) {
  MCV_CO_TRY(const Record record, find(id));
  const auto ticket = std::make_shared<Ticket>(executor_);
  tasks_.spawn(journal_retry(record, ticket));
  while (!ticket->answer) co_await ticket->answered.wait();
  if (!ticket->answer->ok()) co_return ticket->answer->error();
  co_return success();
}

asio::awaitable<void> Operations::journal_retry(Record record, std::shared_ptr<Ticket> ticket) {
  const Move next = record->state().next_move();
  const bool failed = next == Move(move::Finished{OperationOutcome::failed});
  if (!failed || record->state().superseded()) {
    const std::string why = failed ? "a later operation has taken its object" : "only an operation that ended as failed can be retried";
    ticket->reply(Error(ErrorCode::operation_ended, fmt::format("operation {} cannot be retried: {}", record->id().str(), why)));
    co_return;
  }
  const auto in_the_way = locks_.try_take(record->id(), record->state().plan().lock_needs());
  if (in_the_way) {
    ticket->reply(busy(record->id(), *in_the_way));
    co_return;
  }
  std::vector<JournalEntry> entries = {JournalEntry::of(EntryKind::retry_requested), JournalEntry::of(EntryKind::resumed)};
  const Result<std::size_t> written = co_await record->append(std::move(entries));
  if (!written.ok() || *written == 0) {
    locks_.release(record->id());
    ticket->reply(written.ok() ? too_late(record->state()) : written.error());
    if (!written.ok() && written.error().code() != ErrorCode::disk_full) broken(written.error());
    co_return;
  }
  tell(OperationNews::retried, *record);
  ticket->reply(record->id());
  tasks_.spawn(run(record));
}

std::optional<OperationId> Operations::holder_of(const std::string& object) const {
  const std::vector<LockNeed> needs = {LockNeed{object, false}};
  return locks_.blocker(OperationId(), needs);
}

std::size_t Operations::running() const {
  return static_cast<std::size_t>(std::count_if(records_.begin(), records_.end(), [](const auto& item) { return !item.second->state().finished(); }));
}

asio::awaitable<void> Operations::stop() {
  tasks_.cancel();
  co_await tasks_.join();
}

}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/local_steps.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "cluster/host/wakeup.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

/// Operations whose sequence is remembered after their last call. A request cannot be delayed over so many others.
constexpr std::size_t remembered_operations = 1000;

}  // namespace

struct LocalSteps::Work {
  Work(asio::any_io_executor executor, OperationId operation_id, std::size_t step_index) : operation(std::move(operation_id)), step(step_index), ended(executor) {}
  OperationId operation;
  std::size_t step;
  bool interrupted = false;
  std::optional<int> percent;
  std::string text;
  std::optional<Result<Json>> ran;
  std::optional<Status> undid;
  host::Wakeup ended;
};

struct LocalSteps::Operation {
  std::uint64_t sequence = 0;
  std::shared_ptr<Work> work;  ///< in flight
};

LocalSteps::LocalSteps(asio::any_io_executor executor, const ActionTable& table) : executor_(executor), table_(table), tasks_(executor) {}
LocalSteps::~LocalSteps() = default;

Status LocalSteps::admit(const StepCall& call) {
  const auto [position, added] = operations_.try_emplace(call.operation);
  if (added) recent_.push_back(call.operation);
  Operation& operation = position->second;
  if (call.sequence <= operation.sequence) {
    return Error(ErrorCode::busy, fmt::format("request {} of operation {} was overtaken by request {}", call.sequence, call.operation.str(), operation.sequence));
  }
  operation.sequence = call.sequence;
  while (recent_.size() > remembered_operations) {
    const auto oldest = operations_.find(recent_.front());
    if (oldest != operations_.end() && oldest->second.work) break;
    if (oldest != operations_.end()) operations_.erase(oldest);
    recent_.pop_front();
  }
  return success();
}

/// After waiting: another call may have been admitted meanwhile, and only the last one counts.
Status LocalSteps::still_latest(const StepCall& call) const {
  const auto found = operations_.find(call.operation);
  if (found != operations_.end() && found->second.sequence == call.sequence) return success();
  return Error(ErrorCode::busy, fmt::format("request {} of operation {} was overtaken while it waited", call.sequence, call.operation.str()));
}

asio::awaitable<void> LocalSteps::wait_idle(OperationId operation) {
  for (;;) {
    const std::shared_ptr<Work> work = operations_[operation].work;
    if (!work) co_return;
    co_await work->ended.wait();
  }
}

std::shared_ptr<LocalSteps::Work> LocalSteps::begin(const StepCall& call) {
  auto work = std::make_shared<Work>(executor_, call.operation, call.step);
  operations_[call.operation].work = work;
  return work;
}

StepContext LocalSteps::context_of(const StepCall& call, std::shared_ptr<Work> work, Progress progress) {
  StepContext context;
  context.operation = call.operation;
  context.step = call.step;
  context.params = call.params;
  context.results = call.results;
  context.progress = [work, outer = std::move(progress)](std::optional<int> percent, std::string text) {
    work->percent = percent;
    work->text = text;
    if (outer) outer(percent, std::move(text));
  };
  context.interrupted = [work]() { return work->interrupted; };
  return context;
}

void LocalSteps::finish(const std::shared_ptr<Work>& work) {
  operations_[work->operation].work.reset();
  work->ended.notify();
}

asio::awaitable<void> LocalSteps::run_action(std::shared_ptr<Work> work, StepContext context, Action* action) {
  Result<Json> answer = co_await action->run(std::move(context));
  work->ran = std::move(answer);
  finish(work);
}

asio::awaitable<void> LocalSteps::undo_action(std::shared_ptr<Work> work, StepContext context, Action* action) {
  Status answer = co_await action->undo(std::move(context));
  work->undid = std::move(answer);
  finish(work);
}

asio::awaitable<Result<Json>> LocalSteps::run(StepCall call, Progress progress) {
  MCV_CO_CHECK(admit(call));
  MCV_CO_TRY(Action * action, table_.find(call.action));
  co_await wait_idle(call.operation);
  MCV_CO_CHECK(still_latest(call));
  const std::shared_ptr<Work> work = begin(call);
  StepContext context = context_of(call, work, std::move(progress));
  tasks_.spawn(run_action(work, std::move(context), action));
  while (!work->ran) co_await work->ended.wait();
  co_return *work->ran;
}

asio::awaitable<Status> LocalSteps::undo(StepCall call) {
  MCV_CO_CHECK(admit(call));
  MCV_CO_TRY(Action * action, table_.find(call.action));
  interrupt(call.operation, call.step);
  co_await wait_idle(call.operation);
  MCV_CO_CHECK(still_latest(call));
  const std::shared_ptr<Work> work = begin(call);
  StepContext context = context_of(call, work, Progress());
  tasks_.spawn(undo_action(work, std::move(context), action));
  while (!work->undid) co_await work->ended.wait();
  co_return *work->undid;
}

asio::awaitable<Result<Landed>> LocalSteps::landed(StepCall call) {
  MCV_CO_CHECK(admit(call));
  MCV_CO_TRY(Action * action, table_.find(call.action));
  const std::shared_ptr<Work> running = operations_[call.operation].work;
  if (running) co_return Landed::not_yet;
  const auto work = std::make_shared<Work>(executor_, call.operation, call.step);
  StepContext context = context_of(call, work, Progress());
  co_return co_await action->landed(std::move(context));
}

void LocalSteps::interrupt(const OperationId& operation, std::size_t step) {
  const auto found = operations_.find(operation);
  if (found != operations_.end() && found->second.work && found->second.work->step == step) found->second.work->interrupted = true;
}

std::optional<std::pair<std::optional<int>, std::string>> LocalSteps::progress_of(const OperationId& operation, std::size_t step) const {
  const auto found = operations_.find(operation);
  if (found == operations_.end() || !found->second.work || found->second.work->step != step) return std::nullopt;
  return std::make_pair(found->second.work->percent, found->second.work->text);
}

asio::awaitable<void> LocalSteps::stop() {
  tasks_.cancel();
  co_await tasks_.join();
}

Json StepCall::to_json() const {
  return {{"operation", operation.str()}, {"step", step}, {"sequence", sequence}, {"action", action}, {"params", params}, {"results", results}};
}

Result<StepCall> StepCall::from_json(const Json& json) {
  Fields fields(json, "step");
  StepCall call;
  call.operation = OperationId::trusted(fields.required<std::string>("operation"));
  call.step = static_cast<std::size_t>(fields.required<std::uint64_t>("step"));
  call.sequence = fields.required<std::uint64_t>("sequence");
  call.action = fields.required<std::string>("action");
  const Json* params = fields.object("params");
  const Json* results = fields.array("results");
  MCV_CHECK(fields.finish_lenient());
  call.params = *params;
  call.results = *results;
  return call;
}

}  // namespace mcv

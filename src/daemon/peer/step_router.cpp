// SPDX-License-Identifier: Apache-2.0
#include "daemon/peer/step_router.h"

#include "cluster/core/json_value.h"

namespace mcv {

namespace asio = boost::asio;

asio::awaitable<Result<Json>> StepRouter::ask(NodeName node, std::string what, Json body) {
  auto record = find_node_(node);
  if (!record.ok()) co_return std::move(record).error();
  std::string target = "/peer/v1/steps/" + what;
  auto answer = co_await peer_.post(std::move(*record), std::move(target), std::move(body), PeerClient::patient);
  co_return answer;
}

asio::awaitable<Result<Json>> StepRouter::run(NodeName node, StepCall call, Progress progress) {
  if (node == self_) co_return co_await local_.run(std::move(call), std::move(progress));
  Json body = call.to_json();
  MCV_CO_TRY(Json answer, co_await ask(std::move(node), "run", std::move(body)));
  co_return value_in(answer, "result", Json());
}

asio::awaitable<Status> StepRouter::undo(NodeName node, StepCall call) {
  if (node == self_) co_return co_await local_.undo(std::move(call));
  Json body = call.to_json();
  auto answer = co_await ask(std::move(node), "undo", std::move(body));
  if (!answer.ok()) co_return std::move(answer).error();
  co_return success();
}

asio::awaitable<Result<Landed>> StepRouter::landed(NodeName node, StepCall call) {
  if (node == self_) co_return co_await local_.landed(std::move(call));
  Json body = call.to_json();
  MCV_CO_TRY(Json answer, co_await ask(std::move(node), "landed", std::move(body)));
  const std::string text = value_in(answer, "landed", "");
  co_return landed_from_text(text);
}

void StepRouter::interrupt(NodeName node, OperationId operation, std::size_t step) {
  if (node == self_) return local_.interrupt(operation, step);
  Json body = {{"operation", operation.str()}, {"step", step}};
  tasks_.spawn(interrupt_there(std::move(node), std::move(body)));
}

asio::awaitable<void> StepRouter::interrupt_there(NodeName node, Json body) {
  // Best effort by contract: a peer that does not hear it ends the step by its own deadline.
  auto answer = co_await ask(std::move(node), "interrupt", std::move(body));
  static_cast<void>(answer.ok());
}

}  // namespace mcv

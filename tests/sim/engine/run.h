// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "cluster/core/task_group.h"
#include "engine/scheduler.h"

namespace mcv::sim {

template <typename T>
boost::asio::awaitable<void> keep_result(boost::asio::awaitable<T> work, std::shared_ptr<std::optional<T>> result) {
  T value = co_await std::move(work);
  result->emplace(std::move(value));
}

/// Starts `work`; the optional is filled when it has ended.
template <typename T>
std::shared_ptr<std::optional<T>> start(TaskGroup& tasks, boost::asio::awaitable<T> work) {
  auto result = std::make_shared<std::optional<T>>();
  tasks.spawn(keep_result(std::move(work), result));
  return result;
}

}  // namespace mcv::sim

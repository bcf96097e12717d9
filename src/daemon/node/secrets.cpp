// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/secrets.h"

#include "cluster/core/json.h"

namespace mcv {

namespace asio = boost::asio;

asio::awaitable<Status> Secrets::load() {
  auto text = co_await files_.read(path_);
  if (!text.ok() && text.error().code() == ErrorCode::not_found) co_return success();
  if (!text.ok()) co_return std::move(text).error();
  auto json = parse_json(*text);
  if (!json.ok() || !json->is_object()) {
    co_return Error(ErrorCode::store_corrupt, path_ + " is not readable")
        .with_safe("guests and volumes are not concerned")
        .with_next("restore the file from the other node's backup, or remove this node from the cluster and join it again");
  }
  for (const auto& item : json->items()) {
    if (item.value().is_string()) values_[item.key()] = item.value().get<std::string>();
  }
  co_return success();
}

std::optional<std::string> Secrets::get(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

asio::awaitable<Status> Secrets::set(std::string name, std::string value) {
  auto values = values_;
  values[name] = std::move(value);
  co_return co_await save(std::move(values));
}

asio::awaitable<Status> Secrets::remove(std::string name) {
  auto values = values_;
  values.erase(name);
  co_return co_await save(std::move(values));
}

asio::awaitable<Status> Secrets::save(std::map<std::string, std::string> values) {
  std::string text = Json(values).dump();
  MCV_CO_CHECK(co_await files_.write_durably(path_, std::move(text), 0600));
  values_ = std::move(values);
  co_return success();
}

}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
#include "cluster/host/files.h"

#include <utility>

namespace mcv::host {

boost::asio::awaitable<Status> Files::append(std::string path, std::string text, unsigned mode) {
  Result<std::string> old = co_await read(path);
  if (!old.ok() && old.error().code() != ErrorCode::not_found) co_return std::move(old).error();
  std::string all = old.ok() ? std::move(*old) + text : std::move(text);
  co_return co_await write_durably(std::move(path), std::move(all), mode);
}

}  // namespace mcv::host

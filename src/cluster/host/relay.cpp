// SPDX-License-Identifier: Apache-2.0
#include "cluster/host/relay.h"

#include <utility>

#include "cluster/host/race.h"

namespace mcv::host {

namespace asio = boost::asio;

namespace {

// No deadline: a viewer may stop his terminal for as long as he likes, and a guest may be silent.
asio::awaitable<void> copy(ByteStream* from, ByteStream* to) {
  while (true) {
    Result<std::string> bytes = co_await from->read_some();
    if (!bytes.ok() || bytes->empty()) co_return;
    const Status written = co_await to->write(std::move(*bytes));
    if (!written.ok()) co_return;
  }
}

}  // namespace

asio::awaitable<void> relay(ByteStream& one, ByteStream& other) {
  asio::awaitable<void> there = copy(&one, &other);
  asio::awaitable<void> back = copy(&other, &one);
  co_await race(std::move(there), std::move(back));
}

}  // namespace mcv::host

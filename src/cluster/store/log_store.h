// SPDX-License-Identifier: Apache-2.0
// The history in the node's store: tables "log", "state" and "meta" (docs/formats.md).
#pragma once

#include <boost/asio/awaitable.hpp>

#include "cluster/host/store.h"
#include "cluster/store/log_machine.h"

namespace mcv {

/// One Persist as one atomic batch.
host::StoreBatch to_batch(const Persist& step);

/// Everything read back and checked: `store_corrupt`, `format_unknown`; nothing is written either way. An empty store is an image without generations.
boost::asio::awaitable<Result<LogImage>> load_image(host::Store& store, std::uint64_t known_format);

}  // namespace mcv

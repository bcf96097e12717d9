// SPDX-License-Identifier: Apache-2.0
// The history in the node's store: tables "log", "state", "meta" and "audit" (docs/formats.md).
#pragma once

#include <boost/asio/awaitable.hpp>

#include "cluster/host/store.h"
#include "cluster/store/log_machine.h"

namespace mcv {

/// So many entries below the kept log: what the audit still has of them.
inline constexpr std::uint64_t audit_entries_kept = 10'000;

/// One Persist as one atomic batch.
host::StoreBatch to_batch(const Persist& step);

/// Everything read back and checked: `store_corrupt`, `format_unknown`; nothing is written either way. An empty store is an image without generations.
boost::asio::awaitable<Result<LogImage>> load_image(host::Store& store, std::uint64_t known_format);

/// Rows of changes that the log has forgotten, and of those that are in it; each an AuditRow.
boost::asio::awaitable<Result<std::vector<Json>>> load_audit(host::Store& store);
std::vector<Json> audit_in(const LogImage& image);

}  // namespace mcv

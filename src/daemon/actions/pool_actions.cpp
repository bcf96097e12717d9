// SPDX-License-Identifier: Apache-2.0
// pool.*, drbd.*: what a node needs before volumes can live on it.
#include "daemon/actions/actions.h"
#include "daemon/actions/step_params.h"
#include "daemon/node/node.h"
#include "storage/lvm/pool.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

Result<PoolRecord> pool_of(const StepContext& context) { return record_in<PoolRecord>(context, "pool"); }

/// What was asked for; nothing where a pool is taken as it is.
Result<std::optional<Bytes>> size_of(const StepContext& context) {
  Fields fields(context.params, "step");
  const auto size = fields.optional<std::uint64_t>("size");
  MCV_CHECK(fields.finish_lenient());
  return size ? std::optional(Bytes(*size)) : std::nullopt;
}

asio::awaitable<Result<Json>> create(Node& node, StepContext context) {
  MCV_CO_TRY(const PoolRecord record, pool_of(context));
  MCV_CO_TRY(const std::optional<Bytes> size, size_of(context));
  lvm::Pool pool = lvm::pool_on(record, node.self());
  MCV_CO_TRY(const bool created, co_await lvm::ensure_pool(node.host, std::move(pool), size));
  Json result = {{"created", created}};
  co_return result;
}

asio::awaitable<Status> undo_create(Node& node, StepContext context) {
  MCV_CO_TRY(const PoolRecord record, pool_of(context));
  // remove_pool leaves a pool alone that mcv did not make, and refuses one with volumes in it.
  lvm::Pool pool = lvm::pool_on(record, node.self());
  co_return co_await lvm::remove_pool(node.host, std::move(pool));
}

asio::awaitable<Result<Json>> remove_pool(Node& node, StepContext context) {
  MCV_CO_TRY(const PoolRecord record, pool_of(context));
  lvm::Pool pool = lvm::pool_on(record, node.self());
  MCV_CO_CHECK(co_await lvm::remove_pool(node.host, std::move(pool)));
  co_return Json();
}

asio::awaitable<Result<Json>> check_drbd(Node& node, StepContext) {
  MCV_CO_CHECK(co_await node.ensure_drbd());
  co_return Json();
}

/// 63 characters at most fit into DRBD's shared-secret; 24 random bytes are 48.
constexpr std::size_t drbd_secret_bytes = 24;

asio::awaitable<Result<Json>> make_secret(Node& node, StepContext) {
  auto secret = node.secrets.get(secret_names::drbd);
  if (!secret) {
    secret = node.host.random.hex(drbd_secret_bytes);
    MCV_CO_CHECK(co_await node.secrets.set(secret_names::drbd, *secret));
  }
  const auto peer = node.peer_record();
  if (!peer) co_return Json();
  Json body = {{"name", secret_names::drbd}, {"value", *secret}};
  MCV_CO_TRY(const Json answer, co_await node.peer.post(*peer, "/peer/v1/secret", std::move(body), PeerClient::patient));
  static_cast<void>(answer);
  co_return Json();
}

}  // namespace

void add_pool_actions(Node& node) {
  add_action(node, "pool.create", {create, undo_create, never_asked});
  add_action(node, "pool.remove", {remove_pool, nothing_to_undo, never_asked});
  add_action(node, "drbd.check", {check_drbd, nothing_to_undo, never_asked});
  add_action(node, "drbd.secret", {make_secret, nothing_to_undo, never_asked});
}

}  // namespace mcv

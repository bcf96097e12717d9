// SPDX-License-Identifier: Apache-2.0
#include "daemon/join/reservation.h"

#include <algorithm>

namespace mcv::join {

namespace asio = boost::asio;

Json Reserved::to_json() const {
  Json made = Json::array();
  for (const PoolRecord& pool : pools) made.push_back(pool.to_json());
  return {{"inviter", inviter.to_json()}, {"pools", std::move(made)}, {"given_up", given_up}};
}

Result<Reserved> Reserved::from_json(const Json& json) {
  Fields fields(json, "reservation");
  Reserved reserved;
  const Json* inviter = fields.object("inviter");
  const Json* pools = fields.array("pools");
  reserved.given_up = fields.required<bool>("given_up");
  MCV_CHECK(fields.finish_lenient());
  MCV_TRY(reserved.inviter, NodeRecord::from_json(*inviter));
  for (const Json& pool : *pools) {
    MCV_TRY(PoolRecord record, PoolRecord::from_json(pool));
    reserved.pools.push_back(std::move(record));
  }
  return reserved;
}

asio::awaitable<Status> Reservation::load() {
  const Result<std::string> text = co_await files_.read(path_);
  if (!text.ok() && text.error().code() == ErrorCode::not_found) co_return success();
  if (!text.ok()) co_return text.error();
  MCV_CO_TRY(const Json json, parse_json(*text));
  MCV_CO_TRY(kept_, Reserved::from_json(json));
  co_return success();
}

asio::awaitable<Status> Reservation::keep(Reserved reserved) {
  if (kept_ == reserved) co_return success();
  std::string text = reserved.to_json().dump();
  MCV_CO_CHECK(co_await files_.write_durably(path_, std::move(text), 0600));
  kept_ = std::move(reserved);
  co_return success();
}

asio::awaitable<Status> Reservation::make(NodeRecord inviter) {
  Reserved wanted;
  if (kept_ && !kept_->given_up && kept_->inviter.fingerprint == inviter.fingerprint) wanted = *kept_;
  wanted.inviter = std::move(inviter);
  co_return co_await keep(std::move(wanted));
}

asio::awaitable<Status> Reservation::note_pool(PoolRecord pool) {
  if (!kept_) co_return success();
  Reserved wanted = *kept_;
  const bool known = std::ranges::any_of(wanted.pools, [&](const PoolRecord& one) { return one.name == pool.name; });
  if (!known) wanted.pools.push_back(std::move(pool));
  co_return co_await keep(std::move(wanted));
}

asio::awaitable<Status> Reservation::forget_pool(PoolName pool) {
  if (!kept_) co_return success();
  Reserved wanted = *kept_;
  std::erase_if(wanted.pools, [&](const PoolRecord& one) { return one.name == pool; });
  co_return co_await keep(std::move(wanted));
}

asio::awaitable<Status> Reservation::give_up() {
  if (!kept_) co_return success();
  Reserved wanted = *kept_;
  wanted.given_up = true;
  co_return co_await keep(std::move(wanted));
}

asio::awaitable<Status> Reservation::clear() {
  MCV_CO_CHECK(co_await files_.remove(path_));
  kept_.reset();
  co_return success();
}

}  // namespace mcv::join

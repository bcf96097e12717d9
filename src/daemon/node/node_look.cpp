// SPDX-License-Identifier: Apache-2.0
// Facts of both nodes. Every command that plans waits for them, so the nodes look at the same time.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "daemon/node/node.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

/// Of the other node: what it sees, or why nobody knows.
struct PeersLook {
  explicit PeersLook(asio::any_io_executor executor) : changed(std::move(executor)) {}
  std::optional<NodeFacts> facts;
  std::optional<Error> error;
  bool ended = false;
  host::Wakeup changed;
};

bool did_not_answer(const Error& error) {
  return error.code() == ErrorCode::peer_unreachable || error.code() == ErrorCode::timed_out || error.code() == ErrorCode::outcome_unknown;
}

}  // namespace

asio::awaitable<Result<NodeFacts>> Node::look_at_peer(Look wanted) {
  const auto record = peer_record();
  if (!record) co_return Error(ErrorCode::not_found, "this node is alone").with_next("hvctl cluster add-node --node NAME --ip-address IP");
  // Hashing a large image for the first time takes its time; a plain look does not.
  const auto deadline = wanted.files.empty() ? PeerClient::quick : PeerClient::patient;
  Json body = {{"paths", std::move(wanted.files)}, {"volume_groups", wanted.volume_groups}};
  Json with_room = body;
  if (wanted.room) with_room["room"] = true;
  auto answer = co_await peer.post(*record, "/peer/v1/facts", std::move(with_room), deadline);
  // An older build does not know the question, and tells the rest.
  const bool is_older = wanted.room && !answer.ok() && answer.error().code() == ErrorCode::unknown_field;
  if (is_older) answer = co_await peer.post(*record, "/peer/v1/facts", std::move(body), deadline);
  if (!answer.ok()) co_return std::move(answer).error();
  co_return node_facts_from_json(*answer);
}

namespace {

struct BothLooks {
  Result<NodeFacts> ours;
  std::shared_ptr<PeersLook> theirs;

  plans::Facts facts(const NodeName& self) const {
    plans::Facts seen;
    if (ours.ok()) seen[self.str()] = *ours;
    if (theirs->facts) seen[theirs->facts->name.str()] = *theirs->facts;
    return seen;
  }
};

asio::awaitable<BothLooks> look_at_both(Node& node, Look wanted) {
  const auto theirs = std::make_shared<PeersLook>(node.host.executor);
  if (node.peer_record()) {
    // Given back when the task ends, however it ends.
    std::shared_ptr<void> ticket(nullptr, [theirs](void*) {
      theirs->ended = true;
      theirs->changed.notify();
    });
    Look there = wanted;
    auto look = [](Node* asking, Look what, std::shared_ptr<PeersLook> into, std::shared_ptr<void>) -> asio::awaitable<void> {
      auto seen = co_await asking->look_at_peer(std::move(what));
      if (seen.ok()) into->facts = std::move(*seen);
      else into->error = std::move(seen).error();
    };
    node.tasks.spawn(look(&node, std::move(there), theirs, std::move(ticket)));
  } else {
    theirs->ended = true;
  }
  auto ours = co_await node.observer.look(std::move(wanted));
  if (!ours.ok()) spdlog::error("cannot look at this node: {}", ours.error().to_text());
  while (!theirs->ended) co_await theirs->changed.wait();
  BothLooks looks{std::move(ours), theirs};
  co_return looks;
}

}  // namespace

asio::awaitable<plans::Facts> Node::look_everywhere(Look wanted) {
  const BothLooks looks = co_await look_at_both(*this, std::move(wanted));
  co_return looks.facts(self_);
}

asio::awaitable<Result<plans::Facts>> Node::look_to_change(Look wanted) {
  const BothLooks looks = co_await look_at_both(*this, std::move(wanted));
  if (!looks.ours.ok()) {
    Error own = looks.ours.error();
    co_return std::move(own).with_context(fmt::format("looking at {}", self_.str())).with_safe("nothing was changed");
  }
  if (looks.theirs->error && !did_not_answer(*looks.theirs->error)) {
    Error other = *looks.theirs->error;
    co_return std::move(other).with_context("looking at the other node").with_safe("nothing was changed");
  }
  co_return looks.facts(self_);
}

}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
// Facts of both nodes. Every command that plans waits for them, so the nodes look at the same time.
#include <spdlog/spdlog.h>

#include "daemon/node/node.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

struct PeersLook {
  explicit PeersLook(asio::any_io_executor executor) : changed(std::move(executor)) {}
  std::optional<NodeFacts> facts;
  bool ended = false;
  ChangeSignal changed;
};

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

asio::awaitable<plans::Facts> Node::look_everywhere(Look wanted) {
  const auto theirs = std::make_shared<PeersLook>(host.executor);
  if (peer_record()) {
    // Given back when the task ends, however it ends.
    std::shared_ptr<void> ticket(nullptr, [theirs](void*) {
      theirs->ended = true;
      theirs->changed.notify_all();
    });
    Look there = wanted;
    auto look = [](Node* node, Look what, std::shared_ptr<PeersLook> into, std::shared_ptr<void>) -> asio::awaitable<void> {
      auto seen = co_await node->look_at_peer(std::move(what));
      if (seen.ok()) into->facts = std::move(*seen);
    };
    tasks.spawn(look(this, std::move(there), theirs, std::move(ticket)));
  } else {
    theirs->ended = true;
  }
  plans::Facts facts;
  auto ours = co_await observer.look(std::move(wanted));
  if (ours.ok()) facts[self_.str()] = std::move(*ours);
  else spdlog::error("cannot look at this node: {}", ours.error().to_text());
  while (!theirs->ended) co_await theirs->changed.wait();
  if (theirs->facts) facts[theirs->facts->name.str()] = *theirs->facts;
  co_return facts;
}

}  // namespace mcv

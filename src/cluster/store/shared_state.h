// SPDX-License-Identifier: Apache-2.0
// The replicated shared configuration of one node: a thin coroutine shell around LogMachine, which decides.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cluster/core/json.h"
#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "cluster/model/cluster_state.h"
#include "cluster/store/abilities.h"
#include "cluster/store/divergence.h"
#include "cluster/store/position.h"

namespace mcv {

/// For status and for messages.
struct Link {
  LinkState state = LinkState::uninitialised;
  std::string peer;           ///< the other node's name; empty in a cluster of one
  bool in_group = false;      ///< this node's daemon is connected to corosync
  bool peer_in_group = false; ///< the peer's daemon is a member of the group
  host::Instant since;        ///< of `state`
  std::string reason;         ///< why not together; empty when single or together
};

/// One per daemon. Single-threaded: everything is called on the loop's thread and outlives no `host`.
///   load() -> [initialise() | adopt()] -> [start_group()] ... stop()
class SharedState {
 public:
  /// `host.hostname` is this node's name; its record in the state gives the corosync node id.
  /// `abilities` are those of this build, but for tests.
  explicit SharedState(host::Host& host, Abilities abilities = {});
  ~SharedState();
  SharedState(const SharedState&) = delete;
  SharedState& operator=(const SharedState&) = delete;

  /// Reads the store and starts the background work. An empty store loads as `uninitialised`. Errors: `store_corrupt`,
  /// `format_unknown`, `io_error`. Call once, before anything else.
  boost::asio::awaitable<Status> load();
  /// Begins a history of its own: a cluster of one with an empty configuration. `already_exists` when there is one.
  boost::asio::awaitable<Status> initialise();

  /// What is committed; tentative entries are never in it. The reference stays valid, the contents change at commits.
  const ClusterState& current() const;
  Position position() const;
  const std::vector<GenerationRecord>& generations() const;
  const Abilities& abilities() const;
  /// The other node's, as far as they are known; nothing in a cluster of one.
  std::optional<OtherBuild> other_build() const;
  Link link() const;
  /// Called after every change of `current()`; must not wait. Registered for the life of this object.
  void on_commit(std::function<void()> callback);
  /// Called after every change of `link().state` or `link().peer_in_group`; must not wait.
  void on_link(std::function<void(Link)> callback);
  /// Called once when the store failed (`io_error`, or `disk_full` with the reserve used up): nothing in memory may be
  /// trusted, the daemon must restart and re-read. Guests are not concerned.
  void on_failure(std::function<void(Error)> callback);

  /// Makes one change durable on both nodes (or here, when single or alone) and returns its position.
  /// Refused, and then nothing was or will be changed: what ClusterState::apply returns, `disk_full` (of either node),
  /// `format_unknown`, `no_authority` (with the reason and the next command), `diverged`, `not_initialised`.
  /// `outcome_unknown`: contact was lost or the peer did not answer within ten seconds; the error names the id for
  /// `outcome()`. An empty `change.id` gets a fresh one; the same id twice is applied once.
  boost::asio::awaitable<Result<Committed>> propose(Change change);
  /// The same for a change that stands on authority: `no_authority` unless it is committed while this node decides alone.
  boost::asio::awaitable<Result<Committed>> propose_alone(Change change);
  /// `id` as an `outcome_unknown` error gave it ("ID@INDEX"), or a plain change id.
  boost::asio::awaitable<Result<Outcome>> outcome(std::string id);

  /// Everything a joining node needs: committed state, generations and the recent log. No secrets.
  Json snapshot() const;
  /// Replaces this node's configuration by `snapshot` in one durable step. Refused (`already_clustered`) unless this
  /// node is uninitialised, a cluster of one, removed or diverged.
  boost::asio::awaitable<Status> adopt(Json snapshot);

  /// Forgets all: an empty configuration, a cluster of one. After `stop_group`, and only once this node is removed: nobody
  /// counts on what it holds. `busy` while in contact.
  boost::asio::awaitable<Status> begin_anew();

  /// Joins the corosync group and keeps reconnecting; the state must name two nodes, this one among them. Idempotent.
  boost::asio::awaitable<Status> start_group();
  /// Leaves the group; the link becomes `apart` (or stays `single`). Idempotent.
  boost::asio::awaitable<void> stop_group();
  /// True when the nodes are together, at the latest after `deadline`.
  boost::asio::awaitable<bool> wait_together(std::chrono::milliseconds deadline);

  /// Takes authority: adopts the tentative entries held here and commits alone until contact. The caller has the proof
  /// (DESIGN 5) and names it. Only from `apart`, or from `diverged` while the peer is not in the group: then both histories stay as
  /// they are. `busy` or `diverged` while the peer is in the group.
  boost::asio::awaitable<Result<Committed>> take_generation(std::string proof);
  /// The same by a proof that is in the configuration: `no_authority` unless it holds in the state the generation begins
  /// with, tentative entries adopted.
  boost::asio::awaitable<Result<Committed>> take_generation_while(std::function<bool(const ClusterState&)> holds, std::string proof);
  /// An object as a generation taken now would find it: with what is tentative here, and may be committed on the other side.
  std::optional<Json> with_tentative(Kind kind, const std::string& key) const;
  /// What is known of the other history while `diverged`; null otherwise.
  Json divergence() const;
  /// All that is durable here of the shared configuration, the kept log with it.
  const LogImage& image() const;
  /// A person chose this node's history (only while `diverged`): durable here when it returns. The other node takes it when they
  /// meet, which is tried at once.
  boost::asio::awaitable<Result<Committed>> settle(Settled settled);

  /// Unordered-with-commits side channel to the peer's daemon over the same group (node-owned records use it).
  /// Delivered to both nodes; `peer_unreachable` unless the peer is in the group.
  boost::asio::awaitable<Status> send_side(std::string topic, Json body);
  void on_side(std::string topic, std::function<void(host::NodeId sender, const Json& body)> callback);

  /// Ends the background work. Nothing else may be called afterwards.
  boost::asio::awaitable<void> stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace mcv

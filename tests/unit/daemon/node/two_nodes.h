// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "world/node_world.h"

namespace mcv::test {

/// Both daemons on healthy simulated machines, for tests that ask one and look at the other.
class TwoNodes : public sim::NodeWorld {
 public:
  static constexpr std::size_t a = 0;
  static constexpr std::size_t b = 1;

  TwoNodes();
  ~TwoNodes() = default;

  using NodeWorld::Answer;
  using NodeWorld::both;
  using NodeWorld::command;
  using NodeWorld::daemon;
  using NodeWorld::end_daemon;
  using NodeWorld::pass;
  using NodeWorld::power_off;
  using NodeWorld::power_on;
  using NodeWorld::run_events;
  using NodeWorld::start_daemon;
  using NodeWorld::up;
  void switch_off(std::size_t node) { power_off(node); }
  void switch_on(std::size_t node) { power_on(node); }

  /// Initialised, with their addresses; each a cluster of one.
  void initialise(std::size_t node);
  /// The daemons' own link and corosync's, between the nodes.
  void cut_cluster_link();
  void heal_cluster_link();
  /// One cluster with a pool, replication and a network.
  void make_cluster();
  /// Another build is installed and started.
  void upgrade(std::size_t node, const std::string& version);
  /// The same package but for what it knows.
  void upgrade(std::size_t node, Abilities abilities);
  /// Why the daemon that was started does not serve; nothing when it does.
  std::optional<Error> failure(std::size_t node) const { return lives_[node]->failed; }
  const sim::StoreDisk& store(std::size_t node) const { return disks_[node].store; }
  /// A machine with nothing on it but the package.
  void reinstall(std::size_t node);
  std::string invitation(std::size_t node);
  /// One node adds the other, whose string this is.
  Answer add(std::size_t node, const std::string& connect_string, bool check_only = false);
  sim::SimMachine& machine(std::size_t node) { return *machines_[node]; }
  sim::FileDisk& files(std::size_t node) { return disks_[node].files; }
  Answer ask(std::size_t node, const std::string& method, const std::string& target, const Json& body = Json());
  /// As an account of that machine, not as root.
  Answer ask_as(std::uint32_t uid, std::size_t node, const std::string& method, const std::string& target, const Json& body = Json());
  std::shared_ptr<std::optional<api::ApiReply>> begin_as(std::uint32_t uid, std::size_t node, api::ApiCall call, const std::string& target);
  /// A change that no command makes.
  Status propose(std::size_t node, std::vector<Mutation> mutations);
  const Api& api(std::size_t node) const { return *lives_[node]->api; }
  /// ... and it succeeds, at the latest when its operation ended.
  void must(std::size_t node, const std::string& method, const std::string& target, const Json& body);
  void create_vm(const std::string& name);

  /// What the route answers, streams included.
  api::ApiReply route(std::size_t node, api::ApiCall call, const std::string& target);
  /// The same, not waited for.
  std::shared_ptr<std::optional<api::ApiReply>> begin(std::size_t node, api::ApiCall call, const std::string& target);
  api::ApiReply console(std::size_t node, const std::string& vm, std::size_t replay = 0);
  /// One read of it; nothing when it does not end within a minute.
  std::optional<Result<std::string>> read(std::size_t node, host::ByteStream& stream);
  /// Everything until `wanted` is in it, or the stream ends.
  std::string read_until(std::size_t node, host::ByteStream& stream, const std::string& wanted);
  void type(std::size_t node, host::ByteStream& stream, const std::string& keys);
  /// A request of B's daemon, or of whoever holds `key`, to A's peer port.
  Result<host::PeerReply> peer_request(host::PeerNetwork& from, std::size_t to, host::HttpRequest request);
  host::PeerNetwork& peer_network(std::size_t node) { return lives_[node]->parts.peer; }
  TaskGroup& client(std::size_t node) { return lives_[node]->clients; }
  sim::SimPeerWorld& network() { return network_; }
  sim::SimCorosync& corosync() { return corosync_; }
  sim::SimDrbd& replication() { return *drbd_; }
  sim::Scheduler& scheduler() { return scheduler_; }

  /// The guest's serial port.
  void guest_prints(std::size_t node, const std::string& vm, const std::string& text);
  std::string typed_at_guest(std::size_t node, const std::string& vm);
  /// From inside: the guest, once it is up, turns itself off.
  void shut_down_guest(std::size_t node, const std::string& vm);

  template <typename T>
  std::optional<T> wait_for(std::size_t node, boost::asio::awaitable<T> work, sim::Time limit = std::chrono::seconds(60)) {
    const auto result = sim::start(lives_[node]->clients, std::move(work));
    run_events([&] { return result->has_value(); }, limit);
    return result->has_value() ? std::move(*result) : std::optional<T>();
  }

 private:
  sim::SimVmm& vmm(std::size_t node, const std::string& vm);
};

}  // namespace mcv::test

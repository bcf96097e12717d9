// SPDX-License-Identifier: Apache-2.0
// One node's whole brain: built from a Host, twice in the simulator. Single-threaded.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/core/task_group.h"
#include "cluster/host/host.h"
#include "cluster/host/wakeup.h"
#include "cluster/plan/action_table.h"
#include "cluster/plan/local_steps.h"
#include "cluster/plan/operations.h"
#include "cluster/plans/vm_plans.h"
#include "cluster/store/node_records.h"
#include "cluster/store/shared_state.h"
#include "daemon/api/api_call.h"
#include "daemon/authority/authority_keeper.h"
#include "daemon/authority/consent_desk.h"
#include "daemon/authority/divergence_desk.h"
#include "daemon/authority/lost_disks.h"
#include "daemon/authority/node_leave.h"
#include "daemon/authority/run_alone.h"
#include "daemon/join/invitations.h"
#include "daemon/join/join_facts.h"
#include "daemon/join/join_watch.h"
#include "daemon/join/reservation.h"
#include "daemon/node/accounts.h"
#include "daemon/node/audit_book.h"
#include "daemon/node/late_deletes.h"
#include "daemon/node/observer.h"
#include "daemon/node/pool_watch.h"
#include "daemon/node/secrets.h"
#include "daemon/node/verify_alarm.h"
#include "daemon/node/verify_gate.h"
#include "daemon/node/verify_history.h"
#include "daemon/peer/peer_client.h"
#include "daemon/peer/step_router.h"
#include "daemon/removal/departure.h"
#include "hv/guest_manager.h"
#include "storage/drbd/monitor.h"

namespace mcv {

struct NodeSettings {
  std::string version;                 ///< of this build
  Abilities abilities;                 ///< of this build, but for tests
  std::uint16_t peer_port = 8801;
  std::string state_directory = "/var/lib/mcv";  ///< root's, 0700; made when it is missing
  hv::GuestConfig guests;
  /// Tests alone: what stands between a step's request and its action. Empty, nothing does.
  std::function<std::unique_ptr<Action>(host::Host& host, const std::string& name, std::unique_ptr<Action> action)> wrap_action;
  /// Nothing in memory may be trusted any more: end the process, systemd starts it again, guests live on.
  std::function<void(Error)> on_failure;
};

class Node {
 public:
  Node(host::Host& host, NodeSettings settings);
  ~Node();

  /// Reads the store, looks at the machine, adopts what runs, goes on with what was interrupted.
  boost::asio::awaitable<Status> start();
  /// Stops deciding. Guests, volumes and corosync stay as they are.
  boost::asio::awaitable<void> stop();

  const NodeName& self() const { return self_; }
  /// This node's record; `not_initialised` before `hvctl node init`.
  Result<NodeRecord> own_record() const;
  /// The other member; nothing in a cluster of one.
  std::optional<NodeRecord> peer_record() const;
  Result<NodeRecord> member(const NodeName& name) const;

  /// Facts of this node, and of the peer if it answers within its bound.
  boost::asio::awaitable<plans::Facts> look_everywhere(Look wanted);
  /// The same for what needs every node that answers: what fails here, or there with an answer, is the error, and not a node
  /// that is not there.
  boost::asio::awaitable<Result<plans::Facts>> look_to_change(Look wanted);
  boost::asio::awaitable<Result<NodeFacts>> look_at_peer(Look wanted);
  boost::asio::awaitable<Result<join::JoinFacts>> join_facts();

  /// Opens the peer port on the cluster address as soon as there is one; called again when it changes.
  Status listen_for_peer();

  /// Its operations are read back: what it says of them holds.
  bool has_resumed() const { return has_resumed_; }

  /// True when this node is the VM's owner by the committed configuration, which may arrive here a moment later.
  boost::asio::awaitable<bool> wait_until_owner(VmName vm, host::Duration bound);

  /// The id of a system user, from /etc/passwd.
  boost::asio::awaitable<Result<std::uint32_t>> user_id(std::string user);

  /// The DRBD module is there, has a tested version, and calls our helper.
  boost::asio::awaitable<Status> ensure_drbd();
  /// This node's leg, from its records: attached, looking for the peer, Secondary.
  boost::asio::awaitable<Status> bring_up(VolumeRecord volume);
  /// Attached, and looking for the peer unless it must stand alone: whoever brings a leg up does it by this.
  boost::asio::awaitable<Status> ensure_up(VolumeRecord volume);
  /// Whoever takes a leg away calls this first: it is not brought up again, nor in the middle of it.
  boost::asio::awaitable<void> leave_down(VolumeName volume);

  host::Host& host;
  NodeSettings settings;
  /// Set by Api: how a request that the other node forwarded is answered.
  std::function<boost::asio::awaitable<api::ApiReply>(api::ApiCall, std::string)> answer_api;

 private:
  NodeName self_;

 public:
  // In the order of their construction; later ones use earlier ones.
  TaskGroup tasks;
  SharedState shared;
  NodeRecords records;
  VerifyGate verify_gate;
  VerifyHistory verify_history;
  VerifyAlarm verify_alarm;
  /// VMs that passed their last start checks and have no VMM to be seen yet: their memory is taken all the same. Shared with
  /// the coroutines that start them.
  std::shared_ptr<std::multiset<VmName>> starting = std::make_shared<std::multiset<VmName>>();
  Secrets secrets;
  join::Reservation reservation;
  drbd::DrbdMonitor drbd;
  hv::GuestManager guests;
  Accounts accounts{host, tasks};
  AuditBook audit{host, shared, records, tasks};
  PeerClient peer;
  join::Invitations invitations;
  PoolWatch pools{*this};
  Observer observer;
  ActionTable actions;
  LocalSteps local_steps;
  StepRouter router;
  Operations operations;
  AuthorityKeeper authority;
  ConsentDesk consents;
  RunAlone run_alone;
  LostDisks lost_disks{*this};
  LateDeletes late_deletes{*this};
  NodeLeave leave;
  DivergenceDesk divergence{*this};
  join::JoinWatch join_watch{*this};
  Departure departure;

 private:
  void on_guest_change(const VmName& vm);
  void release_what_ended_while_away();
  boost::asio::awaitable<void> release_after_power_off(VmName vm);
  void on_commit();
  void finish_start_soon();
  boost::asio::awaitable<void> finish_start();
  boost::asio::awaitable<void> start_parts();
  bool is_started(const std::string& part) const;
  bool start_is_finished() const;
  void note_start(const std::string& part, const Status& status);
  boost::asio::awaitable<Status> start_replication();
  std::set<std::string> bridges_wanted() const;
  boost::asio::awaitable<Status> realise_networks();
  boost::asio::awaitable<Status> start_cluster();
  boost::asio::awaitable<void> bring_up_volumes();
  boost::asio::awaitable<Status> attach_and_connect(VolumeRecord volume);
  bool is_being_built(const VmName& vm) const;

  bool drbd_reading_ = false;
  bool has_resumed_ = false;
  std::map<std::string, std::string> start_problems_;  ///< part of the start -> why it is not done; empty: done
  bool finishing_start_ = false;
  std::set<std::string> bridges_realised_;             ///< those that were wanted when they were last made
  std::multiset<VolumeName> being_brought_up_;
  host::Wakeup brought_up_;
  host::Wakeup committed_;  ///< after every change of the shared configuration
  bool takes_operations_ = false;                      ///< the journals were read
  std::set<VmName> ended_while_away_;                  ///< to be released then
  std::set<VolumeName> volumes_to_bring_up_;           ///< as of the start; nothing replicated survives a reboot in the kernel
};

}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
// The protocol of the replicated configuration as a pure machine: events in, outputs out, no I/O, no clock, no waiting.
//
// The life of an entry (DESIGN 4), two nodes in one session:
//   propose   multicast; its place in the group's total order decides who is first
//   head      one entry at a time: the oldest proposal is checked against the committed state, on both nodes alike
//   append    it is made durable as *tentative*: invisible to `state()`
//   ack       "(index, hash) is durable here", multicast after the append and never before
//   commit    both acks were delivered: marked durably, then visible, then answered
//   refuse    a node that cannot take the head says so instead of acking; the first refusal in the order aborts it on
//             both: removed durably, then `aborted` is multicast, and the proposer answers when both have said so
// Everything that decides (acks, refusals, aborts) takes effect when it is *delivered*, our own as well, so both nodes
// decide alike. A node that lost contact decides nothing: what is tentative stays so until reunion (reunion.h) or
// authority (take_generation).
//
// Why this is right, in one rule: **a message claims only what an earlier Persist made true.** Every Output holds either
// a Persist or messages and answers, never both; the caller performs a Persist completely, reports it by `persisted`,
// and only then gets the messages that depend on it. So at any crash point the peer knows no more of this node than its
// disk does, and:
//   - committed anywhere => acked by both => durable on both => found by any reunion as an entry both hold: never dropped.
//   - dropped at a reunion => not held by both => the missing side never acked => committed nowhere, answered to nobody.
//   - refused to a client => removed durably on both => can be adopted by no later generation.
//   - entries only one node has acked exist above the last common entry only in a generation that node took itself, and
//     `alone` is withdrawn durably before the standing is told to the peer: two histories of one generation never grow.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/result.h"
#include "cluster/host/group.h"
#include "cluster/store/divergence.h"
#include "cluster/store/log_entry.h"
#include "cluster/store/reunion.h"

namespace mcv {

/// Whether a change is right only while this node decides alone: contact refuses it, instead of handing it to both.
enum class Where { anywhere, only_alone };

/// A caller of `propose` and the like, waiting for its answer.
using Ticket = std::uint64_t;

/// One atomic, durable step of the store. Applied in the order of the fields.
struct Persist {
  struct Row {
    Kind kind;
    std::string key;
    std::optional<ClusterState::Entry> entry;  ///< nullopt: gone
  };
  bool essential = false;    ///< finishes what was begun: may use the disk reserve
  bool replace_all = false;  ///< empties log and state first
  std::optional<std::uint64_t> drop_above;    ///< log entries with a greater index go
  std::optional<std::uint64_t> compact_below; ///< log entries with a smaller index go
  std::vector<LogEntry> append;
  std::vector<Row> rows;
  std::vector<LogEntry> audited;  ///< entries that go and have a row in the audit, which stays
  /// The image's small facts as they are after this step.
  std::uint64_t committed_index = 0;
  std::string committed_hash;
  bool alone = false;
  std::uint64_t format = 1;  ///< of the configuration
  std::optional<std::vector<GenerationRecord>> generations;  ///< when changed
  std::optional<Json> diverged;                              ///< when changed; null = cleared
};

struct Output {
  struct Answer {
    Ticket ticket = 0;
    Result<Committed> result;
  };
  std::optional<Persist> persist;  ///< alone in its output; answer with `persisted`
  std::vector<std::string> messages;  ///< multicast in this order
  std::vector<Answer> answers;
  bool state_changed = false;
  std::optional<Error> failed;     ///< the store cannot be trusted any more: leave the group, restart
};

/// The caller hands in one event, then drains `take_output` (performing each Persist and reporting it) before the next
/// event: no event ever meets an unfinished Persist.
class LogMachine {
 public:
  LogMachine(std::string self, LogImage image, Abilities abilities = {});

  // --- events -------------------------------------------------------------------------------------------
  void initialise(Ticket ticket, const std::string& uuid);
  void propose(Ticket ticket, Change change, Where where = Where::anywhere);
  /// The caller waits no longer: answers at once, `outcome_unknown` if the change may have got its place.
  void expire(Ticket ticket);
  /// `holds`, where given: asked of the state this generation would begin with, tentative entries adopted. It stands on what both nodes
  /// agreed to, so never while there are two histories. Without it a person's word is the proof, which goes on with this history and
  /// keeps the other one where it is (`apart_from`).
  void take_generation(Ticket ticket, const std::string& uuid, const std::string& proof, const std::function<bool(const ClusterState&)>& holds = {});
  void adopt(Ticket ticket, LogImage image);
  /// Only while diverged. One durable step: afterwards this history continues, and whoever stands at `other` takes it by the
  /// ordinary rules of contact. The caller meets the other node anew.
  void settle(Ticket ticket, const std::string& uuid, Settled settled);
  /// Forgets all: a history of its own, of a cluster of one. The caller left the group, and has the proof that no member counts
  /// on this node any more.
  void begin_anew(Ticket ticket, const std::string& uuid);
  /// Who is in the group now. `nonce` is fresh at every call and names this node's side of the session to come.
  void members(std::vector<host::NodeId> members, const std::string& nonce);
  /// The connection to the group is gone.
  void lost(const std::string& reason);
  void message(host::NodeId sender, std::string_view bytes);
  /// The Persist of the last output ended. Only `disk_full` leaves the machine able to go on.
  void persisted(const Status& status);

  /// The next thing to do, or nullopt when there is none.
  std::optional<Output> take_output();

  // --- facts --------------------------------------------------------------------------------------------
  LinkState link() const;
  std::string link_reason() const;
  bool connected() const { return connected_; }
  bool peer_present() const;
  std::string peer_name() const;
  host::NodeId own_id() const { return own_id_; }
  const ClusterState& state() const { return image_.state; }
  const LogImage& image() const { return image_; }
  /// An object as a generation taken now would find it: what is tentative here may be committed on the other side.
  std::optional<Json> with_tentative(Kind kind, const std::string& key) const;
  Position position() const;
  Outcome outcome(const std::string& id) const;
  const Abilities& abilities() const { return abilities_; }
  /// Nothing in a cluster of one.
  std::optional<OtherBuild> other_build() const;
  Json divergence() const { return image_.diverged.value_or(Json()); }

 private:
  struct Waiting {
    Change change;
    bool sent = false;                ///< on its way in this session
    bool placed = false;              ///< the peer may hold it as tentative: it cannot be refused before that is settled with the peer
    Where where = Where::anywhere;
    std::uint64_t asked_at = 0;       ///< committed index then: the change can only be above it
  };
  struct Proposal {
    host::NodeId proposer = 0;
    Ticket ticket = 0;
    std::uint64_t format = 0;
    std::string bytes;
  };
  struct Head {
    Proposal proposal;
    Change change;
    LogEntry entry;
    bool appended = false;
    std::set<host::NodeId> acked;
    std::optional<Error> refused;     ///< delivered: being aborted
    std::set<host::NodeId> aborted;
  };
  /// What the outstanding Persist was for.
  enum class After { nothing, initialise, adopt, local_commit, append, commit, abort, end_alone, converge, take_state, meet_newer, diverge, generation, settle };

  void pump();
  void persist(Persist step, After after);
  void replace(Ticket ticket, LogImage image);
  Persist facts() const;
  void keep_audit(Persist& step) const;
  void start_local(Ticket ticket);
  void start_head();
  void commit_head();
  void after_persist(After after);

  void route(Ticket ticket);
  void route_all();
  void resolve_tickets();
  void answer(Ticket ticket, Result<Committed> result);
  void refuse_local(Ticket ticket, Error error);
  bool is_waiting(const Proposal& proposal) const;
  Error refusal() const;
  Error contact_came() const;
  void fail(Error error);

  void greet();
  void end_session();
  void start_session();
  void send_standing();
  void decide();
  void converge(std::uint64_t common);
  void send_state();
  void diverge(const std::string& reason);
  void send_synced();

  void dispatch(host::NodeId sender, const Json& header, std::string_view payload);
  void on_hello(const Json& header);
  void on_standing(host::NodeId sender, std::string_view payload);
  void on_state(const Json& header, std::string_view payload);
  void on_synced(host::NodeId sender, const Json& header);
  void on_propose(host::NodeId sender, const Json& header, std::string_view payload);
  void on_ack(host::NodeId sender, const Json& header);
  void on_refuse(const Json& header);
  void on_aborted(host::NodeId sender, const Json& header);
  bool is_head(const Json& json) const;

  void send(Json header, const std::string& payload = {});
  void send_about_head(const char* type, Json more);
  void find_members();
  void apply_in_flight();
  Committed committed_at(std::uint64_t index, bool both) const;
  Error unknown(const Waiting& waiting) const;
  /// The state after the tentative entries up to `limit`; their rows go into `step`.
  Result<ClusterState> with_tentative(std::uint64_t limit, Persist& step) const;
  std::uint64_t format() const { return format_of(image_.state); }

  std::string self_;
  Abilities abilities_;
  LogImage image_;
  std::map<std::string, std::uint64_t> ids_;  ///< change id -> index, of the kept log, tentative ones included

  host::NodeId own_id_ = 0;
  host::NodeId peer_id_ = 0;  ///< 0: the state names no other node

  bool connected_ = false;
  std::string lost_reason_;
  std::vector<host::NodeId> members_;
  std::string own_nonce_, peer_nonce_;
  std::optional<Abilities> peer_abilities_;  ///< as its hello said, in this session
  std::string session_;       ///< both nonces; messages of another session are ignored
  bool greeted_ = false;
  std::optional<Standing> own_standing_, peer_standing_;
  std::string incompatible_;  ///< why the peer's daemon cannot be talked to
  std::map<std::size_t, std::string> parts_;
  bool taking_state_ = false;
  std::map<host::NodeId, Json> synced_;
  bool together_ = false;
  std::deque<Proposal> queue_;
  std::optional<Head> head_;

  std::map<Ticket, Waiting> waiting_;
  std::set<std::string> lingering_;      ///< ids whose caller left while their change was on its way in this session
  Ticket local_ = 0;                     ///< who waits for the outstanding Persist
  std::optional<Error> failed_;

  After after_ = After::nothing;
  Persist in_flight_;                        ///< applied to image_ when it is durable, so image_ is what the disk holds
  std::optional<ClusterState> next_state_;   ///< the state with it
  bool persist_wanted_ = false;              ///< not handed out yet
  Output output_;
};

}  // namespace mcv

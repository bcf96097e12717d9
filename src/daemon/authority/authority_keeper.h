// SPDX-License-Identifier: Apache-2.0
// Keeps this node to what it may do while the other one is away: the edge around cluster/authority, which decides. Looks
// after every change and takes one small step at a time, so a crash between two of them needs no journal.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/authority/confirm_down.h"
#include "cluster/authority/fence_answer.h"
#include "cluster/authority/legs.h"
#include "cluster/host/host.h"
#include "cluster/store/mailbox.h"

namespace mcv {

class Node;

/// When this daemon last saw the two nodes share their configuration.
struct LastContact {
  bool known = false;           ///< false: not since this daemon was started
  std::int64_t wall_seconds = 0;
};

class AuthorityKeeper {
 public:
  explicit AuthorityKeeper(Node& node);

  /// Registers for changes and begins to look. After the store was loaded.
  boost::asio::awaitable<void> start();
  /// Something changed: look soon.
  void look_soon();

  authority::Standpoint standpoint() const;
  /// Of this kernel; read again when it could not be at the start.
  boost::asio::awaitable<Result<std::string>> boot();
  LastContact last_contact() const { return last_contact_; }

  /// What this node's own records let the kernel be told, at once. The whole answer is ConsentDesk's.
  authority::FenceAnswer answer_fence_peer(const VolumeName& volume) const;

  /// Asks on every path, now.
  boost::asio::awaitable<authority::PathsToPeer> look_for_peer();
  /// Whether anything of the other node answers on the daemons' link.
  boost::asio::awaitable<bool> peer_answers();

  /// Whether the other node may be removed without being asked, by what is seen now on every path.
  boost::asio::awaitable<Status> may_remove_dead();

  struct Confirmed {
    bool after_leave = false;            ///< this node had left in order: the other one was let go on
    bool two_histories = false;          ///< and that of the other node is not here
    std::int64_t left_at = 0;            ///< ... by its wall clock; 0: not known
    std::vector<VolumeName> covered;
    std::map<VolumeName, authority::Freshness> left_out;
    std::vector<VolumeName> resumed;     ///< held I/O that went on
    std::vector<VolumeName> still_held;
  };
  /// Takes an operator's word that `node` is down: the generation, then the record of all volumes in one transaction; from
  /// then on the legs stand alone and held I/O goes on. `facts` nullopt: only asks whether it would be taken.
  boost::asio::awaitable<Result<Confirmed>> confirm_down(std::string node, std::optional<authority::TypedFacts> facts, std::string by);

  struct Accepted {
    VmName vm;
    std::string reason;                  ///< why the copy is closed without that
    std::string limit;                   ///< what the other node does that is off meanwhile
  };
  /// Takes a person's word that the copy of a volume here is used although it may be older. `by` empty: only asks.
  boost::asio::awaitable<Result<Accepted>> accept_copy(VolumeName volume, std::string by);

  /// Before a promotion: refused without authority (`no_authority`) where the kernel would not ask; alone, a leg that could
  /// reconnect by itself is disconnected first.
  boost::asio::awaitable<Status> prepare_promotion(VolumeName volume);
  /// A promotion: by force where a person accepted a copy that the kernel calls outdated, and nowhere else.
  boost::asio::awaitable<Status> promote(VolumeName volume);
  /// Whether a leg that comes up must not look for the other one yet.
  bool must_stay_apart(const VolumeRecord& volume) const;
  /// It was brought up without a connection, and gets one as soon as it may.
  void took_apart(const VolumeName& volume) { taken_apart_.insert(volume); }

 private:
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> watch_drbd();
  boost::asio::awaitable<void> remind(host::Duration pause);
  void look_again_in(host::Duration pause);
  boost::asio::awaitable<void> read_boot();
  void on_link(bool together);

  boost::asio::awaitable<void> look();
  boost::asio::awaitable<void> go_on_after_leave();
  boost::asio::awaitable<void> come_back();
  boost::asio::awaitable<void> note_equal_again();
  boost::asio::awaitable<void> name_ended_generations();
  boost::asio::awaitable<void> withdraw();
  boost::asio::awaitable<void> withdraw_consent();
  boost::asio::awaitable<void> prune();
  boost::asio::awaitable<void> go_on_by_consent(VolumeName volume);
  bool is_ours(const VolumeName& volume) const;
  boost::asio::awaitable<void> end_lost_guests();
  boost::asio::awaitable<void> look_at_legs();
  boost::asio::awaitable<void> thaw_lone_legs();
  boost::asio::awaitable<void> take(VolumeName volume, authority::LegStep step);
  boost::asio::awaitable<void> reset_node(VmName vm);
  NodeName owner_of(const VolumeRecord& volume) const;
  void add_policy(authority::Standpoint& standpoint) const;
  bool opens_older_copy(const VolumeName& volume) const;
  void say_once(const std::string& what, const std::string& text);
  boost::asio::awaitable<Result<std::vector<VolumeName>>> covered_or_refused(std::string node, std::optional<authority::TypedFacts> facts);

  Node& node_;
  std::string boot_;
  Mailbox<bool> wake_;
  bool woken_ = false;
  bool reminding_ = false;
  bool was_together_ = false;
  LastContact last_contact_;
  std::set<VolumeName> taken_apart_;                   ///< by this daemon
  std::set<VolumeName> going_on_;                      ///< the other node's consent is being asked for
  std::map<VolumeName, host::Instant> last_connect_;
  std::map<VmName, host::Instant> lost_since_;
  std::map<std::string, std::string> said_;
};

}  // namespace mcv

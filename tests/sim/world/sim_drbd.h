// SPDX-License-Identifier: Apache-2.0
// DRBD 8.4 in the small: two kernels, their metadata, and the link between them. Formats after tests/data/drbd.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/scheduler.h"
#include "world/sim_files.h"
#include "world/sim_lvm.h"

namespace mcv::sim {

class SimDrbd {
 public:
  struct Node {
    SimLvm* lvm = nullptr;
    FileDisk* files = nullptr;
    std::string name;
  };
  SimDrbd(Scheduler& scheduler, std::array<Node, 2> nodes);

  /// drbdadm, drbdsetup (but events2), drbdmeta, modprobe; nullopt for other tools.
  std::optional<ToolAnswer> run(std::size_t node, const std::vector<std::string>& argv);
  /// The lines a new events2 begins with; later ones go to every subscriber.
  std::vector<std::string> dump(std::size_t node) const;
  using Subscriber = std::function<void(const std::string& line)>;
  std::uint64_t subscribe(std::size_t node, Subscriber subscriber);
  void unsubscribe(std::size_t node, std::uint64_t subscription);
  std::string proc(std::size_t node) const;
  std::string kernel_log(std::size_t node, const std::string& after_cursor, bool last_only) const;

  void power_off(std::size_t node);
  void boot(std::size_t node);
  void cut();
  void heal();

  /// The program of usermode_helper: it gives the exit code of fence-peer on a node, once, and may take its time. Without one: 1.
  using ExitCode = std::function<void(int)>;
  std::function<void(std::size_t node, const std::string& resource, ExitCode done)> fence_peer;
  /// The kernel waits for that program inside a promotion: `then` is the tool's own run, at once for every other one.
  void ask_first(std::size_t node, const std::vector<std::string>& argv, std::function<void()> then);

  // A VMM's side.
  bool open(std::size_t node, std::uint32_t minor, const std::string& by);   ///< writable: only where Primary
  void close(std::size_t node, std::uint32_t minor, const std::string& by);
  /// `done` when the write is durable on both legs (or on this one while the other is Outdated); never while it is held.
  void write(std::size_t node, std::uint32_t minor, std::uint64_t block, std::uint64_t value, std::function<void()> done);
  std::uint64_t read(std::size_t node, std::uint32_t minor, std::uint64_t block) const;

  // An auditor's.
  struct Seen {
    std::string resource;
    bool primary = false;
    std::string disk;
    std::string connection;
    std::string replication;
    bool held = false;
    std::set<std::string> open_by;
    std::uint64_t verified_sectors = 0;  ///< while it is VerifyS
  };
  std::vector<Seen> look(std::size_t node) const;
  /// The device below fails, or its pool is full: the kernel gives the disk up (on-io-error detach) and goes on with the peer's. Its
  /// metadata stay as they were. `broken`: it cannot be attached again until `mend`. False where there is nothing to give up, and
  /// of a Primary that has nothing to go on with.
  bool lose_disk(std::size_t node, std::uint32_t minor, bool broken);
  void mend(std::size_t node) { broken_[node].clear(); }
  /// Behind DRBD's back, for verify.
  void corrupt(std::size_t node, std::uint32_t minor, std::uint64_t block, std::uint64_t value);
  /// On the leg itself, whatever DRBD thinks of it.
  std::uint64_t on_disk(std::size_t node, std::uint32_t minor, std::uint64_t block) const;
  /// A guest changes a page while it is being written: for a moment each leg has another content, with no mark, until the page is
  /// written once more. Nothing while there is no Primary with a peer: what is written then is marked.
  void flicker(std::uint32_t minor, std::uint64_t block);
  /// Blocks from `first` on whose contents differ and for which no write is under way.
  std::set<std::uint64_t> differing(std::uint32_t minor, std::uint64_t first) const;
  /// How long a quarter of a device takes to be compared.
  struct Pace {
    std::uint64_t least_ms = 20, most_ms = 500;
  } verify_pace;

 private:
  struct Write {
    std::uint64_t block, value;
    std::function<void()> done;
    bool sent = false;
  };
  struct Leg {
    std::string resource;
    std::string path;             ///< of the .res file
    std::uint32_t minor = 0;
    std::string data, meta;       ///< device paths
    bool has_minor = false;
    bool attached = false;
    bool two_legs = false;
    bool fencing = false;         ///< resource-and-stonith: of the file, or set by disk-options
    bool primary = false;
    bool wants_peer = false;
    bool had_connection = false;  ///< since it is in the kernel
    std::string connection = "StandAlone";
    std::string replication = "Off";
    std::string peer_disk = "DUnknown";
    bool peer_primary = false;
    bool held = false;            ///< suspended:fencing
    bool uncertain = false;       ///< attached without hearing of the peer since: Consistent
    std::set<std::string> open_by;
    std::deque<std::shared_ptr<Write>> writes;  ///< not acknowledged
    std::uint64_t verify_at = 0, verify_stop = 0;
    std::uint64_t verify_run = 0;
    std::uint64_t connection_run = 0;
    bool negotiating = false;     ///< attached while connected, and the peer has not said what it has
    std::uint64_t exposed = 0;    ///< without a disk: the generation it read from last
    std::optional<int> told;      ///< by the program, for the promotion that follows
  };
  using Legs = std::map<std::string, Leg>;

  Leg* find(std::size_t node, const std::string& resource);
  Leg* find_minor(std::size_t node, std::uint32_t minor);
  const Leg* find_minor(std::size_t node, std::uint32_t minor) const;
  bool is_broken(std::size_t node, const Leg& leg) const { return broken_[node].contains(leg.minor); }
  bool peer_has_disk(std::size_t node, const Leg& leg);
  void send_without_disk(std::size_t node, Leg& leg, std::shared_ptr<Write> write);
  Lv* data_of(std::size_t node, const Leg& leg) const;
  DrbdMeta* meta_of(std::size_t node, const Leg& leg) const;       ///< of a leg that is attached
  DrbdMeta* meta_on_disk(std::size_t node, const Leg& leg) const;
  std::string disk_state(std::size_t node, const Leg& leg) const;

  ToolAnswer drbdadm(std::size_t node, const std::vector<std::string>& argv);
  ToolAnswer drbdsetup(std::size_t node, const std::vector<std::string>& argv);
  ToolAnswer drbdmeta(std::size_t node, const std::vector<std::string>& argv);
  std::optional<Leg> parse(std::size_t node, const std::string& path) const;
  ToolAnswer adjust(std::size_t node, const Leg& wanted);
  ToolAnswer promote(std::size_t node, Leg& leg, bool force);
  ToolAnswer demote(std::size_t node, Leg& leg);
  ToolAnswer new_uuid(std::size_t node, Leg& leg);
  ToolAnswer invalidate_remote(std::size_t node, Leg& leg);
  ToolAnswer verify(std::size_t node, std::uint32_t minor, std::uint64_t start, std::uint64_t stop);
  ToolAnswer down(std::size_t node, const std::string& resource);
  void goodbye(std::size_t node, Leg& leg);
  void attach_leg(std::size_t node, Leg& leg);
  bool must_ask(std::size_t node, const Leg& leg) const;
  void ask(std::size_t node, const std::string& resource, ExitCode done);
  bool peer_may_be_outdated(std::size_t node, Leg& leg, int code);

  void try_connect(const std::string& resource);
  void handshake(const std::string& resource);
  void compare(const std::string& resource);
  void compare_when_heard(std::size_t node, const std::string& resource, std::uint64_t run);
  void detach(std::size_t node, Leg& leg);
  void note_exposed(std::size_t node, Leg& leg);
  void establish(const std::string& resource);
  void begin_sync(const std::string& resource, std::size_t source);
  static void settle_crashed_primary(const Leg& leg, DrbdMeta& meta);
  void finish_sync(const std::string& resource, std::size_t source, std::uint64_t run);
  void lose_connection(std::size_t node, Leg& leg, bool graceful);
  void fresh_uuid(std::size_t node, Leg& leg);
  void ask_about_held(std::size_t node, const std::string& resource, std::uint64_t run);
  void push_writes(std::size_t node, Leg& leg);
  void send(std::size_t node, const std::string& resource, std::shared_ptr<Write> write);
  void verify_step(std::size_t node, const std::string& resource, std::uint64_t run);

  void event(std::size_t node, const std::string& line);
  void log(std::size_t node, const std::string& message);
  void tell_device(std::size_t node, const Leg& leg, const char* action = "change");
  void tell_resource(std::size_t node, const Leg& leg, const char* action = "change");
  void tell_connection(std::size_t node, const Leg& leg, const char* action = "change");
  void tell_peer_device(std::size_t node, const Leg& leg, const char* action = "change");
  std::uint64_t out_of_sync(std::size_t node, const Leg& leg) const;

  Scheduler& scheduler_;
  std::array<Node, 2> nodes_;
  std::array<Legs, 2> legs_;
  std::array<bool, 2> powered_{true, true};
  std::array<bool, 2> loaded_{false, false};
  std::array<std::set<std::uint32_t>, 2> broken_;  ///< minors
  std::array<std::map<std::uint64_t, Subscriber>, 2> subscribers_;
  std::array<std::vector<std::pair<std::uint64_t, std::string>>, 2> log_;  ///< cursor, message
  std::uint64_t next_subscription_ = 1;
  std::uint64_t next_cursor_ = 1;
  std::uint64_t next_uuid_ = 0x1000;
  bool cut_ = false;
  std::uint64_t link_version_ = 0;
};

}  // namespace mcv::sim

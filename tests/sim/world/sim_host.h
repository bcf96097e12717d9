// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "cluster/core/sha256.h"
#include "cluster/host/host.h"
#include "engine/sim_clock.h"
#include "world/sim_files.h"
#include "world/sim_group.h"
#include "world/sim_peer.h"
#include "world/sim_store.h"

namespace mcv::sim {

/// What of a node survives its daemon.
struct NodeDisk {
  StoreDisk store;
  FileDisk files;
  Time booted{0};
  std::int64_t wall_offset_seconds = 0;
};

/// One life of a daemon: the interfaces it was given. All of them end with its owner.
struct SimHost {
  SimHost(Scheduler& scheduler, NodeDisk& disk, SimCorosync& corosync, SimPeerWorld& network, host::Processes& processes, host::UnixSockets& sockets,
          std::size_t node, std::string hostname, Owner life)
      : owner(life),
        clock(scheduler, owner, disk.booted, disk.wall_offset_seconds),
        random(scheduler.chance().next()),
        store(scheduler, owner, disk.store),
        files(scheduler, owner, disk.files),
        group(scheduler, owner, corosync, node),
        peer(scheduler, owner, network, sha256_hex("key of " + hostname)),
        host{scheduler.executor(owner), clock, random, processes, files, store, sockets, peer, group, std::move(hostname)} {}

  Owner owner;
  SimClock clock;
  Chance random;
  SimStore store;
  SimFiles files;
  SimGroup group;
  SimPeer peer;
  host::Host host;
};

}  // namespace mcv::sim

// SPDX-License-Identifier: Apache-2.0
// The log's machines without disks that fail or messages that are late: what they want is done at once, what they say arrives.
#pragma once

#include <deque>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cluster/store/log_machine.h"

namespace mcv::test {

inline NodeRecord record(const char* name, std::uint32_t id) {
  NodeRecord node;
  node.name = NodeName::trusted(name);
  node.id = id;
  return node;
}

/// Does everything that `machine` wants, and gives what it says to the group, in order.
inline std::vector<std::string> work_off(LogMachine& machine) {
  std::vector<std::string> said;
  while (auto output = machine.take_output()) {
    for (std::string& message : output->messages) said.push_back(std::move(message));
    if (output->persist) machine.persisted(success());
  }
  return said;
}

/// A cluster of one that knows both nodes, as a join leaves it.
inline LogImage joined_image() {
  LogMachine alone("A", LogImage());
  alone.initialise(1, "5f0c3d70-0000-4000-8000-000000000001");
  work_off(alone);
  alone.propose(2, Change{"nodes", "nodes", {put_new(record("A", 1)), put_new(record("B", 2))}});
  work_off(alone);
  return alone.image();
}

/// Two nodes of one cluster, in contact and with one history, and corosync between them: each hears everything in the same order, its
/// own words too. A value: a copy goes on by itself.
class LogPair {
 public:
  LogPair() : a_("A", joined_image()), b_("B", joined_image()) {
    a_.members({1, 2}, "nonce-a");
    b_.members({1, 2}, "nonce-b");
    run();
  }
  static constexpr const char* session = "nonce-a:nonce-b";

  /// Somebody in the group says this in `sender`'s name; all that follows from it happens.
  void say(host::NodeId sender, std::string bytes) {
    group_.push_back({sender, std::move(bytes)});
    run();
  }
  bool together() const { return a_.link() == LinkState::together && b_.link() == LinkState::together; }
  const LogMachine& a() const { return a_; }
  const LogMachine& b() const { return b_; }

 private:
  struct Said {
    host::NodeId sender;
    std::string bytes;
  };

  void run() {
    for (int turns = 0; turns < 10'000; ++turns) {
      for (std::string& message : work_off(a_)) group_.push_back({1, std::move(message)});
      for (std::string& message : work_off(b_)) group_.push_back({2, std::move(message)});
      if (group_.empty()) return;
      const Said said = std::move(group_.front());
      group_.pop_front();
      a_.message(said.sender, said.bytes);
      b_.message(said.sender, said.bytes);
    }
    throw std::runtime_error("a message is never worked off");
  }

  LogMachine a_;
  LogMachine b_;
  std::deque<Said> group_;
};

}  // namespace mcv::test

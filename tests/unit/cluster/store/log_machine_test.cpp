// SPDX-License-Identifier: Apache-2.0
// Two machines, two disks and a group without coroutines: a seed decides when messages arrive, nodes crash, the group
// splits and disks fill. After every step the invariants of log_machine.h are checked.
// More: MCV_SEEDS=5000 store_test --gtest_filter='LogMachineFuzz*'; one again: MCV_SEED=17.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstdlib>
#include <deque>
#include <random>

#include "cluster/core/sha256.h"
#include "cluster/store/log_machine.h"
#include "cluster/store/log_store.h"
#include "fakes.h"
#include "log_pair.h"

namespace mcv::log_machine_test {
namespace {

using test::record;

/// What a node's disk says after a crash: through the real encoding.
Result<LogImage> load(const test::Tables& tables, std::uint64_t known_format) {
  boost::asio::io_context loop;
  test::VirtualClock clock(loop);
  test::MemoryStore store(clock);
  store.tables = tables;
  return clock.run(load_image(store, known_format));
}

LogImage read_back(const test::Tables& tables, std::uint64_t known_format = newest_format) {
  auto image = load(tables, known_format);
  if (!image.ok()) throw std::runtime_error("the store does not read back: " + image.error().message());
  return std::move(*image);
}

struct Asked {
  Change change;
  int node = 0;
  bool answered = false;
  std::optional<Result<Committed>> result;
};

class World {
 public:
  /// `rolling`: daemons are upgraded to the next format and back at any start, and somebody raises it.
  explicit World(std::uint64_t seed, bool rolling = false) : random_(seed), rolling_(rolling) {
    if (rolling_) crash_rate_ = 300;
    // A cluster of one that added B; B adopted its configuration.
    LogMachine alone("A", LogImage());
    alone.initialise(1, "first");
    settle(alone, 0);
    Change nodes{"nodes", "nodes", {put_new(record("A", 1)), put_new(record("B", 2))}};
    alone.propose(2, nodes);
    settle(alone, 0);
    LogMachine joining("B", LogImage());
    joining.adopt(1, *LogImage::from_json(alone.image().to_json(256), newest_format));
    settle(joining, 1);
    boot(0);
    boot(1);
  }

  void run(int steps, bool authority_on_both) {
    for (int step = 0; step < steps; ++step) {
      act(authority_on_both);
      if (rolling_ && chance(20)) settle_down();
      audit();
    }
    heal();
    audit();
  }

  /// A person chooses, daemons die in the middle, and both may be asked at once. Ends together; gives the node whose history stayed.
  int choose() {
    for (int tries = 0; tries < 20 && !together(); ++tries) {
      const int base = static_cast<int>(random_() % 2);
      crash_rate_ = 8;
      if (!diverged()) {
        heal();
        continue;
      }
      const Settled first = choice_against(1 - base);
      const Settled second = choice_against(base);
      const bool both = chance(3);
      if (both) {
        connected_ = false;
        membership();
      }
      settle(base, first);
      if (both) settle(1 - base, second);
      for (int i = 0; i < 30; ++i) {
        deliver(i % 2);
        receive(i % 2);
      }
      heal();
    }
    EXPECT_TRUE(together());
    if (!together()) return 0;
    EXPECT_EQ(machine_[0]->position(), machine_[1]->position());
    EXPECT_EQ(machine_[0]->state().hash(), machine_[1]->state().hash());
    int winner = 0;
    for (const GenerationRecord& record : machine_[0]->image().generations) {
      if (record.settles) winner = record.taken_by == "A" ? 0 : 1;
    }
    for (const auto& [key, asked] : asked_) {
      if (!asked.result || !asked.result->ok()) continue;
      const bool must_stay = key.first == winner || (*asked.result)->on_both_nodes;
      if (!must_stay) continue;
      for (const auto& machine : machine_) EXPECT_EQ(machine->outcome(asked.change.id + "@0").state, ChangeOutcome::committed) << "lost of the chosen history: " << asked.change.id;
    }
    return winner;
  }
  bool together() const { return up_[0] && up_[1] && machine_[0]->link() == LinkState::together && machine_[1]->link() == LinkState::together; }

  bool diverged() const { return up_[0] && up_[1] && machine_[0]->link() == LinkState::diverged; }
  int committed_changes = 0, refused = 0, unknown = 0, crashes = 0, splits = 0, generations = 0, dropped = 0, kept_out = 0;
  bool is_raised() const { return format_of(machine_[0]->state()) == trial_format; }
  std::vector<std::string> trace;

 private:
  // --- performing outputs ---------------------------------------------------------------------------------
  void settle(LogMachine& machine, int node) {
    while (auto output = machine.take_output()) {
      if (!output->persist) continue;
      test::apply_batch(disk_[node], to_batch(*output->persist));
      machine.persisted(success());
    }
  }

  /// Performs what the machine wants; may crash between any two things.
  void perform(int node) {
    while (up_[node]) {
      auto output = machine_[node]->take_output();
      if (!output) return;
      if (output->persist) {
        if (chance(crash_rate_)) return crash(node, "before persist");
        if (full_[node] && !output->persist->essential) {
          machine_[node]->persisted(Error(ErrorCode::disk_full, "full"));
          continue;
        }
        test::apply_batch(disk_[node], to_batch(*output->persist));
        if (chance(crash_rate_)) return crash(node, "after persist");
        machine_[node]->persisted(success());
        continue;
      }
      for (Output::Answer& answer : output->answers) note_answer(node, answer);
      for (std::string& message : output->messages) {
        if (chance(crash_rate_)) return crash(node, "before send");
        check_claim(node, message);
        if (joined_[node]) sent_[node].push_back(std::move(message));
      }
    }
  }

  /// A message claims only what is on the disk.
  void check_claim(int node, const std::string& message) {
    const Json header = *parse_json(std::string_view(message).substr(0, message.find('\n')));
    if (header.value("type", "") == "ack") {
      ASSERT_EQ(durable_hash(node, header["index"].get<std::uint64_t>()), header["hash"].get<std::string>()) << "acked what is not durable";
    }
    if (header.value("type", "") == "standing") {
      ASSERT_FALSE(durably_alone(node)) << "told where it stands while it may still go on alone";
    }
  }

  void note_answer(int node, Output::Answer& answer) {
    const auto found = asked_.find({node, answer.ticket});
    if (found == asked_.end()) {
      if (answer.ticket == authority_ticket && answer.result.ok()) ++generations;
      return;
    }
    Asked& asked = found->second;
    ASSERT_FALSE(asked.answered) << "answered twice: " << asked.change.id << " by " << node << " link " << to_text(machine_[node]->link()) << " r "
                                 << (asked.result ? asked.result->ok() ? "ok" : asked.result->error().message() : "none") << " now "
                                 << (answer.result.ok() ? "ok" : answer.result.error().message());
    asked.answered = true;
    asked.result = std::move(answer.result);
    if (asked.result->ok()) {
      ++committed_changes;
      // Durable where it was promised, at this moment.
      const Committed& at = **asked.result;
      for (int i = 0; i < 2; ++i) {
        if (i != node && !at.on_both_nodes) continue;
        ASSERT_EQ(durable_hash(i, at.index), at.hash) << "done was said, node " << i << " does not have it";
      }
    } else if (asked.result->error().code() == ErrorCode::outcome_unknown) {
      ++unknown;
    } else {
      ++refused;
      for (int i = 0; i < 2; ++i) {
        for (const auto& [key, text] : disk_[i]["log"]) {
          ASSERT_EQ(text.find("\"change\":\"" + asked.change.id + "\""), std::string::npos)
              << "refused was said, node " << i << " holds it (" << asked.result->error().message() << ")";
        }
      }
    }
  }

  // --- the group: one total order per component; a split delivers a prefix to each side --------------------
  void deliver(int from) {
    if (sent_[from].empty()) return;
    std::string message = std::move(sent_[from].front());
    sent_[from].pop_front();
    for (int to = 0; to < 2; ++to) {
      if (joined_[to] && (to == from || connected_)) inbox_[to].push_back(Message{static_cast<host::NodeId>(from + 1), message});
    }
  }

  void receive(int node) {
    if (!up_[node] || inbox_[node].empty()) return;
    auto item = std::move(inbox_[node].front());
    inbox_[node].pop_front();
    if (auto* members = std::get_if<std::vector<host::NodeId>>(&item)) {
      machine_[node]->members(*members, std::to_string(++nonce_));
    } else {
      const auto& message = std::get<Message>(item);
      machine_[node]->message(message.sender, message.bytes);
      if (chance(50)) {
        perform(node);
        if (up_[node]) machine_[node]->message(message.sender, duplicate_ack(message.bytes));
      }
    }
    perform(node);
  }

  /// Acks and claims may come twice: counting them twice must not matter. (Proposals come once: CPG does not duplicate.)
  static std::string duplicate_ack(const std::string& bytes) {
    return bytes.find("\"propose\"") == std::string::npos ? bytes : std::string();
  }

  void membership() {
    for (int node = 0; node < 2; ++node) {
      if (!joined_[node]) continue;
      // What was under way at the change reaches each side up to a point of its own.
      if (!connected_ || !joined_[1 - node]) cut_inbox(node);
      std::vector<host::NodeId> members;
      for (int other = 0; other < 2; ++other) {
        if (joined_[other] && (other == node || connected_)) members.push_back(static_cast<host::NodeId>(other + 1));
      }
      inbox_[node].push_back(members);
    }
    // What was handed to the group but not ordered yet is lost, or comes later in the next configuration.
    for (auto& queue : sent_) {
      while (!queue.empty() && chance(2)) queue.pop_back();
    }
  }

  /// The end of the order before a split may be missing at one side, never its own messages.
  void cut_inbox(int node) {
    auto& inbox = inbox_[node];
    for (int i = 0; i < 3 && !inbox.empty() && chance(2); ++i) {
      auto* message = std::get_if<Message>(&inbox.back());
      if (message == nullptr || message->sender == static_cast<host::NodeId>(node + 1)) return;
      inbox.pop_back();
    }
  }

  // --- faults and requests --------------------------------------------------------------------------------
  void boot(int node) {
    Abilities build;
    build.format = knows_[node] = choose_build(node);
    machine_[node] = std::make_unique<LogMachine>(node == 0 ? "A" : "B", read_back(disk_[node], build.format), build);
    up_[node] = joined_[node] = true;
    inbox_[node].clear();
    membership();
  }

  /// The older package does not start on a configuration that was raised, or may have been.
  std::uint64_t choose_build(int node) {
    if (!rolling_) return newest_format;
    if (is_healing_ || !chance(3)) return trial_format;
    const auto image = load(disk_[node], newest_format);
    if (image.ok()) return newest_format;
    if (image.error().code() != ErrorCode::format_unknown) throw std::runtime_error(image.error().to_text());
    ++kept_out;
    return trial_format;
  }

  void crash(int node, const char* where) {
    trace.push_back(std::string("crash ") + static_cast<char>('A' + node) + " " + where);
    ++crashes;
    machine_[node].reset();
    up_[node] = joined_[node] = false;
    inbox_[node].clear();
    sent_[node].clear();
    for (auto& [key, asked] : asked_) {
      if (key.first == node) asked.answered = true;  // nobody waits there any more
    }
    membership();
  }

  void act(bool authority_on_both) {
    const int node = static_cast<int>(random_() % 2);
    switch (random_() % 40) {
      case 0: case 1: case 2: case 3: case 4: case 5: case 6: return ask(node);
      case 7:
        if (up_[node] && chance(3)) crash(node, "at rest");
        return;
      case 8: case 9:
        if (!up_[node]) boot(node);
        return;
      case 10:
        if (!chance(3)) return;
        connected_ = !connected_;
        if (!connected_) ++splits;
        return membership();
      case 11: case 12:
        if (!connected_) {
          connected_ = true;
          membership();
        }
        return;
      case 13:
        full_[node] = chance(4);
        return;
      case 14: return expire(node);
      case 15: return authority(node, authority_on_both);
      case 16:
        if (up_[node] && joined_[node] && chance(6)) {
          machine_[node]->lost("corosync is gone");
          joined_[node] = false;
          inbox_[node].clear();
          sent_[node].clear();
          perform(node);
          membership();
        }
        return;
      case 17: case 18:
        if (up_[node] && !joined_[node]) {
          joined_[node] = true;
          membership();
        }
        return;
      default:
        if (chance(2)) deliver(node); else receive(node);
        return;
    }
  }

  void ask(int node) {
    if (!up_[node]) return;
    const Ticket ticket = ++ticket_;
    const std::string key = "k" + std::to_string(random_() % 5);
    Mutation mutation{Kind::setting, key, std::nullopt, Json(std::to_string(ticket))};
    if (chance(3)) mutation.expected_revision = machine_[node]->state().revision(Kind::setting, key);
    Change change{"c" + std::to_string(ticket), "set " + key, {mutation}};
    const bool in_contact = machine_[node]->link() == LinkState::together;
    if (rolling_ && chance(in_contact ? 3 : 30)) change = {"c" + std::to_string(ticket), "raise", {{Kind::setting, format_setting, std::nullopt, Json(std::to_string(trial_format))}}};
    asked_[{node, ticket}] = {change, node, false, std::nullopt};
    machine_[node]->propose(ticket, change);
    perform(node);
  }

  void expire(int node) {
    if (!up_[node]) return;
    for (auto& [key, asked] : asked_) {
      if (key.first != node || asked.answered) continue;
      machine_[node]->expire(key.second);
      return perform(node);
    }
  }

  /// A proof that the peer is down is true when only one side uses it per separation and the other is stopped.
  void authority(int node, bool on_both) {
    if (!up_[node] || machine_[node]->link() != LinkState::apart) return;
    if (!on_both && up_[1 - node]) crash(1 - node, "fenced");
    if (!on_both && durably_alone(1 - node)) return;
    // "Nobody let it carry on alone": one whose generation this side has not seen yet forbids it.
    if (!on_both && read_back(disk_[1 - node], trial_format).generations.size() > machine_[node]->image().generations.size()) return;
    if (!up_[node] || machine_[node]->link() != LinkState::apart) return;
    machine_[node]->take_generation(authority_ticket, "g" + std::to_string(++nonce_), "test");
    perform(node);
  }

  Settled choice_against(int other) {
    const Position end = machine_[other]->position();
    const std::string id = "choice" + std::to_string(++nonce_);
    return {end, "test", {id, "choose", {{Kind::setting, "given-up", std::nullopt, Json(id)}}}};
  }

  void settle(int node, const Settled& settled) {
    if (!up_[node]) return;
    machine_[node]->settle(authority_ticket + 1, "s" + std::to_string(++nonce_), settled);
    perform(node);
    // The side that gives way replaces what it had committed.
    committed_seen_[0].clear();
    committed_seen_[1].clear();
    // The shell leaves the group and joins again.
    if (up_[node]) membership();
  }

  void heal() {
    is_healing_ = true;
    for (int node = 0; node < 2; ++node) {
      if (rolling_ && up_[node]) crash(node, "to be upgraded");
    }
    crash_rate_ = 0;
    full_[0] = full_[1] = false;
    connected_ = true;
    for (int node = 0; node < 2; ++node) {
      if (!up_[node]) boot(node);
      joined_[node] = true;
    }
    membership();
    settle_down();
  }

  /// Everything that is on its way arrives. A raise needs that now and then: it takes both nodes, of the newer build, several messages.
  void settle_down() {
    for (int i = 0; i < 20000; ++i) {
      for (int node = 0; node < 2; ++node) {
        deliver(node);
        receive(node);
      }
      if (sent_[0].empty() && sent_[1].empty() && inbox_[0].empty() && inbox_[1].empty()) break;
    }
  }

  // --- the auditor ----------------------------------------------------------------------------------------
 public:
  void audit() {
    for (int node = 0; node < 2; ++node) {
      if (!up_[node]) continue;
      const LogImage& image = machine_[node]->image();
      // What memory holds is what the disk holds. Reading everything back is slow: now and then.
      if (++audits_ % 40 == 0) {
        const LogImage disk = read_back(disk_[node], knows_[node]);
        ASSERT_EQ(disk.state, image.state);
        ASSERT_EQ(disk.committed_hash, image.committed_hash);
        ASSERT_EQ(disk.log, image.log);
        ASSERT_EQ(disk.alone, image.alone);
      }
      // An older build holds nothing it does not know.
      for (const auto& [index, entry] : image.log) ASSERT_LE(entry.format, knows_[node]) << "entry " << index << " on node " << node;
      ASSERT_LE(format_of(image.state), knows_[node]) << "node " << node;
      // Committed stays committed, unless the whole history was replaced by one that continues it.
      auto& seen = committed_seen_[node];
      for (auto entry = image.log.rbegin(); entry != image.log.rend(); ++entry) {
        if (entry->first > image.committed_index) continue;
        const auto [at, fresh] = seen.emplace(entry->first, entry->second.hash);
        ASSERT_EQ(at->second, entry->second.hash) << "committed entry " << entry->first << " changed on node " << node;
      }
    }
    // Never two committed entries with one index in one generation.
    for (const auto& [index, hash] : committed_seen_[0]) {
      const auto other = committed_seen_[1].find(index);
      if (other == committed_seen_[1].end() || other->second == hash) continue;
      ASSERT_TRUE(both_took_generations()) << "two histories at entry " << index;
    }
  }

  /// After healing: together and equal, every promise kept.
  void expect_converged() {
    ASSERT_EQ(machine_[0]->link(), LinkState::together) << machine_[0]->link_reason();
    ASSERT_EQ(machine_[1]->link(), LinkState::together) << machine_[1]->link_reason();
    ASSERT_EQ(machine_[0]->position(), machine_[1]->position());
    ASSERT_EQ(machine_[0]->state().hash(), machine_[1]->state().hash());
    for (const auto& [key, asked] : asked_) {
      const Outcome a = machine_[0]->outcome(asked.change.id + "@0");
      const Outcome b = machine_[1]->outcome(asked.change.id + "@0");
      ASSERT_EQ(a.state, b.state);
      ASSERT_TRUE(asked.answered) << asked.change.id << " was never answered";
      if (!asked.result) continue;
      const bool known = asked.result->ok() || asked.result->error().code() != ErrorCode::outcome_unknown;
      if (!known) {
        ASSERT_TRUE(a.state == ChangeOutcome::committed || a.state == ChangeOutcome::not_applied);
        if (a.state == ChangeOutcome::not_applied) ++dropped;
        continue;
      }
      ASSERT_EQ(a.state, asked.result->ok() ? ChangeOutcome::committed : ChangeOutcome::not_applied) << asked.change.id;
      if (asked.result->ok()) {
        ASSERT_EQ(a.position.hash, (**asked.result).hash);
      }
    }
  }

 private:
  struct Message {
    host::NodeId sender;
    std::string bytes;
  };
  using Item = std::variant<std::vector<host::NodeId>, Message>;
  static constexpr Ticket authority_ticket = 1'000'000;

  std::string durable_hash(int node, std::uint64_t index) {
    const auto& log = disk_[node]["log"];
    const auto found = log.find(fmt::format("{:020}", index));
    return found == log.end() ? "nothing" : LogEntry::from_json(*parse_json(found->second), trial_format)->hash;
  }
  bool durably_alone(int node) { return disk_[node]["meta"]["facts"].find("\"alone\":true") != std::string::npos; }
  bool both_took_generations() const { return allow_two_histories; }
  bool chance(std::uint64_t one_in) { return one_in != 0 && random_() % one_in == 0; }

  std::mt19937_64 random_;
  const bool rolling_;
  bool is_healing_ = false;
  std::uint64_t knows_[2] = {newest_format, newest_format};
  std::uint64_t crash_rate_ = 60;
  std::uint64_t nonce_ = 0, audits_ = 0;
  Ticket ticket_ = 10;
  test::Tables disk_[2];
  std::unique_ptr<LogMachine> machine_[2];
  bool up_[2] = {false, false}, joined_[2] = {false, false}, full_[2] = {false, false};
  bool connected_ = true;
  std::deque<std::string> sent_[2];
  std::deque<Item> inbox_[2];
  std::map<std::pair<int, Ticket>, Asked> asked_;
  std::map<std::uint64_t, std::string> committed_seen_[2];

 public:
  bool allow_two_histories = false;
};

std::uint64_t seeds(std::uint64_t normally) {
  const char* wanted = std::getenv("MCV_SEEDS");
  return wanted == nullptr ? normally : std::strtoull(wanted, nullptr, 10);
}

TEST(LogMachineFuzz, EveryPromiseIsKeptThroughCrashesSplitsAndFullDisks) {
  int committed = 0, refused = 0, unknown = 0, crashes = 0, splits = 0, generations = 0, dropped = 0;
  const char* only = std::getenv("MCV_SEED");
  const std::uint64_t first = only == nullptr ? 1 : std::strtoull(only, nullptr, 10);
  const std::uint64_t last = only == nullptr ? seeds(25) : first;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("MCV_SEED=" + std::to_string(seed));
    World world(seed);
    world.run(1500, false);
    if (!::testing::Test::HasFatalFailure()) world.expect_converged();
    if (::testing::Test::HasFatalFailure()) return;
    committed += world.committed_changes, refused += world.refused, unknown += world.unknown, crashes += world.crashes;
    splits += world.splits, generations += world.generations, dropped += world.dropped;
  }
  std::printf("%llu seeds: %d committed, %d refused, %d unknown (%d of them dropped), %d crashes, %d splits, %d generations\n",
              static_cast<unsigned long long>(last - first + 1), committed, refused, unknown, dropped, crashes, splits, generations);
  if (only != nullptr) return;
  EXPECT_GT(committed, 100);
  EXPECT_GT(refused, 100);
  EXPECT_GT(dropped, 0);
  EXPECT_GT(generations, 10);
}

TEST(LogMachineFuzz, ARollingUpgradeAndTheWayBackKeepEveryPromiseInEitherFormat) {
  int committed = 0, kept_out = 0, raised = 0, generations = 0;
  const char* only = std::getenv("MCV_SEED");
  const std::uint64_t first = only == nullptr ? 1 : std::strtoull(only, nullptr, 10);
  const std::uint64_t last = only == nullptr ? seeds(10) : first;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("MCV_SEED=" + std::to_string(seed));
    World world(seed * 104729, true);
    world.run(1500, false);
    if (!::testing::Test::HasFatalFailure()) world.expect_converged();
    if (::testing::Test::HasFatalFailure()) return;
    committed += world.committed_changes, kept_out += world.kept_out, generations += world.generations;
    if (world.is_raised()) ++raised;
  }
  std::printf("%llu seeds: %d committed, raised in %d, %d starts of the older build refused, %d generations\n", static_cast<unsigned long long>(last - first + 1), committed, raised,
              kept_out, generations);
  if (only != nullptr) return;
  EXPECT_GT(committed, 100);
  EXPECT_GT(raised, 3);
  EXPECT_GT(kept_out, 3);
}

TEST(LogMachineFuzz, TwoAuthoritiesEndInEqualHistoriesOrInDivergenceThatAPersonEnds) {
  int diverged = 0;
  int won[2] = {0, 0};
  for (std::uint64_t seed = 1; seed <= seeds(12); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed * 7919);
    world.allow_two_histories = true;
    world.run(1000, true);
    if (::testing::Test::HasFatalFailure()) return;
    if (world.diverged()) {
      ++diverged;
      ++won[world.choose()];
    } else {
      world.expect_converged();
    }
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(diverged, 0);
  std::printf("%d of two histories, %d chosen for A, %d for B\n", diverged, won[0], won[1]);
}

}  // namespace
}  // namespace mcv::log_machine_test

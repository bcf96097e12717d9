// SPDX-License-Identifier: Apache-2.0
// What the other node's daemon says over corosync is of any type and size: it is left out or refused, on both nodes alike, and nothing
// is thrown (a task that throws ends the daemon).
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "cluster/model/access_records.h"
#include "cluster/model/peer_loss_policy.h"
#include "cluster/store/log_machine_parts.h"
#include "log_pair.h"

namespace mcv::hostile_messages_test {
namespace {

using test::joined_image;
using test::LogPair;
using test::record;
using test::work_off;

/// Of every JSON type, and beyond what a number may be.
const std::vector<Json> odd_values = {nullptr, true, -1, 1.5, 1e300, std::uint64_t{18446744073709551615u}, "", "x", Json::array(), Json::array({nullptr, 7, "x"}), Json::object(), Json{{"a", Json{{"b", 1}}}}};

/// Every place in `value`, itself and its containers too.
void places_in(const Json& value, const Json::json_pointer& at, std::vector<Json::json_pointer>& places) {
  places.push_back(at);
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) places_in(item, at / key, places);
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) places_in(value[i], at / i, places);
  }
}

std::vector<Json> spoiled(const Json& value) {
  std::vector<Json::json_pointer> places;
  places_in(value, Json::json_pointer(), places);
  std::vector<Json> all;
  for (const auto& place : places) {
    for (const Json& odd : odd_values) {
      Json copy = value;
      copy[place] = odd;
      all.push_back(std::move(copy));
    }
  }
  return all;
}

std::vector<Json> changes_of_each_kind() {
  VolumeRecord volume;
  volume.name = VolumeName::trusted("vm1-0");
  volume.vm = VmName::trusted("vm1");
  volume.pool = PoolName::trusted("fast");
  volume.size = Bytes::mib(64);
  VmRecord vm;
  vm.name = VmName::trusted("vm1");
  vm.owner = NodeName::trusted("A");
  vm.volumes = {volume.name};
  PoolRecord pool;
  pool.name = PoolName::trusted("fast");
  pool.volume_group = "vg0";
  NetworkRecord network;
  network.name = NetworkName::trusted("lan");
  network.bridge = "br0";
  GroupRecord group{GroupName::trusted("ops"), {UserName::trusted("alice")}};
  std::vector<Json> changes;
  const auto add = [&changes](std::vector<Mutation> mutations) {
    Change change{fmt::format("change-{}", changes.size()), "a test", std::move(mutations)};
    change.audit = Json{{"user", "alice"}, {"entered", "A"}, {"action", "vm.create"}, {"wall", 1}, {"vms", {"vm1"}}};
    changes.push_back(*parse_json(change.encode()));
  };
  add({put_new(record("C", 3))});
  add({put_new(network), put_new(pool)});
  add({put_new(pool), put_new(network), put_new(vm), put_new(volume)});
  add({put_new(UserRecord{UserName::trusted("alice")}), put_new(group)});
  add({Mutation{Kind::setting, "peer-loss", std::nullopt, Json("freeze")}, Mutation{Kind::setting, "given-up-3", 0, Json{{"other", "B"}}}});
  add({patch(Kind::node, "A", Json{{"cluster_address", "10.0.0.1"}}, Json{{"cluster_address", ""}})});
  add({Mutation{Kind::node, "A"}, Mutation{Kind::setting, format_setting, std::nullopt, Json("1")}});
  return changes;
}

void expect_whole(const LogPair& pair, const std::string& what) {
  for (const LogMachine* machine : {&pair.a(), &pair.b()}) {
    ASSERT_NE(machine->link(), LinkState::failed) << what << ": " << machine->link_reason();
    ASSERT_TRUE(machine->image().verify().ok()) << what;
  }
}

TEST(HostileMessages, ChangesOfAnyTypesAreTakenOrRefusedOnBothNodesAlike) {
  const LogPair met;
  ASSERT_TRUE(met.together());
  std::size_t sent = 0;
  std::size_t taken = 0;
  for (const Json& change : changes_of_each_kind()) {
    for (const Json& wrong : spoiled(change)) {
      LogPair pair = met;
      const Json header = {{"type", "propose"}, {"session", LogPair::session}, {"ticket", 7}, {"format", 1}};
      const std::string text = canonical(wrong);
      ASSERT_NO_THROW(pair.say(2, canonical(header) + "\n" + text)) << text;
      expect_whole(pair, text);
      if (HasFatalFailure()) return;
      ASSERT_EQ(pair.a().position(), pair.b().position()) << text;
      ASSERT_EQ(pair.a().state().hash(), pair.b().state().hash()) << text;
      ++sent;
      if (pair.a().position().index != met.a().position().index) ++taken;
    }
  }
  EXPECT_GT(sent, 1000u);
  EXPECT_GT(taken, 100u) << "most of a change must be right for the wrong part to be reached";
}

TEST(HostileMessages, FieldsOfAnyTypesInEachKindOfMessage) {
  const LogPair met;
  const Json about_head = {{"index", 4}, {"proposer", 2}, {"ticket", 7}, {"hash", "x"}, {"error", {{"code", "busy"}, {"message", "x"}}}};
  for (const char* type : {"hello", "standing", "state", "synced", "propose", "ack", "refuse", "aborted"}) {
    Json header = about_head;
    header.update({{"type", type}, {"session", LogPair::session}, {"part", 0}, {"parts", 1}, {"format", 1}, {"written", 1}, {"protocol", 1}, {"nonce", "other"}, {"features", {"x"}},
                   {"position", to_json(met.a().position())}, {"state", "x"}});
    for (const Json& wrong : spoiled(header)) {
      for (const std::string& payload : {std::string(), std::string("\n{}"), "\n" + changes_of_each_kind().front().dump()}) {
        LogPair pair = met;
        const std::string text = canonical(wrong) + payload;
        ASSERT_NO_THROW(pair.say(2, text)) << text;
        expect_whole(pair, text);
        if (HasFatalFailure()) return;
      }
    }
  }
}

/// Not from a build that speaks the protocol: nothing is said about that build, and the next message is read.
TEST(HostileMessages, AMessageWithAFractionIsLeftOut) {
  LogMachine a("A", joined_image());
  a.members({1, 2}, "nonce-a");
  work_off(a);
  const std::string before = a.link_reason();
  for (const char* fraction : {R"({"type":"hello","protocol":1e300,"format":1,"nonce":"x"})", R"({"type":"hello","protocol":1,"format":-1.5,"nonce":"x"})"}) {
    a.message(2, fraction);
    work_off(a);
    EXPECT_EQ(a.link_reason(), before) << fraction;
  }
  a.message(2, R"({"type":"hello","protocol":7,"format":1,"nonce":"x"})");
  EXPECT_NE(a.link_reason(), before);
}

/// What the store of another build says of the other history.
TEST(HostileMessages, ADivergenceThatCannotBeReadIsOneAllTheSame) {
  for (const Json& odd : odd_values) {
    for (const Json& recorded : {odd, Json{{"reason", odd}, {"peer", odd}}, Json{{"reason", "two"}, {"peer", {{"counter", odd}, {"uuid", odd}, {"committed", odd}, {"hash", odd}}}}}) {
      LogImage image = joined_image();
      image.diverged = recorded;
      LogMachine machine("A", std::move(image));
      EXPECT_EQ(machine.link(), LinkState::diverged);
      ASSERT_NO_THROW(static_cast<void>(machine.link_reason())) << recorded;
      machine.propose(9, Change{"c", "c", {}});
      ASSERT_NO_THROW(work_off(machine)) << recorded;
      machine.take_generation(10, "5f0c3d70-0000-4000-8000-000000000003", "a test");
      ASSERT_NO_THROW(work_off(machine)) << recorded;
    }
  }
}

/// A's daemon, which learned at the meeting that B holds a newer generation and sends all of it.
class WholeState : public ::testing::Test {
 protected:
  WholeState() {
    LogMachine b("B", joined_image());
    b.members({2}, "early");
    work_off(b);
    b.take_generation(3, "5f0c3d70-0000-4000-8000-000000000002", "a test");
    work_off(b);
    sent = b.image();
    a.members({1, 2}, "nonce-a");
    hear_oneself();
    a.message(2, R"({"type":"hello","protocol":1,"format":1,"written":1,"features":[],"nonce":"nonce-b"})");
    hear_oneself();
    const Json standing = {{"type", "standing"}, {"session", LogPair::session}};
    a.message(2, canonical(standing) + "\n" + canonical(standing_of(sent).to_json()));
    hear_oneself();
  }
  void hear_oneself() {
    for (std::vector<std::string> said = work_off(a); !said.empty(); said = work_off(a)) {
      for (const std::string& message : said) a.message(1, message);
    }
  }
  void part(std::uint64_t number, std::uint64_t parts, const std::string& text) {
    const Json header = {{"type", "state"}, {"session", LogPair::session}, {"part", number}, {"parts", parts}};
    a.message(2, canonical(header) + "\n" + text);
    hear_oneself();
  }
  void expect_refused() {
    EXPECT_EQ(a.link(), LinkState::apart);
    EXPECT_NE(a.link_reason().find("larger than 64 MiB"), std::string::npos) << a.link_reason();
    EXPECT_EQ(a.position().generation.counter, 1u) << "what it held stays";
  }
  LogMachine a{"A", joined_image()};
  LogImage sent;
};

TEST_F(WholeState, IsTakenInPartsInAnyOrder) {
  const std::string text = canonical(sent.to_json(256));
  const std::size_t half = text.size() / 2;
  part(1, 2, text.substr(half));
  EXPECT_EQ(a.position().generation.counter, 1u);
  part(0, 2, text.substr(0, half));
  EXPECT_EQ(a.position(), sent.committed_index == 0 ? Position() : LogMachine("B", sent).position());
}

TEST_F(WholeState, OfMorePartsThanAnyConfigurationHasIsRefusedAtOnce) {
  part(0, 129, "{");
  expect_refused();
  part(0, 1, canonical(sent.to_json(256)));
  expect_refused();
}

TEST_F(WholeState, WithAPartBeyondTheLastOneIsRefused) {
  part(2, 2, "{");
  expect_refused();
}

TEST_F(WholeState, InNoPartsAtAllIsRefused) {
  part(0, 0, "{");
  expect_refused();
}

TEST_F(WholeState, WithALargerPartThanIsSentIsRefused) {
  part(0, 2, std::string(513 * 1024, ' '));
  expect_refused();
}

TEST(WholeStateText, LeavesOutTheOldestEntriesOfTheLogWhereItWouldBeTooLarge) {
  LogMachine machine("A", LogImage());
  machine.initialise(1, "5f0c3d70-0000-4000-8000-000000000001");
  work_off(machine);
  for (Ticket ticket = 2; ticket < 40; ++ticket) {
    machine.propose(ticket, Change{fmt::format("c{}", ticket), std::string(1000, 's'), {{Kind::setting, "k", std::nullopt, Json(ticket)}}});
    work_off(machine);
  }
  const std::string whole = log_parts::whole_state(machine.image(), 1 << 20);
  EXPECT_EQ(parse_json(whole)->at("log").size(), 38u);
  const std::string part = log_parts::whole_state(machine.image(), 20'000);
  EXPECT_LE(part.size(), 20'000u);
  const auto image = LogImage::from_json(*parse_json(part), newest_format);
  ASSERT_TRUE(image.ok()) << image.error().message();
  EXPECT_EQ(image->committed_hash, machine.image().committed_hash);
  EXPECT_FALSE(image->log.empty());
  EXPECT_TRUE(LogImage::from_json(*parse_json(log_parts::whole_state(machine.image(), 1)), newest_format).ok()) << "without its log it is still the configuration";
}

}  // namespace
}  // namespace mcv::hostile_messages_test

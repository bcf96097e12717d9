// SPDX-License-Identifier: Apache-2.0
// What may be written while the two nodes run different builds: the decisions, and two nodes that follow them.
#include <gtest/gtest.h>

#include "cluster/model/access_records.h"
#include "cluster/model/peer_loss_policy.h"
#include "cluster/store/abilities.h"
#include "cluster/store/log_entry.h"
#include "pair_fixture.h"

namespace mcv::abilities_test {
namespace {

using namespace std::chrono_literals;
using test::set;

Abilities build(std::uint64_t format, std::set<std::string> features = {feature::run_alone}) { return {format, std::move(features)}; }

std::optional<OtherBuild> peer(std::optional<Abilities> knows) { return OtherBuild{"B", std::move(knows)}; }

ClusterState with_format(const std::string& text) {
  ClusterState state;
  EXPECT_TRUE(state.apply(set(format_setting, text), 1).ok());
  return state;
}

TEST(FormatOf, IsOneUntilItIsRaisedAndAWordNobodyKnowsIsAFormatNobodyKnows) {
  EXPECT_EQ(format_of(ClusterState()), 1u);
  EXPECT_EQ(format_of(with_format("3")), 3u);
  for (const char* text : {"", "0", "-1", "2a", "two", "99999999999999999999999"}) EXPECT_GT(format_of(with_format(text)), 1'000'000u) << text;
}

struct Raise {
  const char* why;
  std::uint64_t own;
  std::optional<OtherBuild> other;
  std::variant<std::uint64_t, ErrorCode> wanted;
};

class NextFormat : public testing::TestWithParam<Raise> {};

TEST_P(NextFormat, IsWhatBothKnow) {
  const auto& row = GetParam();
  const auto next = next_format(with_format("2"), "A", build(row.own), row.other);
  if (const auto* format = std::get_if<std::uint64_t>(&row.wanted)) {
    ASSERT_TRUE(next.ok()) << row.why << ": " << next.error().to_text();
    EXPECT_EQ(*next, *format) << row.why;
    return;
  }
  ASSERT_FALSE(next.ok()) << row.why;
  EXPECT_EQ(next.error().code(), std::get<ErrorCode>(row.wanted)) << row.why;
  EXPECT_FALSE(next.error().next().empty());
}

INSTANTIATE_TEST_SUITE_P(Table, NextFormat,
                         testing::Values(Raise{"both know the next one", 3, peer(build(3)), std::uint64_t{3}}, Raise{"the newest that both know", 5, peer(build(4)), std::uint64_t{4}},
                                         Raise{"nothing newer", 2, peer(build(2)), std::uint64_t{2}}, Raise{"a cluster of one", 4, std::nullopt, std::uint64_t{4}},
                                         Raise{"a cluster of one, nothing newer", 2, std::nullopt, std::uint64_t{2}},
                                         Raise{"the other one is older", 3, peer(build(2)), ErrorCode::format_unknown}, Raise{"this one is older", 2, peer(build(3)), ErrorCode::format_unknown},
                                         Raise{"not in contact", 3, peer(std::nullopt), ErrorCode::peer_unreachable}));

TEST(NextFormat, NamesTheNodeThatNeedsThePackage) {
  EXPECT_NE(next_format(ClusterState(), "A", build(1), peer(build(2))).error().next().find("on A:"), std::string::npos);
  EXPECT_NE(next_format(ClusterState(), "A", build(2), peer(build(1))).error().next().find("on B:"), std::string::npos);
}

TEST(CheckAbilities, AFormatIsOnlyRaisedAndOnlyToOneThatBothKnow) {
  const auto code = [](const char* text, const Abilities& own, const std::optional<OtherBuild>& other) {
    const Status status = check_abilities(set(format_setting, text), with_format("2"), own, other);
    return status.ok() ? std::optional<ErrorCode>() : status.error().code();
  };
  EXPECT_EQ(code("3", build(3), peer(build(3))), std::nullopt);
  EXPECT_EQ(code("2", build(3), peer(build(2))), std::nullopt);
  EXPECT_EQ(code("3", build(3), std::nullopt), std::nullopt);
  EXPECT_EQ(code("3", build(2), peer(build(3))), ErrorCode::format_unknown);
  EXPECT_EQ(code("3", build(3), peer(build(2))), ErrorCode::format_unknown);
  EXPECT_EQ(code("3", build(3), peer(std::nullopt)), ErrorCode::peer_unreachable);
  EXPECT_EQ(code("1", build(3), peer(build(3))), ErrorCode::bad_request);
  EXPECT_EQ(code("next", build(3), peer(build(3))), ErrorCode::format_unknown);
  const Change forgets{"", "", {{Kind::setting, format_setting, std::nullopt, std::nullopt}}};
  EXPECT_FALSE(check_abilities(forgets, with_format("2"), build(3), peer(build(3))).ok());
  const Change patches{"", "", {{Kind::setting, format_setting, std::nullopt, std::nullopt, Json("1")}}};
  EXPECT_FALSE(check_abilities(patches, with_format("2"), build(3), peer(build(3))).ok());
}

TEST(CheckAbilities, RunAloneNeedsAPeerThatKnowsIt) {
  const auto code = [](const ClusterState& before, const char* policy, const std::optional<OtherBuild>& other) {
    const Status status = check_abilities(set(peer_loss_setting, policy), before, build(1), other);
    return status.ok() ? std::optional<ErrorCode>() : status.error().code();
  };
  const ClusterState fresh;
  ClusterState runs_alone;
  ASSERT_TRUE(runs_alone.apply(set(peer_loss_setting, "run-alone"), 1).ok());
  EXPECT_EQ(code(fresh, "run-alone", peer(build(1))), std::nullopt);
  EXPECT_EQ(code(fresh, "run-alone", std::nullopt), std::nullopt);
  EXPECT_EQ(code(fresh, "run-alone", peer(build(1, {}))), ErrorCode::version_mismatch);
  EXPECT_EQ(code(fresh, "run-alone", peer(std::nullopt)), ErrorCode::peer_unreachable);
  EXPECT_EQ(code(fresh, "freeze", peer(build(1, {}))), std::nullopt);
  EXPECT_EQ(code(runs_alone, "run-alone", peer(std::nullopt)), std::nullopt) << "nothing changes";
  EXPECT_EQ(code(runs_alone, "freeze", peer(std::nullopt)), std::nullopt);
}

TEST(CheckAbilities, RolesAreGivenOnlyBesideABuildThatKnowsThemAndTakenBackAlways) {
  const UserRecord user{UserName::trusted("alice")};
  const Change gives{"", "", {put_new(user)}};
  ClusterState given;
  ASSERT_TRUE(given.apply(gives, 1).ok());
  const Change takes{"", "", {erase_at(given, Kind::setting, user.key())}};
  const auto code = [](const Change& change, const ClusterState& before, const std::optional<OtherBuild>& other) {
    const Status status = check_abilities(change, before, Abilities(), other);
    return status.ok() ? std::optional<ErrorCode>() : status.error().code();
  };
  EXPECT_EQ(code(gives, {}, peer(Abilities())), std::nullopt);
  EXPECT_EQ(code(gives, {}, std::nullopt), std::nullopt);
  EXPECT_EQ(code(gives, {}, peer(build(1))), ErrorCode::version_mismatch);
  EXPECT_EQ(code(gives, {}, peer(std::nullopt)), std::nullopt) << "allows nothing on a build that does not know it";
  EXPECT_EQ(code(takes, given, peer(build(1))), std::nullopt);
  const GroupName ops = GroupName::trusted("ops");
  ASSERT_TRUE(given.apply({"", "", {put_new(GroupRecord{ops, {user.name}})}}, 2).ok());
  const Change fewer{"", "", {put_at(given, GroupRecord{ops, {}})}};
  EXPECT_EQ(code(fewer, given, peer(build(1))), std::nullopt);
  ClusterState empty = given;
  ASSERT_TRUE(empty.apply(fewer, 3).ok());
  EXPECT_EQ(code({"", "", {put_at(empty, GroupRecord{ops, {user.name}})}}, empty, peer(build(1))), ErrorCode::version_mismatch);
}

TEST(Entry, OfTheNextFormatHasAnotherHashAndIsRefusedByAnOlderBuild) {
  const LogEntry older = make_entry(1, {1, "g"}, LogEntryKind::change, "c", "bytes", "", 1);
  const LogEntry newer = make_entry(1, {1, "g"}, LogEntryKind::change, "c", "bytes", "", trial_format);
  EXPECT_NE(older.hash, newer.hash);
  EXPECT_EQ(*LogEntry::from_json(older.to_json(), trial_format), older);
  EXPECT_EQ(*LogEntry::from_json(newer.to_json(), trial_format), newer);
  EXPECT_EQ(LogEntry::from_json(newer.to_json(), newest_format).error().code(), ErrorCode::format_unknown);
  Json as_older = newer.to_json();
  as_older["format"] = 1;
  EXPECT_EQ(LogEntry::from_json(as_older, trial_format).error().code(), ErrorCode::store_corrupt) << "the hash covers the format";
  Json other_size = newer.to_json();
  other_size["size"] = 4;
  EXPECT_EQ(LogEntry::from_json(other_size, trial_format).error().code(), ErrorCode::store_corrupt);
  other_size.erase("size");
  EXPECT_FALSE(LogEntry::from_json(other_size, trial_format).ok()) << "the field belongs to it";
}

class MixedBuilds : public test::PairTest {
 protected:
  void start_a(Abilities abilities) { start(state_a, a, std::move(abilities)); }
  void start_b(Abilities abilities) { start(state_b, b, std::move(abilities)); }
  void start(std::unique_ptr<SharedState>& state, test::TestNode& node, Abilities abilities) {
    const bool is_member = state != nullptr;
    if (state) stop(state);
    state = std::make_unique<SharedState>(node.host, std::move(abilities));
    ASSERT_TRUE(clock.run(state->load()).ok());
    if (is_member) {
      ASSERT_TRUE(clock.run(state->start_group()).ok());
    }
  }
  void expect_together() {
    ASSERT_TRUE(clock.run(state_a->wait_together(20'000ms))) << state_a->link().reason;
    ASSERT_TRUE(clock.run(state_b->wait_together(20'000ms))) << state_b->link().reason;
    EXPECT_EQ(state_a->position(), state_b->position());
    EXPECT_EQ(state_a->current().hash(), state_b->current().hash());
  }
  ErrorCode refusal(SharedState& state, const Change& change) {
    const auto done = clock.run(state.propose(change));
    return done.ok() ? ErrorCode::internal : done.error().code();
  }
  /// Formats of the entries a node holds, oldest first.
  std::vector<std::uint64_t> formats(test::TestNode& node) {
    std::vector<std::uint64_t> found;
    for (const auto& [key, text] : node.store.tables["log"]) found.push_back(parse_json(text)->at("format").get<std::uint64_t>());
    return found;
  }
  std::uint64_t store_format(test::TestNode& node) { return parse_json(node.store.tables["meta"]["facts"])->at("format").get<std::uint64_t>(); }
};

TEST_F(MixedBuilds, TheNewerOneWritesTheOlderFormatUntilBothKnowTheNextAndItIsRaised) {
  start_a(build(1));
  start_b(build(1));
  connect();
  start_b(build(2));
  expect_together();
  EXPECT_EQ(state_a->other_build()->knows, build(2));
  EXPECT_EQ(state_b->other_build()->knows, build(1));
  ASSERT_TRUE(clock.run(state_a->propose(set("from", "a"))).ok());
  ASSERT_TRUE(clock.run(state_b->propose(set("from", "b"))).ok());
  EXPECT_EQ(refusal(*state_b, set(format_setting, "2")), ErrorCode::format_unknown);
  EXPECT_EQ(refusal(*state_a, set(format_setting, "2")), ErrorCode::format_unknown);
  EXPECT_EQ(formats(b), std::vector<std::uint64_t>(4, 1));
  EXPECT_EQ(store_format(b), 1u);
  // The way back is open.
  start_b(build(1));
  expect_together();
  start_b(build(2));
  start_a(build(2));
  expect_together();
  ASSERT_TRUE(clock.run(state_a->propose(set(format_setting, "2"))).ok());
  ASSERT_TRUE(clock.run(state_b->propose(set("from", "b again"))).ok());
  EXPECT_EQ(a.store.tables["log"], b.store.tables["log"]);
  EXPECT_EQ(formats(a).back(), 2u);
  EXPECT_EQ(formats(a)[formats(a).size() - 2], 1u) << "what raises it is of the older format";
  EXPECT_EQ(store_format(a), 2u);
  EXPECT_EQ(store_format(b), 2u);
}

TEST_F(MixedBuilds, AnOlderBuildRefusesARaisedStoreAndLeavesItAsItIs) {
  start_a(build(2));
  start_b(build(2));
  connect();
  ASSERT_TRUE(clock.run(state_a->propose(set(format_setting, "2"))).ok());
  stop(state_b);
  const auto before = b.store.tables;
  const int commits = b.store.commits;
  SharedState older(b.host, build(1));
  const Status refused = clock.run(older.load());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::format_unknown);
  EXPECT_NE(refused.error().safe().find("guests go on"), std::string::npos);
  EXPECT_EQ(b.store.tables, before);
  EXPECT_EQ(b.store.commits, commits);
  EXPECT_EQ(clock.run(older.adopt(state_a->snapshot())).error().code(), ErrorCode::internal) << "never loaded";
  start_b(build(2));
}

TEST_F(MixedBuilds, ARaiseThatIsTentativeHereIsTakenForOneThatWasMade) {
  start_a(build(2));
  start_b(build(2));
  connect();
  a.store.delay = 2s;
  bool answered = false;
  boost::asio::co_spawn(loop, state_b->propose(set(format_setting, "2")), [&answered](std::exception_ptr, Result<Committed>) { answered = true; });
  clock.run_until([&] { return formats(b).size() == 3; }, 1s);
  ASSERT_EQ(formats(b).size(), 3u);
  const auto half_way = b.store.tables;
  a.store.delay = 0s;
  clock.run_until([&] { return answered; }, 60s);
  ASSERT_TRUE(answered);
  stop(state_b);
  b.store.tables = half_way;
  SharedState older(b.host, build(1));
  const Status refused = clock.run(older.load());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::format_unknown);
}

TEST_F(MixedBuilds, AnOlderBuildWithAnOlderStoreIsKeptOutAndToldWhy) {
  start_a(build(2));
  start_b(build(2));
  connect();
  stop(state_b);
  ASSERT_TRUE(clock.run_until([&] { return state_a->link().state == LinkState::apart; }));
  EXPECT_EQ(refusal(*state_a, set(format_setting, "2")), ErrorCode::no_authority) << "not with the other node away";
  ASSERT_TRUE(clock.run(state_a->take_generation("confirm-down")).ok());
  EXPECT_EQ(refusal(*state_a, set(format_setting, "2")), ErrorCode::peer_unreachable) << "nor with authority";
  ASSERT_TRUE(clock.run(state_a->propose(set("k", "v"))).ok());
  const auto backup = b.store.tables;
  load_b();
  ASSERT_TRUE(clock.run(state_b->start_group()).ok());
  stop(state_b);
  start_b(build(2));
  ASSERT_TRUE(clock.run(state_b->start_group()).ok());
  expect_together();
  ASSERT_TRUE(clock.run(state_b->propose(set(format_setting, "2"))).ok());
  stop(state_b);
  // A backup of before it was raised.
  b.store.tables = backup;
  start_b(build(1));
  ASSERT_TRUE(clock.run(state_b->start_group()).ok());
  ASSERT_TRUE(clock.run_until([&] { return !state_b->link().reason.empty() && state_b->link().peer_in_group; }));
  clock.run_until([] { return false; }, 5s);
  EXPECT_EQ(state_a->link().state, LinkState::apart);
  EXPECT_EQ(state_b->link().state, LinkState::apart);
  EXPECT_NE(state_a->link().reason.find("the build on B knows formats up to 1"), std::string::npos) << state_a->link().reason;
  EXPECT_NE(state_b->link().reason.find("the build on B knows formats up to 1"), std::string::npos) << state_b->link().reason;
  EXPECT_EQ(b.store.tables, backup);
  EXPECT_FALSE(state_a->other_build()->knows);
}

TEST_F(MixedBuilds, TheOneThatWasAwayTakesAStateOfTheNextFormat) {
  start_a(build(2));
  start_b(build(2));
  connect();
  ASSERT_TRUE(clock.run(state_a->propose(set(format_setting, "2"))).ok());
  stop(state_b);
  ASSERT_TRUE(clock.run_until([&] { return state_a->link().state == LinkState::apart; }));
  ASSERT_TRUE(clock.run(state_a->take_generation("confirm-down")).ok());
  ASSERT_TRUE(clock.run(state_a->propose(set("k", "v"))).ok());
  EXPECT_EQ(formats(a), (std::vector<std::uint64_t>{1, 1, 1, 2, 2})) << "a generation's own entry, too";
  start_b(build(2));
  ASSERT_TRUE(clock.run(state_b->start_group()).ok());
  expect_together();
  EXPECT_EQ(a.store.tables["log"], b.store.tables["log"]);
  EXPECT_EQ(store_format(b), 2u);
}

TEST_F(MixedBuilds, ABuildThatSaysNothingOfFeaturesHasNone) {
  start_a(build(1));
  start_b(build(1, {}));
  connect();
  EXPECT_EQ(refusal(*state_a, set(peer_loss_setting, "run-alone")), ErrorCode::version_mismatch);
  EXPECT_EQ(refusal(*state_b, set(peer_loss_setting, "run-alone")), ErrorCode::version_mismatch) << "by A, which knows what B does not";
  EXPECT_EQ(state_b->current().setting(peer_loss_setting), std::nullopt);
  start_b(build(1));
  expect_together();
  EXPECT_TRUE(clock.run(state_a->propose(set(peer_loss_setting, "run-alone"))).ok());
}

}  // namespace
}  // namespace mcv::abilities_test

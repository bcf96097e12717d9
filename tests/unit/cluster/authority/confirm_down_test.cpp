// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/confirm_down.h"

#include "fixture.h"

namespace mcv::authority::test::confirm_down_test {
namespace {

struct Case {
  const char* what;
  void (*spoil)(Standpoint&, std::string& node, PathsToPeer&, std::optional<TypedFacts>&);
  ErrorCode expected;
};

Status ask(const Standpoint& standpoint, const std::string& node, const PathsToPeer& paths, const std::optional<TypedFacts>& facts, std::vector<VolumeName> covered = {disk}) {
  return may_confirm_down({standpoint, node, paths, std::move(covered), facts});
}

TEST(ConfirmDown, IsTakenWhenNothingAnswersAndBothFactsAreTyped) {
  EXPECT_TRUE(ask(apart(), "B", silence(), TypedFacts{true, true}).ok());
  EXPECT_TRUE(ask(apart(), "B", silence(), std::nullopt).ok()) << "asked before the question is put";
}

TEST(ConfirmDown, Refusals) {
  const Case cases[] = {
      {"in the group", [](auto&, auto&, PathsToPeer& p, auto&) { p.daemon_in_group = true; }, ErrorCode::peer_answers},
      {"in the group meanwhile", [](Standpoint& s, auto&, auto&, auto&) { s.peer_in_group = true; }, ErrorCode::peer_answers},
      {"corosync alone", [](auto&, auto&, PathsToPeer& p, auto&) { p.in_membership = true; }, ErrorCode::peer_answers},
      {"the daemons' link alone", [](auto&, auto&, PathsToPeer& p, auto&) { p.answers_on_peer_link = true; }, ErrorCode::peer_answers},
      {"the replication of one volume alone", [](auto&, auto&, PathsToPeer& p, auto&) { p.connected = {disk}; }, ErrorCode::peer_answers},
      {"corosync here does not say", [](auto&, auto&, PathsToPeer& p, auto&) { p.in_membership.reset(); }, ErrorCode::no_authority},
      {"this node itself", [](auto&, std::string& node, auto&, auto&) { node = "A"; }, ErrorCode::bad_request},
      {"an unknown node", [](auto&, std::string& node, auto&, auto&) { node = "C"; }, ErrorCode::not_found},
      {"a cluster of one", [](Standpoint& s, auto&, auto&, auto&) { s.link = LinkState::single; }, ErrorCode::not_found},
      {"no configuration", [](Standpoint& s, auto&, auto&, auto&) { s.link = LinkState::uninitialised; }, ErrorCode::not_initialised},
      {"two histories, and it lives", [](Standpoint& s, auto&, PathsToPeer& p, auto&) { s.link = LinkState::diverged; p.answers_on_peer_link = true; }, ErrorCode::diverged},
      {"two histories, and nobody said that it is off", [](Standpoint& s, auto&, auto&, std::optional<TypedFacts>& f) { s.link = LinkState::diverged; f->is_powered_off = false; }, ErrorCode::not_confirmed},
      {"two histories, and corosync here does not say", [](Standpoint& s, auto&, PathsToPeer& p, auto&) { s.link = LinkState::diverged; p.in_membership.reset(); }, ErrorCode::no_authority},
      {"removed", [](Standpoint& s, auto&, auto&, auto&) { s.link = LinkState::removed; }, ErrorCode::no_authority},
      {"the store failed", [](Standpoint& s, auto&, auto&, auto&) { s.link = LinkState::failed; }, ErrorCode::io_error},
      {"confirmed already", [](Standpoint& s, auto&, auto&, auto&) { s = alone(); }, ErrorCode::authority_taken},
      {"the power is not off", [](auto&, auto&, auto&, std::optional<TypedFacts>& f) { f->is_powered_off = false; }, ErrorCode::not_confirmed},
      {"somebody let it carry on", [](auto&, auto&, auto&, std::optional<TypedFacts>& f) { f->nobody_let_it_carry_on = false; }, ErrorCode::not_confirmed},
  };
  for (const Case& item : cases) {
    Standpoint standpoint = apart();
    std::string node = "B";
    PathsToPeer paths = silence();
    std::optional<TypedFacts> facts = TypedFacts{true, true};
    item.spoil(standpoint, node, paths, facts);
    const Status status = ask(standpoint, node, paths, facts);
    ASSERT_FALSE(status.ok()) << item.what;
    EXPECT_EQ(to_text(status.error().code()), to_text(item.expected)) << item.what;
    EXPECT_FALSE(status.error().safe().empty()) << item.what;
    EXPECT_FALSE(status.error().next().empty()) << item.what;
  }
}

TEST(ConfirmDown, MayBeTypedAgainAfterAReboot) {
  Standpoint rebooted = alone();
  rebooted.boot = "boot-2";
  EXPECT_TRUE(ask(rebooted, "B", silence(), TypedFacts{true, true}).ok());
}

TEST(ConfirmDown, MayBeTypedAgainWhenItCoversMore) {
  EXPECT_TRUE(ask(alone(), "B", silence(), TypedFacts{true, true}, {disk, VolumeName::trusted("vm2-0")}).ok());
}

TEST(ConfirmDown, GoesOnWithOneOfTwoHistoriesWhenTheOtherNodeIsSilent) {
  Standpoint two = apart();
  two.link = LinkState::diverged;
  EXPECT_TRUE(ask(two, "B", silence(), TypedFacts{true, true}).ok());
}

TEST(Coverage, OfOneOfTwoHistoriesIsWhatThisNodeWroteItself) {
  const ClusterState state = state_with_vm1(node_a);
  const std::map<std::string, VolumeFacts> here{{"vm1-0", held()}};
  Standpoint two = apart();
  two.link = LinkState::diverged;
  EXPECT_EQ(coverage(two, state, here).left_out.at(disk), Freshness::peer_may_have) << "B decided alone, with what is not known here";
  two.ledger = Records().since(node_a, alone_since(generation(2, "A"), {disk})).ledger();
  EXPECT_EQ(coverage(two, state, here).covered, std::vector<VolumeName>{disk});
  // Typed: the same holds as long as this generation stands, after a reboot as well.
  Standpoint word = apart();
  word.link = LinkState::alone;
  GenerationRecord last = generation(3, "A");
  last.apart_from = Position{{2, "uuid-2B"}, 9, "h"};
  word.generations.push_back(last);
  EXPECT_TRUE(stands_apart(word));
  EXPECT_EQ(coverage(word, state, here).left_out.at(disk), Freshness::peer_may_have);
  EXPECT_EQ(freshness_alone(word, disk, &here.at("vm1-0")), Freshness::peer_may_have);
  word.ledger = Records().since(node_a, alone_since(last, {})).ledger();
  EXPECT_TRUE(may_act_alone(word));
  AloneSince accepted = alone_since(last, {disk});
  accepted.cause = cause_accepted;
  word.ledger = Records().since(node_a, accepted).ledger();
  EXPECT_EQ(freshness_alone(word, disk, &here.at("vm1-0")), Freshness::fresh);
  // Over with the next contact.
  word.link = LinkState::together;
  EXPECT_FALSE(stands_apart(word));
}

TEST(Coverage, LeavesOutWhatMayBeOlder) {
  const ClusterState state = state_with_vm1(node_a);
  std::map<std::string, VolumeFacts> here{{"vm1-0", held()}};
  EXPECT_EQ(coverage(apart(), state, here).covered, std::vector<VolumeName>{disk});
  EXPECT_EQ(coverage(apart(), state, {}).left_out.at(disk), Freshness::not_current);
  Standpoint older = apart();
  older.generations.push_back(generation(2, "B"));
  older.ledger = Records().since(node_b, alone_since(generation(2, "B"), {disk})).ledger();
  const Coverage left = coverage(older, state, here);
  EXPECT_TRUE(left.covered.empty());
  EXPECT_EQ(left.left_out.at(disk), Freshness::peer_went_on);
  EXPECT_NE(reason_text(disk, node_b, Freshness::peer_went_on).find("B went on alone"), std::string::npos);
}

TEST(Coverage, KeepsWhatThisNodeWroteItself) {
  // B took generation 2, the copies became equal, A took generation 3: what A writes since is A's, whatever B's record says.
  Standpoint later = apart();
  later.link = LinkState::alone;
  later.boot = "boot-2";
  later.generations = {generation(1, "A"), generation(2, "B"), generation(3, "A")};
  later.ledger = Records()
                     .since(node_b, alone_since(generation(2, "B"), {disk}))
                     .withdrawn(node_b, {disk})
                     .since(node_a, alone_since(generation(3, "A"), {disk}))
                     .ledger();
  EXPECT_EQ(coverage(later, state_with_vm1(node_a), {{"vm1-0", leg(DiskRole::secondary, ConnectionState::standalone, DiskState::consistent)}}).covered, std::vector<VolumeName>{disk});
}

}  // namespace
}  // namespace mcv::authority::test::confirm_down_test

// SPDX-License-Identifier: Apache-2.0
// A join whose other node went away in the middle, seen from the node that was to be added.
#include <gtest/gtest.h>

#include "cluster/plans/cluster_plans.h"
#include "two_nodes.h"

namespace mcv::test::join_abandon_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;

class JoinAbandon : public testing::Test {
 protected:
  JoinAbandon() {
    for (const std::size_t node : TwoNodes::both) nodes.initialise(node);
    nodes.must(a, "POST", "/v1/storage", {{"name", "fast"}, {"vg", "vg0"}, {"thin", true}});
  }
  const std::optional<join::Reserved>& kept() { return nodes.daemon(b).reservation.kept(); }
  bool has_pool() { return nodes.machine(b).lvm.volumes.contains("vg0/mcv-fast"); }
  /// A is gone as soon as `reached`.
  template <typename Condition>
  void join_until(Condition reached) {
    ASSERT_TRUE(nodes.add(a, nodes.invitation(b)).ok());
    nodes.run_events(reached, 60s);
    ASSERT_TRUE(reached());
    nodes.power_off(a);
  }
  std::optional<ErrorCode> asked(std::size_t node, const std::string& path, const Json& body = Json::object()) {
    const TwoNodes::Answer answer = nodes.ask(node, "POST", path, body);
    if (!answer.error) return std::nullopt;
    EXPECT_FALSE(answer.error->next().empty()) << answer.error->to_text();
    return answer.error->code();
  }
  std::optional<ErrorCode> change_on_b() { return asked(b, "/v1/networks", {{"name", "lan"}, {"bridge", "br0"}}); }
  std::string warnings_of_b() { return nodes.ask(b, "GET", "/v1/info").body.at("warnings").dump(); }
  void expect_blank() {
    EXPECT_FALSE(kept().has_value());
    EXPECT_FALSE(has_pool()) << "an orphan of the join";
    EXPECT_FALSE(nodes.daemon(b).shared.current().is_cluster());
    EXPECT_EQ(warnings_of_b().find("reserved"), std::string::npos);
  }
  void expect_that_a_join_works() {
    const TwoNodes::Answer begun = nodes.add(a, nodes.invitation(b));
    ASSERT_TRUE(begun.ok()) << begun.error->to_text();
    nodes.run_events([&] { return nodes.daemon(b).shared.current().is_cluster() && !kept(); }, 120s);
    EXPECT_TRUE(nodes.daemon(b).shared.current().is_cluster());
  }

  TwoNodes nodes;
};

TEST_F(JoinAbandon, ThereIsNothingToAbandonWithoutAJoin) {
  EXPECT_EQ(asked(b, "/v1/cluster/join/abandon"), ErrorCode::not_found);
  ASSERT_TRUE(nodes.add(a, nodes.invitation(b)).ok());
  nodes.run_events([&] { return nodes.daemon(b).shared.current().is_cluster() && !kept(); }, 120s);
  EXPECT_EQ(asked(b, "/v1/cluster/join/abandon"), ErrorCode::already_clustered);
}

TEST_F(JoinAbandon, AReservedNodeSaysSoTakesNoChangesAndIsBlankByAPersonsWord) {
  join_until([&] { return kept() && has_pool(); });
  nodes.end_daemon(b);
  nodes.start_daemon(b);
  nodes.pass(60s);
  ASSERT_TRUE(kept().has_value()) << "after a crash, and with nobody to ask";
  EXPECT_NE(warnings_of_b().find("hvctl cluster join --abandon"), std::string::npos) << warnings_of_b();
  EXPECT_NE(warnings_of_b().find("has not been heard"), std::string::npos) << warnings_of_b();
  EXPECT_EQ(change_on_b(), ErrorCode::busy);
  EXPECT_EQ(asked(b, "/v1/cluster/connect-string"), ErrorCode::busy);
  ASSERT_EQ(nodes.ask(b, "POST", "/v1/cluster/join/abandon?dry_run=true", Json::object()).body.at("plan").size(), 1u);
  ASSERT_TRUE(kept().has_value());

  EXPECT_EQ(asked(b, "/v1/cluster/join/abandon"), std::nullopt);
  expect_blank();
  EXPECT_EQ(asked(b, "/v1/cluster/join/abandon"), ErrorCode::not_found);
  // The other one comes back all the same, and finds that its join is over.
  nodes.power_on(a);
  nodes.run_events([&] { return nodes.daemon(a).operations.running() == 0; }, 300s);
  nodes.pass(60s);
  expect_blank();
  ASSERT_EQ(nodes.daemon(a).operations.list().size(), 2u);
  for (const OperationView& view : nodes.daemon(a).operations.list()) {
    const OperationOutcome expected = view.kind == plans::join_kind ? OperationOutcome::undone : OperationOutcome::succeeded;
    EXPECT_EQ(view.outcome, expected) << view.to_json().dump();
  }
  EXPECT_FALSE(nodes.daemon(a).shared.current().is_cluster());
  expect_that_a_join_works();
}

TEST_F(JoinAbandon, IsRefusedWhileTheOtherNodeAnswers) {
  ASSERT_TRUE(nodes.add(a, nodes.invitation(b)).ok());
  nodes.run_events([&] { return kept().has_value(); }, 60s);
  EXPECT_EQ(asked(b, "/v1/cluster/join/abandon"), ErrorCode::peer_answers);
  nodes.run_events([&] { return nodes.daemon(b).shared.current().is_cluster() && !kept(); }, 120s);
  EXPECT_TRUE(nodes.daemon(b).shared.current().is_cluster()) << "the join went on";
}

TEST_F(JoinAbandon, ACommittedJoinIsFinishedWhenTheOtherNodeIsBack) {
  join_until([&] { return nodes.daemon(a).shared.current().is_cluster(); });
  nodes.pass(60s);
  ASSERT_TRUE(kept().has_value());
  nodes.power_on(a);
  nodes.run_events([&] { return nodes.daemon(b).shared.current().is_cluster() && !kept(); }, 300s);
  EXPECT_TRUE(nodes.daemon(b).shared.current().is_cluster());
  EXPECT_TRUE(has_pool());
}

TEST_F(JoinAbandon, AnInviterThatForgotTheJoinFreesIt) {
  join_until([&] { return kept() && has_pool(); });
  nodes.reinstall(a);
  nodes.initialise(a);
  nodes.run_events([&] { return !kept(); }, 120s);
  expect_blank();
}

TEST_F(JoinAbandon, APowerCutInTheMiddleOfItLosesNothingOfIt) {
  join_until([&] { return kept() && has_pool(); });
  const auto freeing = sim::start(nodes.client(b), nodes.daemon(b).join_watch.free());
  nodes.run_events([&] { return kept() && kept()->given_up; }, 60s);
  nodes.power_off(b);
  nodes.power_on(b);
  nodes.run_events([&] { return !kept(); }, 120s);
  expect_blank();
}

TEST_F(JoinAbandon, AnUndoThatComesMinutesLateTakesNoPoolOfTheCluster) {
  expect_that_a_join_works();
  host::HttpRequest undo;
  undo.method = "POST";
  undo.target = "/peer/v1/join/pool";
  undo.body = Json({{"pool", nodes.daemon(a).shared.current().pool(PoolName::trusted("fast"))->to_json()}, {"remove", true}}).dump();
  const auto reply = nodes.peer_request(nodes.peer_network(a), b, undo);
  ASSERT_TRUE(reply.ok());
  const auto* response = std::get_if<host::HttpResponse>(&*reply);
  ASSERT_NE(response, nullptr);
  EXPECT_TRUE(response->ok()) << response->body;
  EXPECT_TRUE(has_pool()) << "empty, and needed by the next VM";
}

TEST(Reservation, IsReadBackAsWritten) {
  join::Reserved reserved;
  reserved.inviter.name = NodeName::trusted("A");
  reserved.inviter.id = 1;
  reserved.inviter.cluster_address = "10.77.0.11";
  reserved.inviter.fingerprint = std::string(64, 'a');
  reserved.pools = {PoolRecord{PoolName::trusted("fast"), PoolKind::thin, "vg0", "mcv-fast", "", {}}};
  reserved.given_up = true;
  const auto read = join::Reserved::from_json(reserved.to_json());
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->to_json(), reserved.to_json());
  EXPECT_FALSE(join::Reserved::from_json(Json{{"inviter", reserved.inviter.to_json()}}).ok());
}

TEST(InviterSays, ItsWordsAreReadBackAndOthersMeanNothing) {
  using join::InviterSays;
  for (const InviterSays says : {InviterSays::silent, InviterSays::under_way, InviterSays::member, InviterSays::nothing}) {
    EXPECT_EQ(join::inviter_says_from_text(join::to_text(says)), says);
  }
  EXPECT_EQ(join::inviter_says_from_text("gone"), InviterSays::silent);
}

}  // namespace
}  // namespace mcv::test::join_abandon_test

// SPDX-License-Identifier: Apache-2.0
// A guest's console from the node that does not own it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::console_test {
namespace {

using namespace std::chrono_literals;
using Stream = std::unique_ptr<host::ByteStream>;

Stream stream_of(api::ApiReply reply) {
  if (const auto* error = std::get_if<Error>(&reply)) throw std::runtime_error(error->to_text());
  return std::move(std::get<api::UpgradeReply>(reply).stream);
}

const Error& error_of(const api::ApiReply& reply) { return std::get<Error>(reply); }

class Console : public testing::Test {
 protected:
  static constexpr std::size_t a = TwoNodes::a;
  static constexpr std::size_t b = TwoNodes::b;
  Console() {
    nodes_.make_cluster();
    nodes_.create_vm("vm1");
    nodes_.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  }
  Stream open(std::size_t node, std::size_t replay = 0) { return stream_of(nodes_.console(node, "vm1", replay)); }
  void prints(const std::string& text) { nodes_.guest_prints(a, "vm1", text); }
  /// As the other daemon sends a client's request.
  static host::HttpRequest forwarded_console() {
    host::HttpRequest request;
    request.method = "POST";
    request.target = "/peer/v1/api";
    request.upgrade = "mcv-console";
    const Json body = {{"method", "GET"}, {"path", "/v1/vms/vm1/console"}, {"query", Json::object()}, {"body", ""}, {"uid", 0}};
    request.body = body.dump();
    return request;
  }
  static std::string code_in(const Result<host::PeerReply>& reply) { return parse_json(std::get<host::HttpResponse>(*reply).body)->value("code", ""); }

  TwoNodes nodes_;
};

TEST_F(Console, FromEitherNodeShowsTheSameAndTakesKeys) {
  prints("login: ");
  nodes_.pass(1s);
  const Stream here = open(a, 7);
  const Stream there = open(b, 7);
  EXPECT_EQ(nodes_.read_until(a, *here, "login: "), "login: ");
  EXPECT_EQ(nodes_.read_until(b, *there, "login: "), "login: ") << "what was printed before is replayed";
  nodes_.type(b, *there, "root\n");
  EXPECT_EQ(nodes_.typed_at_guest(a, "vm1"), "root\n");
  prints("# ");
  EXPECT_EQ(nodes_.read_until(a, *here, "# "), "# ");
  EXPECT_EQ(nodes_.read_until(b, *there, "# "), "# ");
}

TEST_F(Console, TheReplayIsAsLongAsAsked) {
  prints("0123456789");
  nodes_.pass(1s);
  const Stream there = open(b, 4);
  EXPECT_EQ(nodes_.read_until(b, *there, "9"), "6789");
}

TEST_F(Console, SeveralViewersFromTheOtherNode) {
  const Stream one = open(b);
  Stream two = open(b);
  prints("hello");
  EXPECT_EQ(nodes_.read_until(b, *one, "hello"), "hello");
  EXPECT_EQ(nodes_.read_until(b, *two, "hello"), "hello");
  two.reset();
  prints(" again");
  EXPECT_EQ(nodes_.read_until(b, *one, "again"), " again") << "one that leaves takes nobody along";
}

TEST_F(Console, ASlowViewerThereIsToldWhatItMissed) {
  const Stream there = open(b, 0);
  const std::string line(1000, 'x');
  for (int i = 0; i < 1000; ++i) prints(line);
  nodes_.pass(5s);
  prints("the end");
  const std::string seen = nodes_.read_until(b, *there, "the end");
  EXPECT_LT(seen.size(), 500'000u) << "nothing is kept without bound for it";
  EXPECT_NE(seen.find("this viewer was too slow"), std::string::npos);
  EXPECT_NE(seen.find("the end"), std::string::npos);
}

TEST_F(Console, TheGuestsEndIsTheEndThere) {
  const Stream there = open(b);
  nodes_.must(a, "POST", "/v1/vms/vm1/kill", Json::object());
  const std::string seen = nodes_.read_until(b, *there, "nothing that it prints");
  EXPECT_NE(seen.find("[mcv: "), std::string::npos) << "the last words name the end: " << seen;
  const auto after = nodes_.read(b, *there);
  ASSERT_TRUE(after.has_value());
  EXPECT_TRUE(after->ok() && (*after)->empty());
}

TEST_F(Console, ADaemonThatEndsThereEndsTheStreamHere) {
  const Stream there = open(b);
  prints("half a li");
  EXPECT_EQ(nodes_.read_until(b, *there, "li"), "half a li");
  nodes_.end_daemon(a);
  const auto after = nodes_.read(b, *there);
  ASSERT_TRUE(after.has_value()) << "nobody hangs";
  EXPECT_TRUE(after->ok() && (*after)->empty());
}

TEST_F(Console, ALinkThatIsLostIsSaid) {
  const Stream there = open(b);
  nodes_.network().cut = true;
  const auto said = nodes_.read(b, *there);
  ASSERT_TRUE(said.has_value());
  ASSERT_TRUE(said->ok());
  EXPECT_NE((*said)->find("the link to A was lost"), std::string::npos) << **said;
  const auto after = nodes_.read(b, *there);
  EXPECT_TRUE(after->ok() && (*after)->empty());
}

TEST_F(Console, AnOwnerThatIsAwayIsNamed) {
  nodes_.end_daemon(a);
  const api::ApiReply reply = nodes_.console(b, "vm1");
  EXPECT_EQ(error_of(reply).code(), ErrorCode::peer_unreachable);
  EXPECT_NE(error_of(reply).message().find("A owns this"), std::string::npos);
  EXPECT_FALSE(error_of(reply).next().empty());
}

TEST_F(Console, ARequestThatComesTooLateIsNotSentOn) {
  // A asks B, which does not own it (any more): to send it back would be a circle.
  const auto late = nodes_.peer_request(nodes_.peer_network(a), b, forwarded_console());
  ASSERT_TRUE(late.ok());
  EXPECT_EQ(code_in(late), "revision-conflict");

  api::ApiCall start;
  start.method = "POST";
  start.forwarded = true;
  const api::ApiReply reply = nodes_.route(b, std::move(start), "/v1/vms/vm1/kill");
  EXPECT_EQ(error_of(reply).code(), ErrorCode::revision_conflict) << "the same for every other request";
  EXPECT_FALSE(error_of(reply).next().empty());
}

TEST_F(Console, OpensForAMembersKeyOnly) {
  sim::SimPeer stranger(nodes_.scheduler(), nodes_.scheduler().new_owner(), nodes_.network(), "a stranger's key");
  const auto refused = nodes_.peer_request(stranger, a, forwarded_console());
  ASSERT_TRUE(refused.ok());
  EXPECT_EQ(code_in(refused), "permission-denied");
  EXPECT_TRUE(std::holds_alternative<Stream>(*nodes_.peer_request(nodes_.peer_network(b), a, forwarded_console()))) << "the same from a member";
}

TEST_F(Console, NothingElseOpensAStream) {
  host::HttpRequest other = forwarded_console();
  other.target = "/peer/v1/facts";
  EXPECT_EQ(code_in(nodes_.peer_request(nodes_.peer_network(b), a, other)), "unknown-route");
  host::HttpRequest tunnel = forwarded_console();
  tunnel.upgrade = "tunnel";
  EXPECT_EQ(code_in(nodes_.peer_request(nodes_.peer_network(b), a, tunnel)), "bad-request");
  host::HttpRequest list = forwarded_console();
  const Json body = {{"method", "GET"}, {"path", "/v1/vms"}, {"query", Json::object()}, {"body", ""}, {"uid", 0}};
  list.body = body.dump();
  EXPECT_EQ(code_in(nodes_.peer_request(nodes_.peer_network(b), a, list)), "bad-request");
  host::HttpRequest anybody = forwarded_console();
  const Json nobody = {{"method", "GET"}, {"path", "/v1/vms/vm1/console"}, {"query", Json::object()}, {"body", ""}, {"uid", 1000}};
  anybody.body = nobody.dump();
  EXPECT_EQ(code_in(nodes_.peer_request(nodes_.peer_network(b), a, anybody)), "permission-denied") << "authorised again where it is answered";
}

TEST_F(Console, NeedsAClientThatUpgrades) {
  for (const std::size_t node : {a, b}) {
    const TwoNodes::Answer answer = nodes_.ask(node, "GET", "/v1/vms/vm1/console");
    EXPECT_EQ(answer.error->code(), ErrorCode::bad_request);
  }
}

}  // namespace
}  // namespace mcv::test::console_test

// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/takeover.h"

#include "fixture.h"

namespace mcv::authority::test::takeover_test {
namespace {

struct Case {
  const char* what;
  void (*spoil)(Standpoint&, VolumeFacts&, bool& answers);
  ErrorCode expected;
};

Status ask(const Standpoint& standpoint, const VolumeFacts& facts, bool answers) {
  const ClusterState state = state_with_vm1(node_b);
  const auto vm = state.vm(vm1);
  const std::map<std::string, VolumeFacts> here{{"vm1-0", facts}};
  return may_take_over({standpoint, state, *vm, here, answers});
}

TEST(TakeOver, WithAuthorityAndFreshCopies) {
  EXPECT_TRUE(ask(alone(), leg(DiskRole::secondary, ConnectionState::standalone), false).ok());
  EXPECT_TRUE(ask(alone(), leg(DiskRole::secondary, ConnectionState::standalone, DiskState::consistent), false).ok());
}

TEST(TakeOver, RefusalsNameTheDecidingCommand) {
  const Case cases[] = {
      {"nobody said that B is down", [](Standpoint& s, auto&, auto&) { s = apart(); }, ErrorCode::peer_unreachable},
      {"booted since", [](Standpoint& s, auto&, auto&) { s.boot = "boot-2"; }, ErrorCode::no_authority},
      {"B answers", [](auto&, auto&, bool& answers) { answers = true; }, ErrorCode::peer_answers},
      {"contact", [](Standpoint& s, auto&, auto&) { s.link = LinkState::syncing; }, ErrorCode::peer_unreachable},
      {"not whole", [](auto&, VolumeFacts& f, auto&) { f.disk = DiskState::inconsistent; }, ErrorCode::not_up_to_date},
      {"B went on alone with it", [](Standpoint& s, auto&, auto&) { s.ledger = Records().since(node_b, alone_since(generation(1, "B"), {disk})).since(node_a, alone_since(generation(2, "A"), {disk})).ledger(); },
       ErrorCode::not_up_to_date},
      {"not covered", [](Standpoint& s, auto&, auto&) { s.ledger = Records().since(node_a, alone_since(generation(2, "A"), {})).ledger(); }, ErrorCode::not_up_to_date},
  };
  for (const Case& item : cases) {
    Standpoint standpoint = alone();
    VolumeFacts facts = leg(DiskRole::secondary, ConnectionState::standalone);
    bool answers = false;
    item.spoil(standpoint, facts, answers);
    const Status status = ask(standpoint, facts, answers);
    ASSERT_FALSE(status.ok()) << item.what;
    EXPECT_EQ(to_text(status.error().code()), to_text(item.expected)) << item.what;
    EXPECT_FALSE(status.error().next().empty()) << item.what;
  }
  EXPECT_NE(ask(apart(), held(), false).error().next().find("hvctl cluster confirm-down B"), std::string::npos);
}

}  // namespace
}  // namespace mcv::authority::test::takeover_test

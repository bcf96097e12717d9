// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/removal.h"

#include "fixture.h"

#include "cluster/authority/fence_answer.h"

namespace mcv::authority::removal_test {
namespace {

using namespace test;
using Here = std::map<std::string, VolumeFacts>;

const Here whole = {{"vm1-0", leg(DiskRole::primary, ConnectionState::standalone)}};

Standpoint peer_went_on() {
  Standpoint standpoint = alone();
  standpoint.ledger = Records().since(node_b, alone_since(generation(1, "A"), {disk})).since(node_a, alone_since(generation(2, "A"), {disk})).ledger();
  return standpoint;
}

TEST(RemoveDead, NeedsProofAndAFreshCopyOfEverything) {
  const ClusterState state = state_with_vm1(node_a);
  const Here none;
  const Here broken = {{"vm1-0", leg(DiskRole::secondary, ConnectionState::standalone, DiskState::inconsistent)}};
  Standpoint together = alone();
  together.link = LinkState::together;
  Standpoint rebooted = alone();
  rebooted.boot = "boot-2";
  Standpoint uncovered = alone();
  uncovered.ledger = Records().since(node_a, alone_since(generation(2, "A"), {})).ledger();
  PathsToPeer in_ring;
  in_ring.in_membership = true;
  PathsToPeer connected;
  connected.connected = {VolumeName::trusted("vm2-0")};
  // A person accepted the copy: whatever the kernel or the records say of it, it is the one that is kept.
  AloneSince by_acceptance = alone_since(generation(2, "A"), {disk});
  by_acceptance.cause = cause_accepted;
  Standpoint accepted = peer_went_on();
  accepted.consents = Records().consent(node_a, node_b, disk).consents();
  accepted.ledger = Records().since(node_b, alone_since(generation(1, "A"), {disk})).since(node_a, alone_since(generation(2, "A"), {})).since(node_a, by_acceptance).ledger();
  const Here older = {{"vm1-0", leg(DiskRole::secondary, ConnectionState::standalone, DiskState::outdated)}};
  const struct {
    const char* what;
    Standpoint standpoint;
    const Here& here;
    PathsToPeer paths;
    std::optional<ErrorCode> code;
  } cases[] = {
      {"confirmed down, fresh", alone(), whole, silence(), std::nullopt},
      {"its corosync answers", alone(), whole, in_ring, ErrorCode::peer_answers},
      {"its replication is connected", alone(), whole, connected, ErrorCode::peer_answers},
      {"in contact", together, whole, silence(), ErrorCode::peer_answers},
      {"nobody said anything", apart(), whole, silence(), ErrorCode::no_authority},
      {"the word was given before this boot", rebooted, whole, silence(), ErrorCode::no_authority},
      {"the copy may be older", uncovered, whole, silence(), ErrorCode::not_up_to_date},
      {"the other one went on", peer_went_on(), whole, silence(), ErrorCode::not_up_to_date},
      {"the copy is not whole", alone(), broken, silence(), ErrorCode::not_up_to_date},
      {"the copy is not there", alone(), none, silence(), ErrorCode::not_up_to_date},
      {"older, and accepted by a person", accepted, older, silence(), std::nullopt},
      {"accepted, and not whole any more", accepted, broken, silence(), ErrorCode::not_up_to_date},
  };
  for (const auto& item : cases) {
    const Status status = may_remove_dead({item.standpoint, state, item.here, item.paths});
    if (!item.code) {
      EXPECT_TRUE(status.ok()) << item.what << ": " << status.error().to_text();
      continue;
    }
    ASSERT_FALSE(status.ok()) << item.what;
    EXPECT_EQ(status.error().code(), *item.code) << item.what << ": " << status.error().to_text();
    EXPECT_FALSE(status.error().next().empty()) << item.what;
  }
}

TEST(RemoveLive, ACopyThatIsBehindKeepsTheOtherOne) {
  const ClusterState state = state_with_vm1(node_a);
  const Here behind = {{"vm1-0", leg(DiskRole::secondary, ConnectionState::connected, DiskState::inconsistent)}};
  const Here equal = {{"vm1-0", leg(DiskRole::primary, ConnectionState::connected)}};
  const Here none;
  EXPECT_TRUE(copies_may_stay_alone(asking(), state, equal).ok());
  EXPECT_EQ(copies_may_stay_alone(asking(), state, behind).error().code(), ErrorCode::not_up_to_date);
  EXPECT_EQ(copies_may_stay_alone(asking(), state, none).error().code(), ErrorCode::not_up_to_date);
  Standpoint peer_went_on = asking();
  peer_went_on.ledger = Records().since(node_b, alone_since(generation(1, "A"), {disk})).ledger();
  EXPECT_EQ(copies_may_stay_alone(peer_went_on, state, equal).error().code(), ErrorCode::not_up_to_date);
  Standpoint set_aside = asking();
  set_aside.consents = Records().consent(node_a, node_b, disk).consents();
  EXPECT_EQ(copies_may_stay_alone(set_aside, state, equal).error().code(), ErrorCode::not_up_to_date);
}

TEST(Promote, WithoutAnotherMemberNobodyIsWaitedFor) {
  Standpoint single = alone();
  single.link = LinkState::single;
  single.peer = NodeName();
  single.boot = "boot-2";
  const VolumeFacts here = leg(DiskRole::secondary, ConnectionState::standalone);
  EXPECT_TRUE(may_promote(single, disk, &here));
  // A copy that was set aside for the other one stays closed even so.
  single.consents = Records().consent(node_a, node_b, disk).consents();
  EXPECT_FALSE(may_promote(single, disk, &here));
}

}  // namespace
}  // namespace mcv::authority::removal_test

// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/lost_leg.h"

#include "cluster/authority/confirm_down.h"
#include "cluster/authority/fence_answer.h"
#include "cluster/authority/legs.h"
#include "fixture.h"

namespace mcv::authority::test::lost_leg_test {
namespace {

constexpr auto none = DiskState::diskless;
constexpr auto whole = DiskState::up_to_date;

std::map<std::string, VolumeFacts> seen(DiskState here, DiskState there, ConnectionState connection = ConnectionState::connected) {
  VolumeFacts facts = leg(DiskRole::secondary, connection, here);
  facts.peer_disk = there;
  return {{disk.str(), facts}};
}

AloneSince disk_lost() {
  AloneSince since;
  since.index = 7;
  since.cause = cause_disk_lost;
  since.boot = "boot-1";
  since.volumes = {disk};
  return since;
}

std::vector<VolumeName> at_loser(const Standpoint& standpoint, const std::map<std::string, VolumeFacts>& facts) { return lost_here(standpoint, state_with_vm1(node_a), facts); }
std::vector<VolumeName> at_holder(const Standpoint& standpoint, const std::map<std::string, VolumeFacts>& facts) { return lost_there(standpoint, state_with_vm1(node_a), facts); }

const std::vector<VolumeName> it = {disk};
const std::vector<VolumeName> nothing;

TEST(LostLeg, IsSeenOnBothNodes) {
  // A holds, B lost.
  EXPECT_EQ(at_holder(asking(), seen(whole, none)), it);
  EXPECT_EQ(at_loser(asked(), seen(none, whole)), it);
  EXPECT_EQ(at_holder(asking(), seen(whole, DiskState::failed)), it) << "on its way";
  EXPECT_EQ(at_loser(asked(), seen(DiskState::failed, whole)), it);
  // Whoever runs it, and whether or not the daemons talk.
  EXPECT_EQ(at_loser(apart(), seen(none, whole)), it);
}

TEST(LostLeg, IsNotGuessed) {
  for (const auto& facts : {seen(whole, whole), seen(none, none), seen(none, DiskState::inconsistent), seen(none, DiskState::outdated), seen(none, DiskState::unknown, ConnectionState::connecting),
                            seen(DiskState::attaching, whole), seen(DiskState::negotiating, whole)}) {
    EXPECT_EQ(at_loser(asked(), facts), nothing);
    EXPECT_EQ(at_holder(asking(), facts), nothing);
  }
  EXPECT_EQ(at_holder(asking(), seen(DiskState::inconsistent, none)), nothing) << "half a copy is not the newest one";
  EXPECT_EQ(at_loser(asked(), {}), nothing);
}

TEST(LostLeg, IsWrittenDownOnce) {
  Standpoint loser = asked();
  loser.consents = Records().consent(node_b, node_a, disk).consents();
  EXPECT_EQ(at_loser(loser, seen(none, whole)), nothing);
  Standpoint holder = asking();
  holder.ledger = Records().since(node_a, disk_lost()).ledger();
  EXPECT_EQ(at_holder(holder, seen(whole, none)), nothing);
}

// Connected to a leg without a disk the kernel calls any copy UpToDate: an older one, too.
TEST(LostLeg, TheNewestCopyIsNotSetAsideWhenItLosesItsDiskToo) {
  Standpoint newest = asking();
  newest.consents = Records().consent(node_b, node_a, disk).consents();
  EXPECT_EQ(at_loser(newest, seen(none, whole)), nothing);
  Standpoint older = asked();
  older.consents = newest.consents;
  EXPECT_EQ(at_holder(older, seen(whole, none)), nothing) << "set aside, and shown as current";
  older.consents = {};
  older.ledger = Records().since(node_a, disk_lost()).ledger();
  EXPECT_EQ(at_holder(older, seen(whole, none)), nothing);
  newest.ledger = older.ledger;
  const VolumeFacts without = seen(none, whole).at(disk.str());
  EXPECT_FALSE(newest_is_attached(newest, disk, &without).ok());
  EXPECT_FALSE(may_promote(newest, disk, &without)) << "it would show the older copy";
  const VolumeFacts stale = seen(whole, none).at(disk.str());
  EXPECT_FALSE(newest_is_attached(older, disk, &stale).ok());
  EXPECT_FALSE(may_promote(older, disk, &stale));
  const VolumeFacts both = seen(whole, whole).at(disk.str());
  EXPECT_TRUE(may_promote(older, disk, &both)) << "through the other node's disk";
}

TEST(LostLeg, TheLeftBehindCopyIsOpenedByNoWord) {
  Standpoint loser = asked();
  loser.link = LinkState::apart;
  loser.peer_in_group = false;
  // Booted alone: the kernel calls it Consistent, as a copy that is not behind.
  const VolumeFacts here = leg(DiskRole::secondary, ConnectionState::connecting, DiskState::consistent);
  ASSERT_EQ(freshness_by_word(loser, disk, &here), Freshness::fresh) << "without a record nobody could tell";
  Standpoint by_own_record = loser;
  by_own_record.consents = Records().consent(node_b, node_a, disk).consents();
  EXPECT_EQ(freshness_by_word(by_own_record, disk, &here), Freshness::set_aside);
  Standpoint by_the_others = loser;
  by_the_others.ledger = Records().since(node_a, disk_lost()).ledger();
  EXPECT_EQ(freshness_by_word(by_the_others, disk, &here), Freshness::peer_went_on);
  for (const Standpoint& standpoint : {by_own_record, by_the_others}) {
    const Coverage coverage = authority::coverage(standpoint, state_with_vm1(node_a), {{disk.str(), here}});
    EXPECT_TRUE(coverage.covered.empty());
    EXPECT_EQ(coverage.left_out.size(), 1u);
  }
}

TEST(LostLeg, TheRecordGivesItsWriterNoRight) {
  Standpoint holder = apart();
  holder.ledger = Records().since(node_a, disk_lost()).ledger();
  const VolumeFacts here = leg(DiskRole::secondary, ConnectionState::connecting, DiskState::consistent);
  EXPECT_EQ(freshness(holder, disk, &here), Freshness::not_covered);
  EXPECT_EQ(freshness_by_word(holder, disk, &here), Freshness::fresh) << "the facts that are typed cover it as ever";
  EXPECT_EQ(authority_over_peer(holder), Authority::none);
  EXPECT_FALSE(must_stay_apart(holder, disk, node_a, &here));
  EXPECT_FALSE(holder.ledger.names(node_a, generation(1, "A").ref));
  // Under run-alone the other node may have gone on with its own VM since: no word covers that.
  holder.peer_loss.at_peer = PeerLoss::run_alone;
  EXPECT_EQ(freshness_by_word(holder, disk, &here), Freshness::peer_may_run_alone);
}

TEST(LostLeg, EndsWhenBothCopiesAreEqual) {
  Standpoint loser = asked();
  loser.consents = Records().consent(node_b, node_a, disk).consents();
  Standpoint holder = asking();
  holder.ledger = Records().since(node_a, disk_lost()).ledger();
  const ClusterState state = state_with_vm1(node_a);
  EXPECT_EQ(consent_to_withdraw(loser, state, seen(DiskState::inconsistent, whole)), nothing);
  EXPECT_EQ(to_withdraw(holder, state, seen(whole, DiskState::inconsistent)), nothing);
  EXPECT_EQ(consent_to_withdraw(loser, state, seen(whole, whole)), it);
  EXPECT_EQ(to_withdraw(holder, state, seen(whole, whole)), it);
}

TEST(LostLeg, LetsTheGuestGoOnWhenTheLinkIsLostToo) {
  const VolumeFacts without = leg(DiskRole::secondary, ConnectionState::connecting, none);
  Standpoint loser = asked();
  const GenerationRef agreed = generation(1, "A").ref;
  const auto ask = [&] { return may_consent({loser, disk, node_a, agreed, agreed, &without, false}); };
  EXPECT_FALSE(ask().ok()) << "nothing would hold that copy back after a reboot";
  loser.consents = Records().consent(node_b, node_a, disk).consents();
  const auto step = ask();
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(*step, ConsentStep::no_disk);
  EXPECT_TRUE(is_set_aside(&without));
}

TEST(LostLeg, RecordsSurviveTheirJson) {
  const auto since = AloneSince::from_json(disk_lost().to_json());
  ASSERT_TRUE(since.ok());
  EXPECT_EQ(*since, disk_lost());
  const Consent consent{disk, node_a, generation(1, "A").ref, 7, "boot-1", cause_disk_lost};
  const auto read = Consent::from_json(consent.to_json());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, consent);
  EXPECT_FALSE((Consent{disk, node_a, generation(1, "A").ref, 7, "boot-1", ""}.to_json().contains("cause")));
}

}  // namespace
}  // namespace mcv::authority::test::lost_leg_test

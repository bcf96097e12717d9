// SPDX-License-Identifier: Apache-2.0
// Repair, from what changed behind DRBD's back to the clean verify: two whole daemons, either copy, a guest on or off.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "two_nodes.h"

namespace mcv::test::resync_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;
const VolumeName disk = VolumeName::trusted("vm1-0");
const std::string vm = "/v1/vms/vm1";
constexpr std::uint64_t block = 40;  ///< guests do not write there
constexpr std::uint64_t good = 4711;
constexpr std::uint64_t bad = 666;

class ResyncTest : public testing::Test {
 protected:
  ResyncTest() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    // From here on A is its last Primary.
    nodes.must(a, "POST", vm + "/start", Json::object());
  }
  void stop() { nodes.must(a, "POST", vm + "/stop", {{"timeout_seconds", 60}}); }
  std::uint32_t minor() { return nodes.daemon(a).shared.current().volume(disk)->minor; }
  void corrupt(std::size_t node) {
    nodes.replication().corrupt(1 - node, minor(), block, good);
    nodes.replication().corrupt(node, minor(), block, bad);
  }
  std::string verify(std::size_t node = a) {
    const TwoNodes::Answer begun = nodes.ask(node, "POST", "/v1/verify", {{"all", true}});
    const OperationId id = OperationId::trusted(begun.body.at("operation").at("id").get<std::string>());
    const std::size_t coordinator = id.str().starts_with("A-") ? a : b;
    const auto ended = [&] { return nodes.daemon(coordinator).operations.get(id)->final(); };
    nodes.run_events(ended, 600s);
    nodes.pass(5s);
    return nodes.daemon(coordinator).operations.get(id)->result.at("volumes").at(0).at("verdict").get<std::string>();
  }
  std::optional<Error> refused(std::size_t node, const std::string& path, const Json& body) { return nodes.ask(node, "POST", path, body).error; }
  bool is_redundant() {
    const auto volumes = nodes.daemon(a).drbd.volumes();
    return volumes.contains("vm1-0") && volumes.at("vm1-0").redundant() && volumes.at("vm1-0").replication == ReplicationState::established;
  }
  std::uint64_t on(std::size_t node) { return nodes.replication().on_disk(node, minor(), block); }
  Json snapshots(std::size_t node) { return nodes.ask(node, "GET", "/v1/snapshots").body.at("snapshots"); }
  /// What the one snapshot of a node holds in that block.
  std::uint64_t kept(std::size_t node) {
    for (const auto& [name, volume] : nodes.machine(node).lvm.volumes) {
      if (name.find("/mcvs-") == std::string::npos) continue;
      const auto found = volume.blocks.find(block);
      return found == volume.blocks.end() ? 0 : found->second;
    }
    return 0;
  }
  bool is_primary(std::size_t node) {
    const auto seen = nodes.replication().look(node);
    return std::any_of(seen.begin(), seen.end(), [](const sim::SimDrbd::Seen& leg) { return leg.primary; });
  }
  void copied() { EXPECT_TRUE(nodes.run_events([&] { return is_redundant(); }, 600s)); }

  TwoNodes nodes;
};

TEST_F(ResyncTest, UnderARunningGuestTheOtherCopyIsRepairedAndWhatItHeldIsKept) {
  corrupt(b);
  ASSERT_EQ(verify(), "mismatch");
  const Json shown = nodes.ask(b, "POST", vm + "/resync", {{"check_only", true}}).body.at("resync").at("volumes").at(0);
  EXPECT_EQ(shown.at("source"), "A");
  EXPECT_EQ(shown.at("reason"), "it is Primary on A");
  EXPECT_EQ(shown.at("marked_kib"), 4) << "one block, counted";
  EXPECT_EQ(on(b), bad) << "asking changes nothing";
  EXPECT_TRUE(snapshots(a).empty());

  nodes.must(b, "POST", vm + "/resync", Json::object());
  copied();
  EXPECT_EQ(on(a), good);
  EXPECT_EQ(on(b), good);
  EXPECT_EQ(kept(b), bad) << "the copy that was overwritten is still there";
  EXPECT_EQ(nodes.daemon(a).guests.facts(VmName::trusted("vm1")).state, RunState::running);
  EXPECT_TRUE(is_primary(a)) << "under its guest it stays open";
  for (const std::size_t node : TwoNodes::both) ASSERT_EQ(snapshots(node).size(), 1u) << "each node shows those of both";
  EXPECT_EQ(snapshots(a).at(0).at("node"), "B");

  // Repaired is not proven: a clean verify is.
  const auto moving = refused(a, vm + "/migrate", {{"node", "B"}, {"wait_for_shutdown", true}});
  ASSERT_TRUE(moving);
  EXPECT_EQ(moving->code(), ErrorCode::verify_gate);
  EXPECT_NE(moving->next().find("hvctl resync vm1"), std::string::npos);
  EXPECT_NE(moving->next().find("hvctl verify vm1"), std::string::npos);
  EXPECT_EQ(verify(b), "clean");
  EXPECT_TRUE(snapshots(a).empty()) << "the clean verify made it useless";
  EXPECT_EQ(kept(b), 0u);
}

TEST_F(ResyncTest, AGuestThatIsOffIsRepairedFromWhereItWasLastOpen) {
  stop();
  corrupt(b);
  ASSERT_EQ(verify(), "mismatch");
  const auto starting = refused(a, vm + "/start", Json::object());
  ASSERT_TRUE(starting);
  EXPECT_EQ(starting->code(), ErrorCode::verify_gate);
  EXPECT_NE(starting->next().find("hvctl resync vm1"), std::string::npos);
  EXPECT_NE(starting->next().find("hvctl verify vm1"), std::string::npos);
  nodes.must(a, "POST", vm + "/resync", Json::object());
  copied();
  EXPECT_EQ(on(b), good);
  EXPECT_EQ(kept(b), bad);
  for (const std::size_t node : TwoNodes::both) EXPECT_FALSE(is_primary(node)) << "opened for the repair, and closed again";
  EXPECT_EQ(verify(), "clean");
  nodes.must(a, "POST", vm + "/start", Json::object());
}

TEST_F(ResyncTest, AgainstTheRecordOnlyWithAWord) {
  stop();
  corrupt(a);
  ASSERT_EQ(verify(), "mismatch");
  const Json from_b = {{"source", "B"}};
  const auto asked = refused(a, vm + "/resync", from_b);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->code(), ErrorCode::not_confirmed);
  EXPECT_EQ(on(a), bad);
  EXPECT_TRUE(snapshots(a).empty());
  nodes.must(a, "POST", vm + "/resync", {{"source", "B"}, {"source_confirmed", true}});
  copied();
  EXPECT_EQ(on(a), good);
  EXPECT_EQ(kept(a), bad);
  EXPECT_EQ(nodes.daemon(a).shared.current().volume(disk)->last_primary, "B") << "whose copy it is now";
  EXPECT_EQ(verify(), "clean");
}

TEST_F(ResyncTest, TheCopyAGuestWorksOnIsNeverOverwritten) {
  corrupt(a);
  ASSERT_EQ(verify(), "mismatch");
  const auto asked = refused(a, vm + "/resync", {{"source", "B"}, {"source_confirmed", true}});
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->code(), ErrorCode::peer_is_primary);
  EXPECT_EQ(on(a), bad);
  EXPECT_EQ(on(b), good);
}

TEST_F(ResyncTest, WithoutAMarkOnlyAllIsCopied) {
  corrupt(b);  // no verify has seen it
  const auto asked = refused(a, vm + "/resync", Json::object());
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->code(), ErrorCode::bad_request);
  EXPECT_NE(asked->next().find("--full"), std::string::npos);
  nodes.must(a, "POST", vm + "/resync", {{"full", true}});
  nodes.must(a, "POST", vm + "/resync/follow", Json::object());
  EXPECT_TRUE(is_redundant()) << "whoever follows it waits for its end";
  EXPECT_EQ(on(b), good);
  EXPECT_EQ(kept(b), bad);
}

TEST_F(ResyncTest, ADryRunSaysWhatAndDoesNothing) {
  corrupt(b);
  ASSERT_EQ(verify(), "mismatch");
  const TwoNodes::Answer dry = nodes.ask(a, "POST", vm + "/resync?dry_run=true", Json::object());
  ASSERT_TRUE(dry.ok()) << dry.error->message();
  EXPECT_EQ(dry.body.at("plan").size(), 6u);
  EXPECT_EQ(dry.body.at("resync").at("volumes").at(0).at("source"), "A");
  EXPECT_EQ(on(b), bad);
  EXPECT_TRUE(snapshots(a).empty());
}

TEST_F(ResyncTest, APoolWithoutRoomForTheSnapshotIsARefusalThatLeavesNothing) {
  stop();
  corrupt(b);
  ASSERT_EQ(verify(), "mismatch");
  std::uint64_t& size = nodes.machine(b).lvm.volumes.at("vg0/mcv-fast").size;
  const std::uint64_t room = std::exchange(size, 4u << 20);  // what is in it fills it
  EXPECT_FALSE(nodes.command(a, "POST", vm + "/resync", Json::object()));
  EXPECT_EQ(on(b), bad);
  EXPECT_EQ(kept(b), 0u);
  EXPECT_TRUE(is_redundant());
  for (const std::size_t node : TwoNodes::both) EXPECT_FALSE(is_primary(node));
  size = room;
  nodes.must(a, "POST", vm + "/resync", Json::object());
  copied();
  EXPECT_EQ(on(b), good);
}

TEST_F(ResyncTest, ASnapshotIsDeletedByNameFromEitherNodeAndWithItsVm) {
  stop();
  for (const std::size_t typed_on : TwoNodes::both) {
    corrupt(b);
    ASSERT_EQ(verify(), "mismatch");
    nodes.must(a, "POST", vm + "/resync", Json::object());
    copied();
    const std::string name = snapshots(typed_on).at(0).at("name").get<std::string>();
    if (typed_on == a) {
      nodes.must(a, "PATCH", vm, {{"lock", {{"reason", "what was overwritten is looked at"}}}});
      for (const std::size_t node : TwoNodes::both) EXPECT_EQ(nodes.ask(node, "DELETE", "/v1/snapshots/" + name).error->code(), ErrorCode::vm_locked);
      nodes.must(a, "PATCH", vm, {{"lock", nullptr}});
      ASSERT_TRUE(nodes.ask(a, "DELETE", "/v1/snapshots/" + name).ok());
      EXPECT_TRUE(snapshots(a).empty());
    }
  }
  EXPECT_EQ(nodes.ask(a, "DELETE", "/v1/snapshots/mcv-vm1-0").error->code(), ErrorCode::not_found) << "nothing else can be deleted by this";
  nodes.must(a, "DELETE", vm, Json());
  EXPECT_TRUE(snapshots(a).empty());
}

TEST_F(ResyncTest, ARestartInPlaceIsNotGatedAndNotSilent) {
  corrupt(b);
  ASSERT_EQ(verify(), "mismatch");
  nodes.must(a, "POST", vm + "/reset", Json::object());
  const auto& lines = nodes.scheduler().trace().last();
  const auto is_alarm = [](const std::string& line) { return line.find("alarm: vm1 is restarted in place") != std::string::npos; };
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), is_alarm));
}

TEST_F(ResyncTest, AnOverrideNeverStandsInForAuthority) {
  stop();
  corrupt(b);
  ASSERT_EQ(verify(), "mismatch");
  nodes.power_off(a);
  nodes.pass(60s);
  const auto asked = refused(b, vm + "/start", {{"override", {{"reason", "I know"}}}});
  ASSERT_TRUE(asked) << "nobody said that A is off";
  EXPECT_NE(asked->next().find("confirm-down A"), std::string::npos) << asked->next();
  EXPECT_FALSE(is_primary(b));
  EXPECT_EQ(nodes.daemon(b).guests.facts(VmName::trusted("vm1")).state, RunState::stopped);
}

TEST_F(ResyncTest, CancelledBeforeThePointOfNoReturnNothingIsLeft) {
  corrupt(b);
  ASSERT_EQ(verify(), "mismatch");
  const TwoNodes::Answer begun = nodes.ask(a, "POST", vm + "/resync", Json::object());
  const OperationId id = OperationId::trusted(begun.body.at("operation").at("id").get<std::string>());
  ASSERT_TRUE(nodes.ask(a, "POST", "/v1/operations/" + id.str() + "/cancel", Json::object()).ok());
  nodes.run_events([&] { return nodes.daemon(a).operations.get(id)->final(); }, 120s);
  EXPECT_EQ(nodes.daemon(a).operations.get(id)->outcome, OperationOutcome::cancelled);
  EXPECT_EQ(on(b), bad);
  EXPECT_EQ(kept(b), 0u);
  EXPECT_TRUE(is_redundant());
  EXPECT_EQ(nodes.daemon(a).guests.facts(VmName::trusted("vm1")).state, RunState::running);
  nodes.must(a, "POST", vm + "/resync", Json::object());
  copied();
  EXPECT_EQ(on(b), good);
}

/// The reason lifts the verdict and nothing else.
TEST_F(ResyncTest, AnOverrideNeverOpensWhatIsPrimaryOnTheOtherNode) {
  stop();
  corrupt(b);
  ASSERT_EQ(verify(), "mismatch");
  ASSERT_TRUE(nodes.replication().run(b, {"drbdadm", "--config-file", "/etc/drbd.d/mcv-vm1-0.res", "primary", "mcv-vm1-0"}));
  nodes.pass(5s);
  const auto asked = refused(a, vm + "/start", {{"override", {{"reason", "I know"}}}});
  ASSERT_TRUE(asked);
  EXPECT_NE(asked->message().find("Primary on the other node"), std::string::npos) << asked->message();
}

/// A link is lost around a repair.
struct Loss {
  enum class Link {
    replication,  ///< after so many events of the repair
    daemons,      ///< and corosync's: the same
    unnoticed,    ///< that of the replication, so many milliseconds before: the kernel finds out in the middle of it
  };
  Link link;
  std::uint64_t when;
};

class LinkLostInARepair : public ResyncTest, public testing::WithParamInterface<Loss> {};

TEST_P(LinkLostInARepair, TheGoodCopyStaysAndTheRepairEndsOrCanBeMadeAgain) {
  corrupt(b);
  ASSERT_EQ(verify(), "mismatch");
  const auto [link, when] = GetParam();
  if (link == Loss::Link::unnoticed) {
    nodes.replication().cut();
    nodes.pass(std::chrono::milliseconds(when));
  }
  const TwoNodes::Answer begun = nodes.ask(a, "POST", vm + "/resync", Json::object());
  if (link == Loss::Link::unnoticed && begun.error) {
    const ErrorCode code = begun.error->code();
    EXPECT_TRUE(code == ErrorCode::not_up_to_date || code == ErrorCode::no_authority) << begun.error->message();  // not connected, or held
    EXPECT_EQ(on(b), bad);
    return;
  }
  ASSERT_TRUE(begun.ok());
  const OperationId id = OperationId::trusted(begun.body.at("operation").at("id").get<std::string>());
  std::uint64_t left = when;
  if (link != Loss::Link::unnoticed) nodes.run_events([&] { return left-- == 0; }, 60s);
  if (link == Loss::Link::replication) nodes.replication().cut();
  if (link == Loss::Link::daemons) nodes.cut_cluster_link();
  nodes.pass(30s);
  EXPECT_EQ(on(a), good);
  if (link == Loss::Link::daemons) nodes.heal_cluster_link();
  else nodes.replication().heal();
  EXPECT_TRUE(nodes.run_events([&] { return nodes.daemon(a).operations.get(id)->final(); }, 600s)) << "it neither ends nor is undone";
  copied();
  nodes.pass(30s);
  EXPECT_EQ(on(a), good);
  if (on(b) != good) nodes.must(a, "POST", vm + "/resync", Json::object());
  copied();
  EXPECT_EQ(on(b), good);
  EXPECT_EQ(nodes.daemon(a).guests.facts(VmName::trusted("vm1")).state, RunState::running);
  EXPECT_TRUE(is_primary(a));
  EXPECT_FALSE(nodes.replication().look(a).front().held);
  EXPECT_EQ(verify(), "clean");
  EXPECT_TRUE(nodes.run_events([&] { return kept(b) == 0; }, 120s)) << "a clean verify deletes what was kept";
}

std::vector<Loss> losses() {
  std::vector<Loss> all;
  for (std::uint64_t events = 0; events <= 96; events += 6) {
    all.push_back({Loss::Link::replication, events});
    all.push_back({Loss::Link::daemons, events});
  }
  for (std::uint64_t milliseconds = 0; milliseconds <= 1800; milliseconds += 100) all.push_back({Loss::Link::unnoticed, milliseconds});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Moments, LinkLostInARepair, testing::ValuesIn(losses()));

}  // namespace
}  // namespace mcv::test::resync_test

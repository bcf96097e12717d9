// SPDX-License-Identifier: Apache-2.0
// GET /v1/vms?view=brief against the whole answer: what it says is the same, and what it leaves out is in order.
#include <gtest/gtest.h>

#include <map>

#include "two_nodes.h"

namespace mcv::test::brief_list_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;

/// What a field of a disk is while it is in order.
const std::map<std::string, Json> in_order = {{"redundant", true}, {"io_held", false}, {"holds", Json::array()}, {"alone_since", Json::array()}};

Json verdict_shown(const Json& volume) {
  const std::string kind = volume.contains("verdict") ? volume["verdict"].value("kind", "") : "";
  return kind == "mismatch" || kind == "suspect" ? Json({{"kind", kind}}) : Json();
}

/// A disk as the brief view has to show it.
Json expected(const Json& full) {
  Json brief;
  for (const char* key : {"name", "kind", "size"}) brief[key] = full.at(key);
  for (const auto& [key, good] : in_order) {
    if (full.contains(key) && full[key] != good) brief[key] = full[key];
  }
  if (full.contains("older_copy_on")) brief["older_copy_on"] = full["older_copy_on"];
  if (const Json verdict = verdict_shown(full); !verdict.is_null()) brief["verdict"] = verdict;
  return brief;
}

class BriefListTest : public testing::Test {
 protected:
  BriefListTest() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    nodes.create_vm("vm2");
    nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
    nodes.must(a, "PATCH", "/v1/vms/vm1", {{"cpus", 2}});
    nodes.must(a, "PATCH", "/v1/vms/vm2", {{"lock", {{"reason", "being looked at"}}}});
  }

  /// The disks of vm1 as the brief view shows them.
  Json compare(std::size_t node) {
    const Json whole = nodes.ask(node, "GET", "/v1/vms").body.at("vms");
    const Json answer = nodes.ask(node, "GET", "/v1/vms?view=brief").body;
    EXPECT_EQ(answer.at("view"), "brief");
    const Json brief = answer.at("vms");
    EXPECT_EQ(brief.size(), whole.size());
    for (std::size_t i = 0; i < whole.size() && i < brief.size(); ++i) {
      for (const char* key : {"name", "owner", "state", "cpus", "memory"}) EXPECT_EQ(brief[i].at(key), whole[i].at(key)) << key;
      EXPECT_EQ(brief[i].contains("last_exit"), whole[i].at("last_exit") == "crashed");
      EXPECT_EQ(brief[i].value("nics", Json::array()).size(), whole[i].at("nics").size());
      EXPECT_EQ(brief[i].value("lock", Json()), whole[i].at("lock"));
      const Json waits = whole[i].at("pending").is_null() ? Json::array() : whole[i].at("pending");
      EXPECT_EQ(brief[i].value("pending", Json::array()), waits);
      EXPECT_EQ(brief[i].at("volumes").size(), whole[i].at("volumes").size());
      for (std::size_t disk = 0; disk < whole[i].at("volumes").size(); ++disk) EXPECT_EQ(brief[i].at("volumes").at(disk), expected(whole[i].at("volumes").at(disk)));
    }
    return brief.at(0).at("volumes");
  }

  TwoNodes nodes;
};

TEST_F(BriefListTest, ADiskInOrderIsItsNameKindAndSize) {
  for (const std::size_t node : TwoNodes::both) EXPECT_EQ(compare(node).at(0).size(), 3u);
}

TEST_F(BriefListTest, HeldWritesAndALostPeerAreSaid) {
  nodes.corosync().cut();
  nodes.pass(10s);
  nodes.replication().cut();
  nodes.pass(30s);
  for (const std::size_t node : TwoNodes::both) {
    const Json disk = compare(node).at(0);
    EXPECT_TRUE(disk.value("io_held", false)) << disk.dump();
    EXPECT_FALSE(disk.value("redundant", true)) << disk.dump();
  }
  nodes.switch_off(a);
  nodes.pass(10s);
  // Of a node that does not answer nothing is known.
  EXPECT_EQ(compare(b).at(0).size(), 3u);
}

TEST_F(BriefListTest, AMismatchIsSaid) {
  nodes.replication().corrupt(b, nodes.daemon(a).shared.current().volume(VolumeName::trusted("vm1-0"))->minor, 3, 4711);
  nodes.ask(a, "POST", "/v1/verify", {{"all", true}});
  const auto verdict = [this] { return nodes.daemon(a).shared.current().volume(VolumeName::trusted("vm1-0"))->verdict.kind; };
  nodes.run_events([&] { return verdict() == VerdictKind::mismatch; }, 600s);
  ASSERT_EQ(verdict(), VerdictKind::mismatch);
  EXPECT_EQ(compare(b).at(0).at("verdict").at("kind"), "mismatch");
}

TEST_F(BriefListTest, AnotherViewIsRefused) {
  for (const char* target : {"/v1/vms?view=full", "/v1/vms?view=", "/v1/vms?sight=brief"}) EXPECT_TRUE(nodes.ask(a, "GET", target).error.has_value()) << target;
}

}  // namespace
}  // namespace mcv::test::brief_list_test

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>

#include "fake_node.h"
#include "hv/console.h"
#include "hv/console_hub.h"

namespace mcv::hv {
namespace {

using namespace std::chrono_literals;

TEST(ConsoleRing, KeepsTheNewestAndSaysWhatWasSkipped) {
  ConsoleRing ring(8);
  ring.push("0123456789");
  EXPECT_EQ(ring.begin(), 0u) << "trimmed at twice the limit";
  ring.push("abcdefghij");
  EXPECT_EQ(ring.end(), 20u);
  EXPECT_EQ(ring.begin(), 12u);
  const auto piece = ring.read(5, 100);
  EXPECT_EQ(piece.skipped, 7u);
  EXPECT_EQ(piece.bytes, "cdefghij");
  EXPECT_EQ(piece.next, 20u);
  EXPECT_EQ(ring.read(18, 1).bytes, "i");
  EXPECT_EQ(ring.read(99, 1).bytes, "");
  EXPECT_EQ(ring.before_end(3), 17u);
  EXPECT_EQ(ring.before_end(100), 12u);
}

TEST(MissedOutput, IsWhatCameAfterWhatWasSeen) {
  EXPECT_EQ(missed_output("abcdef", 4), "ef");
  EXPECT_EQ(missed_output("abcdef", 6), "");
  EXPECT_EQ(missed_output("ab", 6), "ab") << "emptied since: rather twice than never";
}

/// A hub on a modelled node whose one VMM is driven by hand.
class HubTest : public testing::Test {
 protected:
  HubTest() {
    limits_.viewer_bytes = 1000;
    limits_.ring_bytes = 4000;
    limits_.log_bytes = 10'000;
    new_hub();
  }
  ~HubTest() override { end_hub(); }
  void new_hub() {
    hub_ = std::make_unique<ConsoleHub>(node_.loop.get_executor(), node_.clock, node_.files, node_.processes, node_.sockets, "/log", "/run/mcv/runs", limits_);
  }
  void end_hub() {
    bool ended = false;
    boost::asio::co_spawn(node_.loop, hub_->close_all(), [&ended](std::exception_ptr) { ended = true; });
    node_.drive([&ended] { return ended; }, 10s);
    hub_.reset();
  }
  void open(bool fresh) {
    bool ended = false;
    ConsoleSource source{"/run/mcv/vm/vm1/console.sock", "/run/mcv/vm/vm1/console.spool"};
    boost::asio::co_spawn(node_.loop, hub_->open(vm_, source, fresh), [&ended](std::exception_ptr, Status) { ended = true; });
    ASSERT_TRUE(node_.drive([&ended] { return ended; }, 20s));
  }
  std::string read(ConsoleViewer& viewer) {
    std::optional<std::string> text;
    boost::asio::co_spawn(node_.loop, viewer.next(), [&text](std::exception_ptr, std::string bytes) { text = bytes; });
    node_.drive([&text] { return text.has_value(); }, 5s);
    return text.value_or("(nothing)");
  }
  void start_vmm() {
    node_.vmms["vm1"] = std::make_shared<fake::Vmm>(
        node_, "vm1", host::Argv{"/usr/bin/qemu-system-x86_64", "-blockdev", "node-name=disk0,filename=/dev/vg0/d0,x", "-append", "mcv.vm=vm1"});
  }

  fake::Node node_;
  ConsoleLimits limits_;
  std::unique_ptr<ConsoleHub> hub_;
  const VmName vm_ = VmName::trusted("vm1");
};

TEST_F(HubTest, ASlowViewerLosesTheOldestAndNobodyWaitsForIt) {
  start_vmm();
  open(true);
  const auto slow = hub_->attach(vm_, 0);
  for (int i = 0; i < 100; ++i) hub_->note(vm_, std::string(50, 'x'));
  const std::string seen = read(*slow);
  EXPECT_NE(seen.find("bytes skipped, this viewer was too slow"), std::string::npos);
  EXPECT_LT(seen.size(), 1200u);
}

TEST_F(HubTest, TheLogIsBoundedAndKeepsOneOlderFile) {
  start_vmm();
  open(true);
  for (int i = 0; i < 30; ++i) {
    hub_->note(vm_, std::string(1000, 'y'));
    node_.drive([] { return false; }, 1s);
  }
  EXPECT_LE(node_.files.texts["/log/vm1.log"].size(), 10'000u);
  EXPECT_LE(node_.files.texts["/log/vm1.log.1"].size(), 10'000u);
  EXPECT_GT(node_.files.texts["/log/vm1.log.1"].size(), 8'000u);
}

TEST_F(HubTest, AVmThatIsMadeAnewUnderANameShowsNothingOfTheOneBefore) {
  start_vmm();
  open(true);
  hub_->note(vm_, "the first one's");
  node_.vmms.clear();
  for (int twice = 0; twice < 2; ++twice) {
    bool forgotten = false;
    boost::asio::co_spawn(node_.loop, hub_->forget(vm_), [&forgotten](std::exception_ptr) { forgotten = true; });
    ASSERT_TRUE(node_.drive([&forgotten] { return forgotten; }, 30s));
  }
  EXPECT_NE(node_.files.texts["/log/deleted/vm1.log"].find("the first one's"), std::string::npos) << "for root, to look into";
  start_vmm();
  open(true);
  hub_->note(vm_, "the second one's");
  end_hub();
  new_hub();
  open(false);  // the daemon was restarted
  const auto viewer = hub_->attach(vm_, limits_.ring_bytes);
  const std::string seen = read(*viewer);
  EXPECT_NE(seen.find("the second one's"), std::string::npos);
  EXPECT_EQ(seen.find("the first one's"), std::string::npos) << seen;
}

TEST_F(HubTest, InputWithoutAVmmOrForAGuestThatDoesNotReadIsRefused) {
  const auto viewer = hub_->attach(vm_, 0);
  EXPECT_EQ(viewer->send("x").error().code(), ErrorCode::guest_stopped);
  start_vmm();
  open(true);
  EXPECT_EQ(viewer->send(std::string(limits_.input_bytes + 1, 'x')).error().code(), ErrorCode::busy);
  EXPECT_TRUE(viewer->send("x").ok());
}

TEST_F(HubTest, AViewerMayComeBeforeTheGuestAndLeaveAfterTheHub) {
  auto viewer = hub_->attach(vm_, 100);
  start_vmm();
  open(true);
  hub_->note(vm_, "hello");
  EXPECT_EQ(read(*viewer), "\r\n[mcv: hello]\r\n");
  end_hub();
  EXPECT_EQ(read(*viewer), "") << "the end";
  new_hub();
  viewer.reset();
}

}  // namespace
}  // namespace mcv::hv

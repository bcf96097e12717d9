// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/proc_drbd.h"

#include <gtest/gtest.h>

#include "machine.h"

namespace mcv::drbd::proc_drbd_test {
namespace {

TEST(ProcDrbd, ShowsTheProgressOfAVerify) {
  const std::string all = test::data_file("drbd/proc_drbd_verify.txt");
  const auto parsed = parse_proc_drbd(all.substr(0, all.find("\nversion:")));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->version, "8.4.11");
  const ProcDevice& device = parsed->devices.at(100);
  EXPECT_EQ(device.connection_state, "VerifyS");
  ASSERT_TRUE(device.progress.has_value());
  EXPECT_TRUE(device.progress->verify);
  EXPECT_EQ(device.progress->total_kib, 262144u);
  EXPECT_GT(device.progress->percent, 0);
}

TEST(ProcDrbd, ReadsAllForms) {
  const auto parsed = parse_proc_drbd(
      "version: 8.4.11 (api:1/proto:86-101)\nsrcversion: F73C670A7EC572DB9CF3E5B \n\n"
      " 0: cs:Unconfigured\n"
      " 1: cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate C r-----\n    ns:0 nr:0 dw:0 dr:0 al:8 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:16\n"
      "12: cs:SyncTarget ro:Secondary/Secondary ds:Inconsistent/UpToDate C r-----\n"
      "    ns:0 nr:0 dw:0 dr:0 al:8 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:1024\n"
      "\t[===>................] sync'ed: 20.5% (800/1024)M\n\tfinish: 0:01:47 speed: 1,736 (1,516) want: 409,600 K/sec (stalled)\n");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->devices.size(), 2u);
  EXPECT_EQ(parsed->devices.at(1).out_of_sync_kib, 16u);
  EXPECT_FALSE(parsed->devices.at(1).progress.has_value());
  const Progress& progress = *parsed->devices.at(12).progress;
  EXPECT_FALSE(progress.verify);
  EXPECT_DOUBLE_EQ(progress.percent, 20.5);
  EXPECT_EQ(progress.left_kib, 800u * 1024);
  EXPECT_EQ(progress.kib_per_second, 1736u);
  EXPECT_TRUE(progress.stalled);
}

TEST(ProcDrbd, AShareThatIsNoneIsNoProgress) {
  for (const char* share : {"nan", "inf", "-1", "1e9", "100.1"}) {
    const auto parsed = parse_proc_drbd(std::string("version: 8.4.11 (api:1/proto:86-101)\n 1: cs:VerifyS ro:Primary/Secondary\n\t[>....] verified: ") + share + "% (1/2)K\n");
    ASSERT_TRUE(parsed.ok());
    EXPECT_FALSE(parsed->devices.at(1).progress.has_value()) << share;
  }
}

TEST(ProcDrbd, OnlyVersion84IsAccepted) {
  EXPECT_TRUE(check_version("8.4.11").ok());
  for (const char* bad : {"9.2.4", "8.3.16", "8.40.1", ""}) EXPECT_EQ(check_version(bad).error().code(), ErrorCode::drbd_version) << bad;
  EXPECT_FALSE(parse_proc_drbd("").ok());
}

}  // namespace
}  // namespace mcv::drbd::proc_drbd_test

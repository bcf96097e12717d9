// SPDX-License-Identifier: Apache-2.0
// What simulated daemons log says whose it is.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "two_nodes.h"

namespace mcv::test::log_test {
namespace {

TEST(SimulatedLog, CarriesTheNodesName) {
  TwoNodes nodes;
  const auto said = [&nodes](const std::string& text) {
    const auto& lines = nodes.scheduler().trace().last();
    return std::any_of(lines.begin(), lines.end(), [&text](const std::string& line) { return line.find(text) != std::string::npos; });
  };
  boost::asio::post(nodes.daemon(TwoNodes::b).host.executor, []() { spdlog::warn("from the second one"); });
  boost::asio::post(nodes.daemon(TwoNodes::a).host.executor, []() { spdlog::info("from the first one"); });
  nodes.pass(std::chrono::seconds(1));
  EXPECT_TRUE(said("B warning: from the second one"));
  EXPECT_TRUE(said("A info: from the first one"));
  nodes.end_daemon(TwoNodes::b);
  nodes.start_daemon(TwoNodes::b);
  boost::asio::post(nodes.daemon(TwoNodes::b).host.executor, []() { spdlog::warn("from its next life"); });
  nodes.pass(std::chrono::seconds(1));
  EXPECT_TRUE(said("B warning: from its next life"));
}

}  // namespace
}  // namespace mcv::test::log_test

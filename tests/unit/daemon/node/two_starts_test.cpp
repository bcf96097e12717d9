// SPDX-License-Identifier: Apache-2.0
// Starts that were planned at the same time, each when the other one did not count yet.
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::two_starts_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;

class TwoStarts : public testing::Test {
 protected:
  TwoStarts() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    nodes.create_vm("vm2");
  }
  /// Let through by the request's own checks.
  OperationId begin(const std::string& vm) {
    const TwoNodes::Answer begun = nodes.ask(a, "POST", "/v1/vms/" + vm + "/start", Json::object());
    EXPECT_TRUE(begun.ok()) << begun.error->message();
    return OperationId::trusted(begun.body.at("operation").at("id").get<std::string>());
  }
  OperationView ended(const OperationId& id) {
    nodes.run_events([&] { return nodes.daemon(a).operations.get(id)->final(); }, 300s);
    return *nodes.daemon(a).operations.get(id);
  }
  RunState state(const char* vm) { return nodes.daemon(a).guests.facts(VmName::trusted(vm)).state; }

  TwoNodes nodes;
};

TEST_F(TwoStarts, ShareTheMemoryThatIsThereOnce) {
  nodes.machine(a).memory_kib = 520 * 1024;  // 128 MiB for a guest, 48 for its VMM, 256 for the node: one fits, two do not
  const OperationId one = begin("vm1");
  const OperationId two = begin("vm2");
  ASSERT_NE(state("vm1"), RunState::running) << "the second request was to come before the first VM runs";
  const OperationView first = ended(one);
  const OperationView second = ended(two);
  EXPECT_EQ((state("vm1") == RunState::running) + (state("vm2") == RunState::running), 1);
  const OperationView& refused = first.error ? first : second;
  ASSERT_TRUE(refused.error.has_value());
  EXPECT_NE(refused.error->message().find("memory"), std::string::npos) << refused.error->message();
  EXPECT_EQ(nodes.machine(a).vmms.size(), 1u);
}

TEST_F(TwoStarts, BothRunWhereBothFit) {
  const OperationId one = begin("vm1");
  const OperationId two = begin("vm2");
  EXPECT_FALSE(ended(one).error.has_value());
  EXPECT_FALSE(ended(two).error.has_value());
  EXPECT_TRUE(nodes.daemon(a).starting->empty());
}

TEST_F(TwoStarts, AStartMeetsWhatAVerifyFoundAfterItWasPlanned) {
  const auto disk = nodes.daemon(a).shared.current().volume(VolumeName::trusted("vm1-0"));
  const OperationId start = begin("vm1");
  ASSERT_TRUE(nodes.wait_for(a, nodes.daemon(a).verify_gate.close(*disk, {{24, 8}}, "cut off"))->ok());
  const OperationView view = ended(start);
  ASSERT_TRUE(view.error.has_value());
  EXPECT_EQ(view.error->code(), ErrorCode::verify_gate) << view.error->message();
  EXPECT_TRUE(nodes.machine(a).vmms.empty());
}

}  // namespace
}  // namespace mcv::test::two_starts_test

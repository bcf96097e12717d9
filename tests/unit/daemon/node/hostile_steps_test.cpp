// SPDX-License-Identifier: Apache-2.0
// Steps as a journal or the other node's daemon may bring them: every parameter of another type, every earlier result too. A step
// fails by name then, and the daemon lives on.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "two_nodes.h"

namespace mcv::test::hostile_steps_test {
namespace {

using namespace std::chrono_literals;

struct SeenStep {
  std::size_t node = 0;
  Json params;
  Json results;
};

/// Remembers what each action is called with, the first time.
class Watched final : public Action {
 public:
  Watched(std::unique_ptr<Action> inner, std::function<void(const StepContext&)> see) : inner_(std::move(inner)), see_(std::move(see)) {}
  boost::asio::awaitable<Result<Json>> run(StepContext context) override {
    see_(context);
    return inner_->run(std::move(context));
  }
  boost::asio::awaitable<Status> undo(StepContext context) override { return inner_->undo(std::move(context)); }
  boost::asio::awaitable<Result<Landed>> landed(StepContext context) override { return inner_->landed(std::move(context)); }

 private:
  std::unique_ptr<Action> inner_;
  std::function<void(const StepContext&)> see_;
};

class Watching : public TwoNodes {
 public:
  Watching() {
    wrap_action_ = [this](host::Host& host, const std::string& name, std::unique_ptr<Action> action) -> std::unique_ptr<Action> {
      const std::size_t node = host.hostname == sim::node_name(a) ? a : b;
      return std::make_unique<Watched>(std::move(action), [this, node, name](const StepContext& context) { seen.try_emplace(name, SeenStep{node, context.params, context.results}); });
    };
    for (const std::size_t node : both) {
      end_daemon(node);
      start_daemon(node);
    }
    run_events([this] { return up(a) && up(b); }, 60s);
  }
  std::map<std::string, SeenStep> seen;
};

class HostileStepsTest : public ::testing::Test {
 protected:
  static constexpr std::size_t a = TwoNodes::a;
  static constexpr std::size_t b = TwoNodes::b;

  /// What a pair does in its life, so that nearly every action was called once.
  HostileStepsTest() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    nodes.create_vm("vm2");
    nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
    nodes.must(a, "POST", "/v1/verify", {{"all", true}});
    nodes.must(a, "POST", "/v1/vms/vm1/kill", Json::object());
    nodes.must(a, "POST", "/v1/vms/vm1/migrate", {{"node", "B"}});
    nodes.must(a, "POST", "/v1/vms/vm2/resync", {{"source", "A"}, {"source_confirmed", true}, {"full", true}});
    nodes.must(a, "DELETE", "/v1/vms/vm1", Json());
    known = nodes.seen;
  }

  /// All that can be asked of it, with every parameter and every result as they are given.
  void expect_survived(const std::string& action, const SeenStep& step, const std::string& what) {
    Node& node = nodes.daemon(step.node);
    StepCall call;
    call.operation = OperationId::trusted(fmt::format("hostile-{}", ++calls));
    call.step = 99;
    call.action = action;
    call.params = step.params;
    call.results = step.results;
    const auto next = [&call]() {
      ++call.sequence;
      return call;
    };
    const auto ran = nodes.wait_for(step.node, node.local_steps.run(next(), Progress()));
    ASSERT_TRUE(nodes.up(step.node)) << what;
    ASSERT_TRUE(ran) << what << ": no answer";
    if (ran->ok()) taken.push_back(what);
    ASSERT_TRUE(nodes.wait_for(step.node, node.local_steps.undo(next()))) << what << ": no answer to the undo";
    ASSERT_TRUE(nodes.wait_for(step.node, node.local_steps.landed(next()))) << what << ": nobody says whether it landed";
    ASSERT_TRUE(nodes.up(step.node)) << what;
  }

  Watching nodes;
  std::map<std::string, SeenStep> known;
  std::vector<std::string> taken;
  unsigned calls = 0;
};

/// Of every JSON type but null, which means the same as nothing.
const std::vector<Json> odd_values = {true, -1, 1.5, 1e300, "", "../../etc", Json::array(), Json::array({nullptr, 7}), Json::object(), Json{{"name", 7}, {"vm", Json::array()}, {"volume", 1}}};

/// Never looked at, or handed on as they are.
const std::set<std::string> free_parameters = {"join.prepare here", "join.corosync here", "join.together joiner", "join.together suitability"};

TEST_F(HostileStepsTest, ParametersOfAnotherType) {
  for (const auto& [action, step] : known) {
    for (const auto& [key, value] : step.params.items()) {
      if (free_parameters.contains(action + " " + key)) continue;
      for (const Json& odd : odd_values) {
        if (odd.type() == value.type()) continue;
        SeenStep spoiled = step;
        spoiled.params[key] = odd;
        expect_survived(action, spoiled, fmt::format("{} with {} = {}", action, key, odd.dump()));
        if (HasFatalFailure()) return;
      }
    }
  }
  for (const std::string& what : taken) ADD_FAILURE() << what << " was taken";
  EXPECT_GT(calls, 100u);
}

TEST_F(HostileStepsTest, NoParametersAtAll) {
  for (const std::string& action : nodes.daemon(a).actions.names()) expect_survived(action, {a, Json::object(), Json::array()}, action + " without parameters");
  for (const std::string& action : nodes.daemon(a).actions.names()) {
    for (const char* key : {"vm", "volume", "volumes", "pool", "joiner", "leaver", "legs", "pending", "name"}) {
      for (const Json& odd : odd_values) {
        expect_survived(action, {a, Json{{key, odd}}, Json::array()}, fmt::format("{} with {} = {}", action, key, odd.dump()));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_F(HostileStepsTest, ResultsOfAnotherType) {
  for (const auto& [action, step] : known) {
    for (std::size_t index = 0; index < step.results.size(); ++index) {
      if (!step.results[index].is_object()) continue;
      for (const auto& [key, value] : step.results[index].items()) {
        for (const Json& odd : odd_values) {
          SeenStep spoiled = step;
          spoiled.results[index][key] = odd;
          expect_survived(action, spoiled, fmt::format("{} after a result with {} = {}", action, key, odd.dump()));
          if (HasFatalFailure()) return;
        }
      }
    }
    for (const Json& odd : odd_values) {
      SeenStep spoiled = step;
      spoiled.results = Json::array({odd, odd, odd});
      expect_survived(action, spoiled, fmt::format("{} after {}", action, odd.dump()));
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace mcv::test::hostile_steps_test

// SPDX-License-Identifier: Apache-2.0
// A viewer that reads, and a node with up to two guests, for the suites of this directory.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "environment.h"

namespace mcv::hv {

using namespace std::chrono_literals;

constexpr host::Duration boot_bound = 180s;  // a nested guest on an emulated node of a busy machine

/// A viewer that reads all the time.
class Screen {
 public:
  Screen(Environment& environment, ConsoleHub& hub, const VmName& vm, std::size_t replay)
      : environment_(environment), state_(std::make_shared<State>()), tasks_(environment.loop().get_executor()) {
    state_->viewer = hub.attach(vm, replay);
    tasks_.spawn(read(state_));
  }
  ~Screen() {
    tasks_.cancel();
    environment_.drive([this] { return tasks_.running() == 0; }, 10s);
  }
  bool shows(const std::string& text, host::Duration at_most = boot_bound) {
    return environment_.drive([this, &text] { return state_->text.find(text) != std::string::npos; }, at_most);
  }
  bool ended(host::Duration at_most = 30s) {
    return environment_.drive([this] { return state_->ended; }, at_most);
  }
  std::size_t count(const std::string& text) const {
    std::size_t number = 0;
    for (std::size_t at = state_->text.find(text); at != std::string::npos; at = state_->text.find(text, at + text.size())) ++number;
    return number;
  }
  /// The number in the newest "record N" line.
  std::uint64_t last_record() const {
    const std::size_t at = state_->text.rfind("\nrecord ");  // not "write failed at record"
    return at == std::string::npos ? 0 : std::strtoull(state_->text.c_str() + at + 8, nullptr, 10);
  }
  Status type(const std::string& keys) { return state_->viewer->send(keys); }
  const std::string& text() const { return state_->text; }
  void clear() { state_->text.clear(); }

 private:
  struct State {
    std::unique_ptr<ConsoleViewer> viewer;
    std::string text;
    bool ended = false;
  };
  static boost::asio::awaitable<void> read(std::shared_ptr<State> state) {
    while (true) {
      const std::string bytes = co_await state->viewer->next();
      if (bytes.empty()) break;
      state->text += bytes;
    }
    state->ended = true;
  }
  Environment& environment_;
  std::shared_ptr<State> state_;
  TaskGroup tasks_;
};

template <typename T>
testing::AssertionResult succeeded(const Result<T>& outcome) {
  if (outcome.ok()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << outcome.error().to_text();
}

class GuestFixture : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::string reason;
    environment_ = make_environment(GetParam(), reason);
    if (!environment_) GTEST_SKIP() << "NOT RUN: the guest suite of " << GetParam() << ": " << reason;
    new_daemon();
  }
  void TearDown() override {
    if (!environment_) return;
    if (HasFailure()) {
      for (const VmName& vm : known_) {
        ConsoleHub& hub = manager_->console();
        Screen screen(*environment_, hub, vm, 4000);
        screen.shows("\x01", 1s);
        fmt::print(stderr, "--- last of the console of {}:\n{}\n---\n", vm.str(), screen.text());
      }
    }
    for (const VmName& vm : known_) {
      const Status killed = environment_->run(manager_->kill(vm));
      EXPECT_TRUE(succeeded(killed));
      const Status forgotten = environment_->run(manager_->forget(vm));
      EXPECT_TRUE(forgotten.ok());
    }
    end_daemon();
  }

  void end_daemon() {
    environment_->run(manager_->close());
    manager_.reset();
  }
  void new_daemon() {
    manager_ = std::make_unique<GuestManager>(environment_->services(), environment_->config());
    strangers_ = environment_->run(manager_->adopt_all(known_));
    ASSERT_TRUE(strangers_.ok()) << strangers_.error().to_text();
  }
  Status start(const std::string& name, int disk, const std::string& more = "") {
    const VmName vm = VmName::trusted(name);
    if (std::find(known_.begin(), known_.end(), vm) == known_.end()) known_.push_back(vm);
    const auto kind = std::string(GetParam()) == "qemu" ? HypervisorKind::qemu : HypervisorKind::cloud_hypervisor;
    return environment_->run(manager_->start(environment_->launch(name, disk, more), kind));
  }
  bool reaches(const VmName& vm, RunState state, host::Duration at_most = 60s) {
    return environment_->drive([this, vm, state] { return manager_->facts(vm).state == state; }, at_most);
  }

  /// Whether `number` records reach the disk; the guest itself is not asked.
  bool writes_until(int disk, std::uint64_t number) {
    return looks_until([this, disk, number] { return environment_->records(disk).value_or(0) >= number; });
  }
  /// For a condition that costs a process or a file each time.
  bool looks_until(const std::function<bool()>& done) {
    for (int look = 0; look < 300; ++look) {
      if (done()) return true;
      environment_->drive([] { return false; }, 200ms);
    }
    return done();
  }

  std::unique_ptr<Environment> environment_;
  std::unique_ptr<GuestManager> manager_;
  std::vector<VmName> known_;
  Result<std::vector<std::string>> strangers_;
  const VmName one_ = VmName::trusted("hvc1");
  const VmName two_ = VmName::trusted("hvc2");
};

inline std::string driver_name(const testing::TestParamInfo<const char*>& driver) {
  std::string name = driver.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace mcv::hv

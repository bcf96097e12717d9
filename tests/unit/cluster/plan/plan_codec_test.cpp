// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cluster/plan/operation_view.h"
#include "cluster/plan/step_dispatcher.h"
#include "world/plan_sim.h"

namespace mcv {
namespace {

Plan sample() {
  Plan plan = sim::PlanSim::plan("vm/vm1", 3, 1);
  plan.id = OperationId::trusted("A-1");
  plan.steps[0].text = "create the logical volume mcv-vm1-0";
  plan.locks = {{"vm/vm1", false}, {"cluster", true}};
  return plan;
}

TEST(Plan, ReadsBackFromItsJson) { EXPECT_EQ(*Plan::from_json(*parse_json(canonical(sample().to_json()))), sample()); }

TEST(Plan, IsShownAsOneLinePerStep) {
  EXPECT_EQ(to_text(sample()),
            "test vm/vm1\n"
            "  1. A  create the logical volume mcv-vm1-0\n"
            "  2. B  put  (from here on it is completed, not undone)\n"
            "  3. A  put\n");
  EXPECT_EQ(dry_run_json(sample())[0]["text"], "create the logical volume mcv-vm1-0");
}

TEST(Plan, RefusesAPlannersDefects) {
  Plan two = sample();
  two.steps[2].commits = true;
  EXPECT_FALSE(two.check().ok());
  Plan none = sample();
  none.steps.clear();
  EXPECT_FALSE(none.check().ok());
  EXPECT_TRUE(sample().check().ok());
}

TEST(Journal, EveryEntryReadsBackFromItsJson) {
  const Error error = Error(ErrorCode::busy, "held").with_safe("all").with_next("wait");
  JournalEntry superseded = JournalEntry::of(EntryKind::superseded);
  superseded.by = "A-9";
  const Json made = {{"a", 1}};
  for (const JournalEntry& entry :
       {JournalEntry::accepted(sample(), 17), JournalEntry::of(EntryKind::started, 2), JournalEntry::done(1, made), JournalEntry::failed(1, error, false),
        JournalEntry::with_error(EntryKind::unclear, 1, error), JournalEntry::settled(1, Landed::no), JournalEntry::of(EntryKind::undone, 1),
        JournalEntry::with_error(EntryKind::stuck, 1, error), JournalEntry::of(EntryKind::resumed), superseded}) {
    const auto copy = JournalEntry::from_json(*parse_json(canonical(entry.to_json())));
    ASSERT_TRUE(copy.ok()) << copy.error().message();
    EXPECT_EQ(*copy, entry) << to_text(entry.kind);
  }
  const Json newer = {{"entry", "teleported"}, {"step", 0}};
  EXPECT_EQ(JournalEntry::from_json(newer).error().code(), ErrorCode::format_unknown);
}

TEST(OperationView, AnErrorAlwaysSaysWhatIsSafeAndWhatToType) {
  OperationView view;
  view.id = OperationId::trusted("A-7");
  view.error = Error(ErrorCode::command_failed, "lvcreate: exit 5");
  const Json silent = view.to_json().at("error");
  EXPECT_NE(silent.at("safe"), "");
  EXPECT_EQ(silent.at("next"), "hvctl op show A-7");
  view.error = Error(ErrorCode::command_failed, "lvcreate: exit 5").with_safe("nothing was changed").with_next("vgs");
  EXPECT_EQ(view.to_json().at("error").at("safe"), "nothing was changed");
  EXPECT_EQ(view.to_json().at("error").at("next"), "vgs");
}

TEST(StepCall, ReadsBackFromItsJson) {
  StepCall call;
  call.operation = OperationId::trusted("A-1");
  call.step = 3;
  call.sequence = 17;
  call.action = "put";
  const auto copy = StepCall::from_json(call.to_json());
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(copy->to_json(), call.to_json());
}

}  // namespace
}  // namespace mcv

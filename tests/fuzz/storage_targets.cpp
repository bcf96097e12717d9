// SPDX-License-Identifier: Apache-2.0
// What DRBD's tools, LVM's and the kernel's log say, and what the kernel's program asks.
#include "storage/drbd/commands.h"
#include "storage/drbd/events.h"
#include "storage/drbd/generation_ids.h"
#include "storage/drbd/helper_talk.h"
#include "storage/drbd/kernel_log.h"
#include "storage/drbd/orphans.h"
#include "storage/drbd/proc_drbd.h"
#include "storage/drbd/resource_file.h"
#include "storage/drbd/verification.h"
#include "storage/lvm/quarantine.h"
#include "storage/lvm/report.h"
#include "storage/lvm/snapshot.h"
#include "targets.h"

namespace mcv::fuzz {
namespace {

void events2(std::string_view text) {
  drbd::EventTable table;
  table.begin_dump();
  std::size_t lines = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const auto event = drbd::parse_event(text.substr(0, end));
    if (event.ok()) table.apply(*event);
    ++lines;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  must(table.resources().size() <= lines, "a line tells of one resource at most");
}

bool is_share(double percent) { return percent >= 0 && percent <= 100; }

void proc_drbd(std::string_view text) {
  const auto drbd = drbd::parse_proc_drbd(text);
  if (!drbd.ok()) return;
  for (const auto& [minor, device] : drbd->devices) must(!device.progress || is_share(device.progress->percent), "progress is a share of a hundred");
}

void kernel_log(std::string_view text) {
  const auto lines = drbd::parse_kernel_log(text);
  if (!lines.ok()) return;
  const drbd::VerifyPass pass = drbd::read_pass(*lines, 100, "mcv-vm1-0");
  drbd::Verification verification;
  for (int passes = 0; const auto asked = verification.next(); ++passes) {
    must(passes < 1000, "a verify comes to an end");
    drbd::VerifyPass again = pass;
    if (passes > 0) again.start_sector = asked->start / 8 * 8;
    if (passes > 0) again.reached = asked->stop;
    verification.ended(again);
  }
}

void tool_errors(std::string_view text) {
  static_cast<void>(drbd::state_error_of(text));
  static_cast<void>(drbd::has_one_leg(text));
}

void generations(std::string_view text) {
  const auto all = drbd::all_generations_from(text);
  if (all.ok()) must(drbd::generation_from(text).ok() && all->size() <= 4, "the first of four generations is one");
}

void fence_questions(std::string_view text) {
  const auto volume = drbd::fence_question(text);
  if (volume) must(VolumeName::parse(volume->str()).ok(), "the kernel asks about a volume with a name");
}

void lvs(std::string_view text) {
  const auto volumes = lvm::parse_logical_volumes(text);
  if (!volumes.ok()) return;
  for (const lvm::LogicalVolume& volume : *volumes) must(lvm::find(*volumes, volume.volume_group, volume.name) != nullptr, "a volume that was read is found");
  for (const lvm::LogicalVolume& volume : *volumes) must(is_share(volume.data_percent.value_or(0)) && is_share(volume.metadata_percent.value_or(0)), "a fill is a share of a hundred");
  // What their tags say.
  must(lvm::snapshots_among(*volumes).size() + lvm::quarantined_among(*volumes).size() <= 2 * volumes->size(), "one volume is one snapshot");
  drbd::Machine machine;
  machine.volumes = *volumes;
  must(drbd::orphans_of(machine, drbd::Belongs()).size() <= volumes->size(), "what belongs to nothing is there");
}

void vgs(std::string_view text) { static_cast<void>(lvm::parse_volume_groups(text)); }

}  // namespace

std::vector<Target> storage_targets() {
  return {
      {"events2", events2, {"drbd/events2.txt"}},
      {"proc-drbd", proc_drbd, {"drbd/proc_drbd_verify.txt"}},
      {"kernel-log", kernel_log, {"drbd/kernel_log_mismatch.jsonl", "drbd/kernel_log_interrupted.jsonl", "drbd/kernel_log_clean.jsonl"}},
      {"tool-errors", tool_errors, {}},
      {"generations", generations, {}},
      {"fence-questions", fence_questions, {}},
      {"lvs", lvs, {"lvm/lvs.json"}},
      {"vgs", vgs, {"lvm/vgs.json"}},
  };
}

}  // namespace mcv::fuzz

// SPDX-License-Identifier: Apache-2.0
// What DRBD's tools, LVM's and the kernel's log say, and what the kernel's program asks.
#include "storage/drbd/commands.h"
#include "storage/drbd/events.h"
#include "storage/drbd/helper_talk.h"
#include "storage/drbd/kernel_log.h"
#include "storage/drbd/proc_drbd.h"
#include "storage/drbd/resource_file.h"
#include "storage/lvm/report.h"
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

void proc_drbd(std::string_view text) { static_cast<void>(drbd::parse_proc_drbd(text)); }

void kernel_log(std::string_view text) {
  const auto lines = drbd::parse_kernel_log(text);
  if (lines.ok()) static_cast<void>(drbd::read_pass(*lines, 100, "mcv-vm1-0"));
}

void tool_errors(std::string_view text) {
  static_cast<void>(drbd::state_error_of(text));
  static_cast<void>(drbd::has_one_leg(text));
}

void fence_questions(std::string_view text) {
  const auto volume = drbd::fence_question(text);
  if (volume) must(VolumeName::parse(volume->str()).ok(), "the kernel asks about a volume with a name");
}

void lvs(std::string_view text) {
  const auto volumes = lvm::parse_logical_volumes(text);
  if (!volumes.ok()) return;
  for (const lvm::LogicalVolume& volume : *volumes) must(lvm::find(*volumes, volume.volume_group, volume.name) != nullptr, "a volume that was read is found");
}

void vgs(std::string_view text) { static_cast<void>(lvm::parse_volume_groups(text)); }

}  // namespace

std::vector<Target> storage_targets() {
  return {
      {"events2", events2, {"drbd/events2.txt"}},
      {"proc-drbd", proc_drbd, {"drbd/proc_drbd_verify.txt"}},
      {"kernel-log", kernel_log, {"drbd/kernel_log_mismatch.jsonl", "drbd/kernel_log_interrupted.jsonl", "drbd/kernel_log_clean.jsonl"}},
      {"tool-errors", tool_errors, {}},
      {"fence-questions", fence_questions, {}},
      {"lvs", lvs, {"lvm/lvs.json"}},
      {"vgs", vgs, {"lvm/vgs.json"}},
  };
}

}  // namespace mcv::fuzz

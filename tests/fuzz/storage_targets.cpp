// SPDX-License-Identifier: Apache-2.0
// What DRBD's tools, LVM's and the kernel's log say, and what the kernel's program asks.
#include <algorithm>

#include "cluster/core/json.h"
#include "storage/drbd/commands.h"
#include "storage/drbd/events.h"
#include "storage/drbd/generation_ids.h"
#include "storage/drbd/helper/fence_words.h"
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

/// The kernel's words, as the program of the kernel hands them on: event, resource and address, apart by newlines.
void helper_words(std::string_view text) {
  const std::size_t first = std::min(text.find('\n'), text.size());
  const std::string_view event = text.substr(0, first);
  const std::string_view rest = text.substr(std::min(first + 1, text.size()));
  const std::size_t second = std::min(rest.find('\n'), rest.size());
  const std::string_view resource = rest.substr(0, second);
  const std::string message = drbd::fence::message_of(event, resource, rest.substr(std::min(second + 1, rest.size())));
  const auto json = parse_json(message);
  must(json.ok() && json->is_object() && json->size() == 3, "what is handed on is JSON, whatever the kernel's words are");
  const auto volume = drbd::fence_question(message);
  const auto meant = drbd::volume_of_resource(std::string(resource));
  if (event == "fence-peer" && meant.ok()) must(volume && *volume == *meant, "the volume that is asked about arrives");
  if (event != "fence-peer") must(!volume, "other events ask for nothing");
}

/// The first byte is an exit code of mcvd's, and the whole an answer that did not come from it.
void helper_replies(std::string_view text) {
  const int code = drbd::fence::exit_code_in(text);
  const int no_answer = static_cast<int>(drbd::fence::Answer::no_answer);
  must(code == no_answer || (code >= 3 && code <= 7), "the kernel hears what it knows");
  if (code != no_answer) must(text == Json{{"exit", code}}.dump(), "an answer has one form");
  if (text.empty()) return;
  const int decided = static_cast<signed char>(text.front());
  const int told = drbd::fence::exit_code_in(drbd::fence_reply(decided));
  must(told == decided || told == no_answer, "no other code arrives than was decided");
  must(told == no_answer || told == 4 || told == 5 || told == 7, "mcvd decides nothing else");
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
      {"helper-words", helper_words, {}},
      {"helper-replies", helper_replies, {}},
      {"lvs", lvs, {"lvm/lvs.json"}},
      {"vgs", vgs, {"lvm/vgs.json"}},
  };
}

}  // namespace mcv::fuzz

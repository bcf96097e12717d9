// SPDX-License-Identifier: Apache-2.0
// What a VMM says: a guest that broke out of its devices owns that process.
#include <algorithm>

#include "hv/cloud_hypervisor/protocol.h"
#include "hv/console.h"
#include "hv/qemu/qmp_message.h"
#include "hv/run_record.h"
#include "hv/vmm_unit.h"
#include "hv/vmm_words.h"
#include "targets.h"

namespace mcv::fuzz {
namespace {

void qmp(std::string_view text) {
  hv::qemu::LineBuffer lines;
  // In two pieces, as a socket gives them.
  const std::size_t middle = text.size() / 2;
  for (const std::string_view piece : {text.substr(0, middle), text.substr(middle)}) {
    for (const std::string& line : lines.feed(piece)) static_cast<void>(hv::qemu::parse_qmp(line));
  }
  must(lines.pending() <= text.size(), "no more is kept than came");
  static_cast<void>(hv::qemu::phase_of_status(text));
}

void vmm_events(std::string_view text) {
  const auto events = hv::ch::parse_events(text);
  static_cast<void>(hv::ch::summarize(events));
  must(hv::ch::whole_events(text).size() <= text.size(), "a tail is no longer than the file");
}

void vmm_answers(std::string_view text) {
  static_cast<void>(hv::ch::state_of_info(text));
  static_cast<void>(hv::ch::parse_version(text));
  must(hv::ch::error_text(500, text).find('\n') == std::string::npos, "an error is one line");
}

void vmm_words(std::string_view text) { must(hv::vmm_words(text).size() < 4096, "a VMM's last words are short"); }

void run_records(std::string_view text) {
  const auto record = hv::RunRecord::parse(text);
  if (!record.ok()) return;
  const auto again = hv::RunRecord::parse(record->to_text());
  must(again.ok() && *again == *record, "a run's record is written as it was read");
}

/// A guest prints without end, and viewers come at any time.
void console(std::string_view text) {
  hv::ConsoleRing ring(64);
  std::uint64_t printed = 0;
  std::uint64_t viewer = 0;
  while (!text.empty()) {
    const std::size_t piece = std::min<std::size_t>(text.size(), 1 + static_cast<unsigned char>(text.front()));
    ring.push(text.substr(0, piece));
    printed += piece;
    must(ring.end() == printed && ring.begin() <= printed, "bytes are counted");
    const hv::ConsoleRing::Piece seen = ring.read(viewer, piece % 50);
    must(seen.next == viewer + seen.skipped + seen.bytes.size(), "a viewer goes on where it stopped");
    viewer = seen.next;
    must(hv::missed_output(text, viewer).size() <= text.size() && ring.before_end(viewer) <= printed, "a place is in the stream");
    text.remove_prefix(piece);
  }
}

void cgroup_events(std::string_view text) {
  if (hv::is_populated(text)) must(text.find("populated 1") != std::string_view::npos, "a cgroup with a process in it says so");
}

void unit_facts(std::string_view text) {
  must(hv::vm_of_unit(text).size() <= text.size(), "a VM's name is in its unit's");
  const auto facts = hv::parse_unit_facts(text);
  if (facts.ok()) static_cast<void>(hv::how_it_ended(*facts));
}

}  // namespace

std::vector<Target> hv_targets() {
  return {
      {"qmp", qmp, {"qmp/session.txt"}},
      {"vmm-events", vmm_events, {"ch/events_power_off.txt", "ch/events_terminated.txt"}},
      {"vmm-answers", vmm_answers, {"ch/vm_info_running.json", "ch/vm_info_off.json"}},
      {"vmm-words", vmm_words, {}},
      {"run-records", run_records, {}},
      {"unit-facts", unit_facts, {}},
      {"cgroup-events", cgroup_events, {}},
      {"console", console, {}},
  };
}

}  // namespace mcv::fuzz

// SPDX-License-Identifier: Apache-2.0
#include "hv/run_record.h"

#include <array>
#include <utility>

namespace mcv::hv {
namespace {

constexpr std::array<std::pair<Wish, std::string_view>, 3> wishes{{{Wish::run, "run"}, {Wish::stop, "stop"}, {Wish::kill, "kill"}}};
constexpr std::array<ExitReason, 5> reasons{ExitReason::none, ExitReason::guest_power_off, ExitReason::stopped_by_operator,
                                            ExitReason::killed_by_operator, ExitReason::crashed};

}  // namespace

std::string RunRecord::to_text() const {
  Json json = Json::object();
  json["format"] = 1;
  json["hypervisor"] = hypervisor;
  json["booted"] = booted;
  for (const auto& [value, text] : wishes) {
    if (value == wish) json["wish"] = std::string(text);
  }
  json["last_exit"] = std::string(mcv::to_text(last_exit));
  if (started_with) json["started_with"] = started_with->to_json();
  return canonical(json) + "\n";
}

Result<RunRecord> RunRecord::parse(std::string_view text) {
  MCV_TRY(const Json json, parse_json(text));
  Fields fields(json, "run record");
  RunRecord record;
  record.hypervisor = fields.required<std::string>("hypervisor");
  record.booted = fields.required<bool>("booted");
  const std::string wish_text = fields.required<std::string>("wish");
  const std::string exit_text = fields.required<std::string>("last_exit");
  // Not known is better than no record: the rest decides how an end is told.
  if (const auto started = json.find("started_with"); started != json.end()) {
    if (auto read = StartedWith::from_json(*started); read.ok()) record.started_with = std::move(*read);
  }
  MCV_CHECK(fields.finish_lenient());
  bool known_wish = false;
  for (const auto& [value, name] : wishes) {
    if (name != wish_text) continue;
    record.wish = value;
    known_wish = true;
  }
  bool known_exit = false;
  for (const ExitReason reason : reasons) {
    if (mcv::to_text(reason) != exit_text) continue;
    record.last_exit = reason;
    known_exit = true;
  }
  if (!known_wish || !known_exit) return Error(ErrorCode::bad_output, "run record: unknown wish or exit reason");
  return record;
}

ExitReason classify_exit(const RunRecord& record, VmmPhase phase) {
  if (!record.booted) return ExitReason::none;
  if (record.wish == Wish::kill) return ExitReason::killed_by_operator;
  if (record.wish == Wish::stop) return ExitReason::stopped_by_operator;
  return phase == VmmPhase::powered_off ? ExitReason::guest_power_off : ExitReason::crashed;
}

}  // namespace mcv::hv

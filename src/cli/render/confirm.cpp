// SPDX-License-Identifier: Apache-2.0
#include "cli/render/confirm.h"

#include <fmt/format.h>
#include <iostream>
#include <map>
#include <set>

#include "cli/render/text.h"

namespace mcv::cli {

bool is_asked_for(const Session& session) { return !session.globals().yes && !session.globals().dry_run; }

Status confirm_typed(Session& session, std::string_view question, std::string_view expected) {
  if (!is_asked_for(session)) return success();
  if (!session.terminal().input) {
    return Error(ErrorCode::not_confirmed, fmt::format("{} This needs a confirmation, and there is no terminal to ask at", question))
        .with_safe("nothing was changed")
        .with_next("the same command with --yes, if you are sure");
  }
  session.err() << question << '\n' << fmt::format("Type {} to go on: ", paint(Tone::strong, expected, session.terminal().error_colour)) << std::flush;
  std::string typed;
  std::getline(std::cin, typed);
  if (typed == expected) return success();
  return Error(ErrorCode::not_confirmed, fmt::format("not confirmed: what was typed is not '{}'", expected)).with_safe("nothing was changed");
}

Result<int> delete_confirmed(Session& session, const std::vector<std::string>& names, Completes kind, std::string_view path,
                             const std::function<std::string(const std::string&)>& question, const std::function<std::string(const std::string&)>& done_text) {
  std::map<std::string, Error> refused;
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (!is_asked_for(session) || !seen.insert(name).second) continue;
    if (Result<Json> planned = session.plan("DELETE", path, {name}); !planned.ok()) {
      refused.emplace(name, std::move(planned).error());
      continue;
    }
    MCV_CHECK(confirm_typed(session, question(name), name));
  }
  const auto submit = [&](const std::string& name) -> Result<Outcome> {
    if (const auto error = refused.find(name); error != refused.end()) return error->second;
    return session.submit("DELETE", path, {name});
  };
  return session.each(names, kind, submit, done_text);
}

}  // namespace mcv::cli

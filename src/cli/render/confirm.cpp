// SPDX-License-Identifier: Apache-2.0
#include "cli/render/confirm.h"

#include <fmt/format.h>
#include <iostream>

#include "cli/render/text.h"
#include "cli/session.h"

namespace mcv::cli {

Status confirm_typed(Session& session, std::string_view question, std::string_view expected) {
  if (session.globals().yes || session.globals().dry_run) return success();
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

}  // namespace mcv::cli

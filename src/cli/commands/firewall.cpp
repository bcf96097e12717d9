// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/firewall.h"

#include "cli/commands/commands.h"
#include "cli/render/text.h"
#include "cli/session.h"

namespace mcv::cli::commands {

std::string firewall_text(const Json& answer) {
  std::string lines;
  for (const Json& line : list_at(object_at(answer, "result"), "firewall")) {
    if (line.is_string()) lines += "\n    " + printable(line.get<std::string>());
  }
  if (lines.empty()) return "";
  return "\nmcv changes no firewall. If this node has one, let the other node in (names as in Debian's /etc/nftables.conf):" + lines;
}

}  // namespace mcv::cli::commands

// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>

#include "cli/commands/ages.h"
#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/table.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

/// Enough to compare two nodes by eye.
constexpr std::size_t shown_hash = 12;

void print_nodes(Session& session, const Json& info) {
  Table table({"NODE", "STATUS", "CLUSTER ADDRESS", "DRBD ADDRESS", ""});
  for (const Json& node : list_at(info, "nodes")) {
    const std::string status = text_at(node, "status");
    table.add({text_at(node, "name"), Cell(status_text(node), tone_of(status)), or_dash(text_at(node, "cluster_address")), or_dash(text_at(node, "drbd_address")),
               flag_at(node, "this_node") ? "this node" : ""});
  }
  if (!table.empty()) session.out() << table.to_text(session.terminal().width, session.terminal().colour);
}

bool is_away_in_order(const Json& peer) { return !flag_at(peer, "reachable") && !left_text(peer).empty(); }

/// Which format is written, and whether a newer one could be.
std::string format_text(const Json& info) {
  const auto present = number_at(info, "format");
  const Json& known = object_at(info, "formats_known");
  std::vector<std::string> words;
  bool all_newer = true, all_same = true;
  std::optional<Json> first;
  for (const auto& [node, newest] : known.items()) {
    const bool is_known = newest.is_number_unsigned();
    words.push_back(is_known ? fmt::format("{} knows {}", printable(node), newest.dump()) : fmt::format("{} is not in contact", printable(node)));
    all_newer = all_newer && is_known && newest.get<std::uint64_t>() > present;
    if (first && *first != newest) all_same = false;
    first = newest;
  }
  if (!first || (all_same && !all_newer)) return fmt::format("{}", present);
  if (!all_same) return fmt::format("{} ({})", present, fmt::join(words, ", "));
  return fmt::format("{} ({} {}: hvctl cluster upgrade-format)", present, words.size() > 1 ? "both nodes know" : "this build knows", first->dump());
}

/// How old the comparisons of replicated disks are, and from when on that is an alarm.
std::string verified_text(const Json& verify) {
  const auto volumes = number_at(verify, "volumes");
  const auto never = number_at(verify, "never");
  if (volumes == 0) return {};
  const bool has_limit = verify.contains("age_limit_seconds") && verify["age_limit_seconds"].is_number_integer();
  std::string limit = has_limit ? fmt::format("alarm after {}", days_text(verify["age_limit_seconds"].get<std::int64_t>())) : "no alarm";
  if (const std::string calendar = text_at(verify, "calendar"); !calendar.empty()) limit += calendar == "off" ? "; not by timer" : "; by timer " + calendar;
  if (never == volumes) return fmt::format("never; {}", limit);
  std::string text = verify.contains("oldest_wall_seconds") && verify["oldest_wall_seconds"].is_number_integer() ? "the oldest " + ago_text(verify["oldest_wall_seconds"].get<std::int64_t>()) : std::string();
  if (never > 0) text += fmt::format(", {} of {} disks never", never, volumes);
  return fmt::format("{}; {}", text, limit);
}

void print_cluster(Session& session, const Json& info) {
  const Json& vms = object_at(info, "vms");
  const bool single = text_at(info, "cluster_state") == "single";
  Facts facts;
  facts.add("Cluster", single ? "one node (add the other one: hvctl cluster add-node)" : "two nodes");
  const Json& peer = object_at(info, "peer");
  if (!peer.empty()) {
    const bool reachable = flag_at(peer, "reachable");
    const bool connected = reachable && flag_at(peer, "in_group");
    const std::string left = left_text(peer);
    const std::string state = connected ? "connected" : reachable ? "answers, but is not in the group" : left.empty() ? "does not answer" : left;
    facts.add("Peer", fmt::format("{} {}", text_at(peer, "name"), state), connected ? Tone::good : is_away_in_order(peer) ? Tone::plain : Tone::bad);
  }
  facts.add("Configuration", fmt::format("generation {}, index {}, hash {}", number_at(info, "generation"), number_at(info, "index"), or_dash(text_at(info, "hash").substr(0, shown_hash))));
  facts.add("Format", format_text(info));
  if (!single) facts.add("Peer loss", text_at(info, "peer_loss") == "run-alone" ? "run-alone: a node that loses the other one lets its own guests write on" : "freeze: writes stand still until the other node is back or confirmed down");
  facts.add("VMs", fmt::format("{}, {} running", number_at(vms, "total"), number_at(vms, "running")));
  facts.add("DRBD", flag_at(object_at(info, "drbd"), "enabled") ? "enabled" : "not enabled (hvctl drbd enable)");
  if (const std::string verified = verified_text(object_at(info, "verify")); !verified.empty()) facts.add("Verified", verified);
  facts.add("Hypervisors", joined(list_at(info, "hypervisors")));
  facts.add("Version", text_at(info, "version"));
  session.out() << facts.to_text(session.terminal().width, session.terminal().colour);
}

Result<int> show_cluster(Session& session) {
  MCV_TRY(const Json info, session.get("/v1/info"));
  const Json& peer = object_at(info, "peer");
  const int exit_code = !peer.empty() && !flag_at(peer, "reachable") && !is_away_in_order(peer) ? exit_partial : 0;
  if (session.json()) {
    session.print(info);
    return exit_code;
  }
  print_nodes(session, info);
  session.out() << '\n';
  print_cluster(session, info);
  print_warnings(session, list_at(info, "warnings"));
  return exit_code;
}

Result<int> run_info(Session& session, const Arguments& arguments) {
  if (arguments.names().empty()) return show_cluster(session);
  return show_vms(session, arguments.names());
}

}  // namespace

Command info() {
  return {.name = "info",
          .summary = "show the nodes and the cluster, or everything about VMs",
          .details = "Without a name: each node with its addresses and status, the peer, the shared configuration's position, and warnings with the "
                     "command that helps. Exit code 22 when the other node does not answer, unless it left in order: what is shown is then this node's view.",
          .operands = {.name = "VM", .min = 0, .max = any_number, .completes = Completes::vm},
          .also = {"cluster show"},
          .routes = {{"GET", "/v1/info"}, {"GET", "/v1/vms/{name}"}},
          .examples = {"hvctl info", "hvctl info vm1", "hvctl info -o json"},
          .run = run_info};
}

}  // namespace mcv::cli::commands

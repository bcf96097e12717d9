// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/join/join.h"
#include "cli/join/prompt.h"
#include "cli/render/table.h"
#include "cli/session.h"
#include "cluster/peer/connect_string.h"

namespace mcv::cli::commands {
namespace {

Status check_options(const Arguments& arguments) {
  const auto refuse = [](std::string why) { return Error(ErrorCode::bad_request, std::move(why)).with_safe(nothing_changed).with_next("hvctl cluster add-node --help"); };
  if (arguments.has("--connect-string")) {
    for (const char* option : {"--user", "--password-stdin", "--fingerprint", "--identity", "--ssh-port", "--known-hosts"}) {
      if (arguments.has(option)) return refuse(fmt::format("with --connect-string no ssh is used: {} has no meaning", option));
    }
    return success();
  }
  if (!arguments.has("--node") || !arguments.has("--ip-address")) return refuse("give --node and --ip-address of the node to add, or its --connect-string");
  if (arguments.has("--fingerprint") && !arguments.value("--fingerprint").starts_with("SHA256:")) return refuse("a fingerprint looks like SHA256:..., as ssh-keygen -l shows it");
  return success();
}

Result<JoinRequest> join_request(const Arguments& arguments) {
  JoinRequest request;
  MCV_TRY(request.target.address, parse_address(arguments.value("--ip-address")));
  MCV_TRY(const std::uint32_t port, parse_count("--ssh-port", arguments.value("--ssh-port", "22"), 65535));
  request.target.port = static_cast<std::uint16_t>(port);
  request.target.user = arguments.value("--user", "root");
  request.target.identity = arguments.value("--identity");
  request.target.known_hosts = arguments.value("--known-hosts");
  request.fingerprint = arguments.value("--fingerprint");
  if (arguments.has("--password-stdin")) {
    MCV_TRY(request.password, secret_from_stdin());
  }
  return request;
}

/// From the command line, standard input, a question, or the other node over ssh.
Result<std::string> connect_string_text(Session& session, const Arguments& arguments) {
  if (!arguments.has("--connect-string")) {
    MCV_TRY(JoinRequest request, join_request(arguments));
    return fetch_connect_string(std::move(request), session.err());
  }
  std::string text = arguments.value("--connect-string");
  if (text != "-") return text;
  Result<Secret> line = session.terminal().input ? prompt_secret("Connect string: ") : secret_from_stdin();
  if (!line.ok()) return std::move(line).error();
  return std::string(line->view());
}

/// mcvd checks all of this again; asked here, a mistake costs no password and no waiting.
Status check_this_node(Session& session) {
  MCV_TRY(const Json info, session.get("/v1/info"));
  if (text_at(info, "cluster_state") != "cluster") return success();
  return Error(ErrorCode::already_clustered, fmt::format("this node already has a partner: {}", or_dash(text_at(object_at(info, "peer"), "name")))).with_safe(nothing_changed).with_next("hvctl info");
}

Status check_name(const Arguments& arguments, const ConnectString& parsed) {
  const std::string wanted = arguments.value("--node", parsed.name.str());
  if (wanted == parsed.name.str()) return success();
  return Error(ErrorCode::name_mismatch, fmt::format("the node at {} is called {}, not {}", parsed.address, parsed.name.str(), wanted))
      .with_safe(nothing_changed)
      .with_next(fmt::format("--node {} if it is the right machine; otherwise check --ip-address", parsed.name.str()));
}

void print_suitability(Session& session, const Json& answer) {
  Table table({"CHECK", "RESULT", "FOUND", "WHAT HELPS"});
  for (const Json& check : list_at(answer, "suitability")) {
    const std::string status = text_at(check, "status");
    table.add({text_at(check, "check"), Cell(status, tone_of(status)), text_at(check, "text"), status == "pass" ? "" : text_at(check, "fix")});
  }
  session.out() << table.to_text(session.terminal().width, session.terminal().colour) << std::flush;
}

/// The table first, so that a refusal is seen whole and a warning before anything is changed.
Status check_suitability(Session& session, Json body, bool check_only) {
  body["check_only"] = true;
  MCV_TRY(const Outcome outcome, session.submit("POST", "/v1/cluster/add-node", {}, body));
  const bool suitable = flag_at(outcome.body, "suitable");
  if (session.json()) {
    if (check_only) session.print(outcome.body);
  } else if (!session.globals().quiet || !suitable) {
    print_suitability(session, outcome.body);
  }
  if (suitable) return success();
  return Error(ErrorCode::not_suitable, fmt::format("{} cannot be added", text_at(body, "node"))).with_safe(nothing_changed).with_next("put right what failed above (WHAT HELPS), then the same command again");
}

void print_notice(Session& session) {
  if (session.json() || session.globals().quiet) return;
  session.err() << "Note: the two daemons and corosync encrypt what they say to each other; guest data on the\n"
                   "replication link is NOT encrypted. Let only the two nodes reach it: a direct cable or a VLAN.\n";
}

Result<int> run_cluster_add_node(Session& session, const Arguments& arguments) {
  MCV_CHECK(check_options(arguments));
  if (session.globals().dry_run && arguments.has("--check-only")) return Error(ErrorCode::bad_request, "--check-only changes nothing already; --dry-run shows the steps instead").with_safe(nothing_changed);
  MCV_CHECK(check_this_node(session));
  MCV_TRY(const std::string text, connect_string_text(session, arguments));
  MCV_TRY(const ConnectString parsed, parse_connect_string(text));
  MCV_CHECK(check_name(arguments, parsed));
  const bool check_only = arguments.has("--check-only");
  Json body = {{"connect_string", encode_connect_string(parsed)}, {"node", parsed.name.str()}, {"check_only", false}};
  if (arguments.has("--ip-address")) {
    MCV_TRY(body["address"], parse_address(arguments.value("--ip-address")));
  }
  if (arguments.has("--peer-loss")) body["peer_loss"] = arguments.value("--peer-loss");
  if (arguments.has("--peer-loss") && !check_only) {
    MCV_CHECK(confirm_peer_loss(session, arguments.value("--peer-loss")));
  }
  if (!session.globals().dry_run) {
    MCV_CHECK(check_suitability(session, body, check_only));
  }
  if (check_only) {
    if (!session.json() && !session.globals().quiet) session.out() << fmt::format("{} can be added. Nothing was changed (--check-only).\n", parsed.name.str());
    return 0;
  }
  print_notice(session);
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/cluster/add-node", {}, body));
  return session.finish(outcome, fmt::format("{} is part of the cluster now. See: hvctl info", parsed.name.str()));
}

}  // namespace

Command cluster_add_node() {
  return {.name = "cluster add-node",
          .summary = "add a blank node to this one's cluster",
          .details = "Run it on the node that has the VMs; they keep running. The other node must be blank: what it knows is replaced by this node's configuration. All or "
                     "nothing: after a failure both nodes are as they were.\n\n"
                     "With --node and --ip-address the other node is asked over ssh, as root or as --user with sudo: first with a key of the agent, of --identity or of the "
                     "usual files, then with its password, which stays in this process. Its host key must be known, or equal --fingerprint, or be confirmed at the "
                     "terminal (--yes does not).\n\n"
                     "Without ssh: 'hvctl cluster get-connect-string' there, and its line here after --connect-string. With '-' it is asked for, or read from "
                     "standard input, and so appears in no process list.",
          .options = {{.name = "--node", .value = "NODE", .help = "the other node's name (uname -n)"},
                      {.name = "--ip-address", .value = "IP", .help = "its address on the cluster's network"},
                      {.name = "--user", .value = "USER", .help = "log in as this user and use sudo; root unless given"},
                      {.name = "--password-stdin", .help = "read the password from standard input's first line"},
                      {.name = "--identity", .value = "FILE", .help = "log in with this private key", .completes = Completes::file},
                      {.name = "--fingerprint", .value = "SHA256:...", .help = "the host key it must have"},
                      {.name = "--known-hosts", .value = "FILE", .help = "look for its host key in this file", .completes = Completes::file},
                      {.name = "--ssh-port", .value = "PORT", .help = "22 unless given"},
                      {.name = "--connect-string", .value = "TEXT", .help = "what get-connect-string printed there, or -"},
                      {.name = "--peer-loss", .value = "freeze|run-alone", .help = "what a node does when it loses the other one; freeze unless given"},
                      {.name = "--check-only", .help = "check whether it is suitable and change nothing"}},
          .also = {"cluster --add-node"},
          .routes = {{"GET", "/v1/info"}, {"POST", "/v1/cluster/add-node"}},
          .examples = {"hvctl cluster add-node --node B --ip-address 10.77.0.12", "hvctl cluster add-node --node B --ip-address 10.77.0.12 --user admin --check-only",
                       "hvctl cluster add-node --connect-string -"},
          .run = run_cluster_add_node};
}

}  // namespace mcv::cli::commands

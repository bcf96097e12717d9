// SPDX-License-Identifier: Apache-2.0
#include "cli/session.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <utility>

#include "cli/command_table.h"
#include "cli/interrupts.h"
#include "cli/render/json.h"
#include "cli/render/problem.h"
#include "cli/render/progress.h"
#include "cli/render/table.h"
#include "cli/suggest.h"
#include "cluster/access/permission.h"
#include "cluster/core/problem.h"

namespace mcv::cli {

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
    if (unreserved) encoded += c;
    else encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

namespace {

struct NameSource {
  const char* path;
  const char* list;
};

constexpr const char* suggestion = "; did you mean ";

/// In the order they were typed, without repetitions: a second request for the same thing would only be in the way of the first.
std::vector<std::string> distinct(const std::vector<std::string>& names) {
  std::vector<std::string> once;
  for (const std::string& name : names) {
    if (std::find(once.begin(), once.end(), name) == once.end()) once.push_back(name);
  }
  return once;
}

/// What LVM's tools on both nodes are asked for: a slow disk is no sign of a daemon that hangs.
bool runs_tools(std::string_view path) {
  static constexpr std::array<std::string_view, 4> routes{"/v1/orphans", "/v1/quarantine", "/v1/snapshots", "/v1/storage"};
  return std::find(routes.begin(), routes.end(), path) != routes.end();
}

NameSource source_of(Completes kind) {
  switch (kind) {
    case Completes::vm: return {"/v1/vms?view=brief", "vms"};
    case Completes::node: return {"/v1/nodes", "nodes"};
    case Completes::network: return {"/v1/networks", "networks"};
    case Completes::pool: return {"/v1/storage", "pools"};
    case Completes::operation: return {"/v1/operations?local=true", "operations"};  // waits for nobody
    case Completes::user: return {"/v1/users", "users"};
    case Completes::group: return {"/v1/groups", "groups"};
    case Completes::disk: return {"/v1/vms?view=brief", "vms"};
    case Completes::snapshot: return {"/v1/snapshots", "snapshots"};
    case Completes::quarantined: return {"/v1/quarantine", "copies"};
    case Completes::nothing:
    case Completes::action:
    case Completes::file: break;
  }
  return {nullptr, nullptr};
}

}  // namespace

std::optional<Error> error_of_operation(const Json& view) {
  const std::string state = text_at(view, "state");
  if (state == "succeeded") return std::nullopt;
  const Json& problem = object_at(view, "error");
  if (!problem.empty()) return error_from_problem(problem);
  const std::string id = text_at(view, "id");
  if (state == "cancelled") return Error(ErrorCode::cancelled, fmt::format("operation {} was cancelled", id)).with_next("hvctl op show " + id);
  return Error(ErrorCode::internal, fmt::format("operation {} ended as '{}' without saying why", id, state)).with_next("hvctl op show " + id);
}

Session::Session(Globals globals, Terminal terminal, const Command& command, std::ostream& out, std::ostream& err)
    : globals_(std::move(globals)), terminal_(terminal), command_(command), out_(out), err_(err), client_(globals_.socket, globals_.verbose > 0 ? &err : nullptr) {}

Result<std::string> Session::target(std::string_view method, std::string_view path, const std::vector<std::string>& names) const {
  const Route wanted{method, path};
  const auto declared_in = [&wanted](const std::vector<Route>& routes) { return std::find(routes.begin(), routes.end(), wanted) != routes.end(); };
  if (!declared_in(command_.routes) && !declared_in(shared_routes())) {
    return Error(ErrorCode::internal, fmt::format("'hvctl {}' does not declare {} {}", command_.name, method, path));
  }
  std::string filled;
  auto name = names.begin();
  while (!path.empty()) {
    const std::size_t open = path.find('{');
    filled += path.substr(0, open);
    if (open == std::string_view::npos) break;
    if (name == names.end()) return Error(ErrorCode::internal, fmt::format("{} lacks a name", filled));
    filled += percent_encoded(*name++);
    path.remove_prefix(path.find('}') + 1);
  }
  return filled;
}

Result<Json> Session::get(std::string_view path, const std::vector<std::string>& names, std::string_view query) {
  MCV_TRY(std::string where, target("GET", path, names));
  if (!query.empty()) where += fmt::format("?{}", query);
  MCV_TRY(Reply reply, client_.request("GET", where, std::nullopt, runs_tools(path) ? std::optional(Patience().change) : std::nullopt));
  return std::move(reply.body);
}

Result<Json> Session::list(std::string_view path, std::string_view query, std::string_view key, const std::function<void(const Json&)>& take) {
  MCV_TRY(std::string where, target("GET", path, {}));
  if (!query.empty()) where += fmt::format("?{}", query);
  return client_.list(where, key, take);
}

Result<Json> Session::plan(std::string_view method, std::string_view path, const std::vector<std::string>& names, const std::optional<Json>& body) {
  MCV_TRY(const std::string where, target(method, path, names));
  MCV_TRY(Reply reply, client_.request(std::string(method), where + "?dry_run=true", body));
  if (!reply.body.contains("plan")) return Error(ErrorCode::bad_output, "mcvd did not answer with a plan").with_next("hvctl op list (it may have acted)");
  return std::move(reply.body);
}

Result<Outcome> Session::submit(std::string_view method, std::string_view path, const std::vector<std::string>& names, const std::optional<Json>& body) {
  if (globals_.dry_run) {
    MCV_TRY(Json planned, plan(method, path, names, body));
    return Outcome{Outcome::Kind::planned, std::move(planned)};
  }
  MCV_TRY(const std::string where, target(method, path, names));
  MCV_TRY(Reply reply, client_.request(std::string(method), where, body));
  if (const std::string kept = text_at(reply.body, "audit"); !kept.empty() && !json() && !globals_.quiet) {
    err_ << (kept == "single node" ? "The audit has this on one node only; the other one gets it when it is back.\n" : "The audit misses this: its row could not be stored (journalctl -u mcvd).\n");
  }
  if (reply.status == 202) return Outcome{Outcome::Kind::started, object_at(reply.body, "operation")};
  return Outcome{Outcome::Kind::done, std::move(reply.body)};
}

Result<Outcome> Session::follow(Outcome started, const std::string& label) {
  if (started.kind != Outcome::Kind::started || !globals_.wait) return started;
  const std::string id = text_at(started.body, "id");
  if (id.empty()) return Error(ErrorCode::bad_output, "mcvd started an operation without an id").with_next("hvctl op list");
  InterruptGuard guard;
  Json last = started.body;
  Result<Json> ended = Json();
  {
    Progress progress(err_, terminal_.error_width, terminal_.error_colour, label);
    const bool silent = globals_.quiet || json();
    ended = client_.follow(id, [&](const Json& view) {
      last = view;
      if (!silent) progress.show(view);
    });
  }
  if (ended.ok()) return Outcome{Outcome::Kind::ended, std::move(*ended)};
  if (ended.error().code() == ErrorCode::cancelled && InterruptGuard::signal_number() != 0) return Outcome{Outcome::Kind::left_running, std::move(last)};
  return std::move(ended).error();
}

Result<Outcome> Session::change(std::string_view method, std::string_view path, const std::vector<std::string>& names, const std::optional<Json>& body) {
  MCV_TRY(Outcome outcome, submit(method, path, names, body));
  return follow(std::move(outcome));
}

void Session::print(const Json& value) { print_json(out_, value, terminal_.output); }

void Session::print_error(const Error& error) {
  if (json()) print_json(err_, to_client_problem(error), terminal_.error);
  else err_ << problem_text(error, terminal_.error_width, terminal_.error_colour);
}

void Session::print_plan(const Json& plan) {
  Table table({"STEP", "NODE", "WHAT"});
  for (const Json& step : list_at(plan, "plan")) table.add({text_at(step, "step"), text_at(step, "node"), text_at(step, "text")});
  if (table.empty()) out_ << "Nothing to do.\n";
  else out_ << table.to_text(terminal_.width, terminal_.colour) << "Nothing was changed (--dry-run).\n";
}

void Session::say_left_running(const Json& operation) {
  const std::string id = text_at(operation, "id");
  err_ << fmt::format("\nOperation {} goes on without this command.\n  watch:  hvctl op watch {}\n  cancel: hvctl op cancel {}\n", id, id, id);
}

Result<int> Session::finish(const Outcome& outcome, const std::string& done_text) {
  switch (outcome.kind) {
    case Outcome::Kind::planned:
      if (json()) print(outcome.body);
      else print_plan(outcome.body);
      return 0;
    case Outcome::Kind::done: {
      if (json()) print(outcome.body);
      else if (!globals_.quiet) {
        out_ << done_text << '\n';
        if (text_at(outcome.body, "durability") == "single node") err_ << "This change is stored on one node only; the other one gets it when it is back.\n";
      }
      return 0;
    }
    case Outcome::Kind::started:
      if (json()) print({{"operation", outcome.body}});
      else if (globals_.quiet) out_ << text_at(outcome.body, "id") << '\n';
      else out_ << fmt::format("Started: {} (watch: hvctl op watch {})\n", text_at(outcome.body, "id"), text_at(outcome.body, "id"));
      return 0;
    case Outcome::Kind::left_running:
      if (json()) print({{"operation", outcome.body}});
      say_left_running(outcome.body);
      return exit_left_running;
    case Outcome::Kind::ended: {
      if (json()) print({{"operation", outcome.body}});
      if (std::optional<Error> error = error_of_operation(outcome.body)) return std::move(*error);
      if (!json() && !globals_.quiet) out_ << done_text << '\n';
      return 0;
    }
  }
  return 0;
}

Result<int> Session::each(const std::vector<std::string>& typed, Completes kind, const std::function<Result<Outcome>(const std::string&)>& submit_one,
                          const std::function<std::string(const std::string&)>& done_text) {
  const std::vector<std::string> names = distinct(typed);
  if (names.size() == 1) {
    Result<Outcome> sent = submit_one(names.front());
    if (!sent.ok()) return with_suggestion(std::move(sent).error(), kind, names.front());
    MCV_TRY(const Outcome ended, follow(std::move(*sent)));
    return finish(ended, done_text(names.front()));
  }
  std::vector<Result<Outcome>> outcomes;
  for (const std::string& name : names) outcomes.push_back(submit_one(name));
  Json results = Json::array();
  int exit_code = 0;
  const Format format = std::exchange(globals_.format, Format::table);  // one document for all, printed below
  const bool as_json = format == Format::json;
  const bool quiet = globals_.quiet;
  globals_.quiet = quiet || as_json;
  bool interrupted = false;
  for (std::size_t i = 0; i < names.size(); ++i) {
    Result<Outcome> ended = outcomes[i].ok() && !interrupted ? follow(std::move(*outcomes[i]), names[i]) : std::move(outcomes[i]);
    if (ended.ok() && interrupted && ended->kind == Outcome::Kind::started) ended->kind = Outcome::Kind::left_running;
    interrupted = interrupted || (ended.ok() && ended->kind == Outcome::Kind::left_running);
    Json result = {{"name", names[i]}};
    if (ended.ok()) result[ended->kind == Outcome::Kind::planned || ended->kind == Outcome::Kind::done ? "answer" : "operation"] = ended->body;
    Result<int> code = 0;
    if (!ended.ok()) code = with_suggestion(std::move(ended).error(), kind, names[i]);
    else if (as_json && ended->kind == Outcome::Kind::ended) {
      if (std::optional<Error> error = error_of_operation(ended->body)) code = std::move(*error);
    } else if (as_json) code = ended->kind == Outcome::Kind::left_running ? exit_left_running : 0;
    else code = finish(*ended, fmt::format("{}: {}", names[i], done_text(names[i])));
    if (!code.ok()) {
      result["error"] = to_client_problem(code.error());
      if (!as_json) print_error(std::move(code.error()).with_context(names[i]));
    }
    const int one = code.ok() ? *code : exit_code_of(code.error().kind());
    if (exit_code == 0) exit_code = one;
    results.push_back(std::move(result));
  }
  globals_.format = format;
  globals_.quiet = quiet;
  if (as_json) print({{"results", results}});
  return exit_code;
}

Result<int> Session::each_shown(const std::vector<std::string>& typed, Completes kind, std::string_view path, const std::function<void(const Json&)>& show,
                                const std::function<int(const Json&)>& exit_code) {
  const std::vector<std::string> names = distinct(typed);
  Json results = Json::array();
  int code = 0;
  for (const std::string& name : names) {
    Result<Json> found = get(path, {name});
    const int one = found.ok() ? exit_code(*found) : exit_code_of(found.error().kind());
    if (code == 0) code = one;
    if (!found.ok()) {
      Error error = with_suggestion(std::move(found).error(), kind, name);
      if (names.size() == 1) return error;
      if (json()) results.push_back({{"name", name}, {"error", to_client_problem(error)}});
      else print_error(std::move(error).with_context(name));
      continue;
    }
    if (!json()) {
      if (name != names.front()) out_ << '\n';
      show(*found);
    } else if (names.size() == 1) {
      print(*found);
    } else {
      results.push_back({{"name", name}, {"answer", std::move(*found)}});
    }
  }
  if (json() && names.size() > 1) print({{"results", results}});
  return code;
}

std::vector<std::string> Session::names_of(Completes kind) {
  std::vector<std::string> names;
  if (kind == Completes::action) {
    for (const access::Permission permission : access::all_permissions()) names.emplace_back(access::to_text(permission));
  }
  const NameSource source = source_of(kind);
  if (source.path == nullptr) return names;
  const Result<Reply> reply = client_.request("GET", source.path, std::nullopt, std::chrono::milliseconds(800));
  if (!reply.ok()) return names;
  for (const Json& item : list_at(reply->body, source.list)) {
    if (kind != Completes::disk) {
      names.push_back(text_at(item, kind == Completes::operation ? "id" : "name"));
      continue;
    }
    for (const Json& volume : list_at(item, "volumes")) names.push_back(text_at(volume, "name"));
  }
  return names;
}

Error Session::with_suggestion(Error error, Completes kind, const std::string& typed) {
  if (error.code() != ErrorCode::not_found || error.message().find(suggestion) != std::string::npos) return error;
  const std::string found = nearest(typed, names_of(kind));
  if (found.empty() || found == typed) return error;
  return Error(error.code(), fmt::format("{}{}{}?", error.message(), suggestion, found)).with_safe(error.safe()).with_next(error.next());
}

Error Session::with_suggestion(Error error, const Arguments& arguments) {
  if (error.code() != ErrorCode::not_found) return error;
  const auto speaks_of = [&error](const std::string& typed) { return error.message().find(typed) != std::string::npos; };
  for (std::size_t i = 0; i < arguments.names().size(); ++i) {
    const std::string& name = arguments.names()[i];
    const Completes kind = command_.operands.kind_at(i);
    if (kind != Completes::nothing && speaks_of(name)) error = with_suggestion(std::move(error), kind, name);
  }
  for (const Option& option : command_.options) {
    if (option.completes == Completes::nothing || option.completes == Completes::file) continue;
    for (const std::string& value : arguments.values(option.name)) {
      if (speaks_of(value)) error = with_suggestion(std::move(error), option.completes, value);
    }
  }
  return error;
}

}  // namespace mcv::cli

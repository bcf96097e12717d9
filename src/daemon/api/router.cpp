// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/router.h"

#include <fmt/format.h>

#include <stdexcept>

#include "cluster/core/utf8.h"

namespace mcv::api {

namespace asio = boost::asio;

namespace {

bool is_parameter(const std::string& part) { return part.size() > 2 && part.front() == '{' && part.back() == '}'; }

/// Two patterns that could match the same path would make the answer depend on their order.
bool overlap(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && is_parameter(a[i]) == is_parameter(b[i]) && !is_parameter(a[i])) return false;
    if (is_parameter(a[i]) != is_parameter(b[i])) return false;  // a literal wins over a parameter, by `find`
  }
  return true;
}

/// What a name cannot be of a VM is asked for as everything: only who sees everything learns that.
access::Scope scope_of(const Router::Route& route, const ApiCall& call) {
  if (route.reach == Reach::some) return access::Scope::somewhere();
  if (route.reach == Reach::cluster) return access::Scope::cluster();
  auto name = VmName::parse(call.param("name"));
  return name.ok() ? access::Scope::vm(std::move(*name)) : access::Scope::cluster();
}

}  // namespace

void Router::add(std::string method, std::string pattern, access::Permission permission, Reach reach, ApiHandler handler) {
  Result<Target> target = parse_target(pattern);
  if (!target.ok() || !handler) throw std::logic_error("route " + method + " " + pattern + ": no handler or no pattern");
  if (reach == Reach::vm && pattern.find("/{name}") == std::string::npos) throw std::logic_error("route " + method + " " + pattern + ": names no VM");
  for (const Route& route : routes_) {
    if (route.method == method && overlap(route.parts, target->segments)) throw std::logic_error("route " + method + " " + pattern + " is there twice");
  }
  Route route;
  route.method = std::move(method);
  route.pattern = std::move(pattern);
  route.permission = permission;
  route.reach = reach;
  route.handler = std::move(handler);
  route.parts = std::move(target->segments);
  routes_.push_back(std::move(route));
}

const Router::Route* Router::find(const std::string& method, const Target& target, std::map<std::string, std::string>& params) const {
  const Route* best = nullptr;
  std::size_t best_literals = 0;
  for (const Route& route : routes_) {
    if (route.method != method || route.parts.size() != target.segments.size()) continue;
    std::map<std::string, std::string> found;
    std::size_t literals = 0;
    bool matches = true;
    for (std::size_t i = 0; i < route.parts.size() && matches; ++i) {
      const std::string& part = route.parts[i];
      if (is_parameter(part)) found[part.substr(1, part.size() - 2)] = target.segments[i];
      else if (part == target.segments[i]) ++literals;
      else matches = false;
    }
    if (!matches || (best != nullptr && literals <= best_literals)) continue;
    best = &route;
    best_literals = literals;
    params = std::move(found);
  }
  return best;
}

Result<Router::Admitted> Router::admit(ApiCall call, const std::string& text) const {
  MCV_TRY(Target target, parse_target(text));
  // Also where nobody reads it here: it may be sent on to the other node, in JSON.
  if (valid_utf8(call.body) != call.body) return Error(ErrorCode::bad_request, "the body is not UTF-8");
  Admitted admitted;
  admitted.route = find(call.method, target, call.params);
  call.path = target.path();
  call.query = std::move(target.query);
  if (admitted.route == nullptr) {
    return Error(ErrorCode::unknown_route, fmt::format("this daemon does not know {} {}", valid_utf8(call.method), call.path)).with_next("hvctl --version");
  }
  Need need{admitted.route->permission, scope_of(*admitted.route, call)};
  if (call.audit) {
    call.audit->action = to_text(need.permission);
    call.audit->request = call.method + " " + valid_utf8(call.path);
    if (const VmName* vm = need.scope.vm()) call.audit->vms = {vm->str()};
  }
  MCV_CHECK(authorizer_(call, need));
  call.needs = {std::move(need)};
  admitted.call = std::move(call);
  return admitted;
}

asio::awaitable<ApiReply> Router::answer(ApiCall call, std::string target) const {
  MCV_CO_TRY(Admitted admitted, admit(std::move(call), target));
  ApiReply reply = co_await admitted.route->handler(std::move(admitted.call));
  co_return reply;
}

}  // namespace mcv::api

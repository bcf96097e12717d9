// SPDX-License-Identifier: Apache-2.0
// config/openapi.json as the contract of both daemons: what they take and answer, in every schedule and whole-daemon test, is held
// against it. As much of JSON Schema as the file uses (tests/unit/cli/openapi.py is the same for the command line).
#pragma once

#include <string>
#include <vector>

#include "cluster/core/json.h"
#include "daemon/api/api_call.h"

namespace mcv::sim {

class ApiContract {
 public:
  struct Route {
    std::string method;
    std::string path;            ///< "/v1/vms/{name}"
    const Json* operation = nullptr;
  };

  /// Read once; throws when the file cannot be read.
  static const ApiContract& get();

  const std::vector<Route>& routes() const { return routes_; }
  /// Nothing for a target that no route has.
  const Route* find(const std::string& method, const std::string& target) const;
  /// The schema of the body, nothing where there is none.
  const Json* body_schema(const Route& route) const;
  const Json& resolved(const Json& schema) const;

  /// What is wrong with `value`, as texts.
  std::vector<std::string> errors(const Json& schema, const Json& value, const std::string& where = "$") const;
  /// What is wrong with this reply, and, where it is not a refusal, with the request that got it.
  std::vector<std::string> check(const std::string& method, const std::string& target, const Json& body, const api::ApiReply& reply) const;

 private:
  ApiContract();
  void check_value(const Json& schema, const Json& value, const std::string& where, std::vector<std::string>& found) const;
  void check_object(const Json& schema, const Json& value, const std::string& where, std::vector<std::string>& found) const;

  Json document_;
  std::vector<Route> routes_;
};

}  // namespace mcv::sim

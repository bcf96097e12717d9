// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/api_call.h"
#include "daemon/api/target.h"

namespace mcv::api {

/// May `caller` use `permission`? Called with the decoded call before any code of the feature runs (I8).
using Authorizer = std::function<Status(const ApiCall& call, const std::string& permission)>;

/// Until users and grants exist: root alone, whatever the permission.
Status allow_root_only(const ApiCall& call, const std::string& permission);

/// The table of everything a client can ask. Deny by default: what is not in the table does not exist, and a route
/// without a permission cannot be added.
class Router {
 public:
  struct Route {
    std::string method;
    std::string pattern;     ///< "/v1/vms/{name}/start"
    std::string permission;  ///< "vm.start"
    ApiHandler handler;
    std::vector<std::string> parts;
  };

  explicit Router(Authorizer authorizer) : authorizer_(std::move(authorizer)) {}
  /// A malformed or repeated route, or one without a permission, is a defect: std::logic_error at start-up.
  void add(std::string method, std::string pattern, std::string permission, ApiHandler handler);
  const std::vector<Route>& routes() const { return routes_; }

  /// `call` has everything but `path`, `params` and `query`, which come from `target`.
  boost::asio::awaitable<ApiReply> answer(ApiCall call, std::string target) const;

 private:
  struct Admitted {
    const Route* route = nullptr;
    ApiCall call;
  };
  Result<Admitted> admit(ApiCall call, const std::string& target) const;
  const Route* find(const std::string& method, const Target& target, std::map<std::string, std::string>& params) const;

  Authorizer authorizer_;
  std::vector<Route> routes_;
};

}  // namespace mcv::api

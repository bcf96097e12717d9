// SPDX-License-Identifier: Apache-2.0
#include "net/bridge.h"

#include <fmt/format.h>

#include "net/commands.h"
#include "net/names.h"

namespace mcv::net {

namespace asio = boost::asio;

namespace {

asio::awaitable<Status> run(host::Host& host, host::Command command) {
  MCV_CO_TRY(const std::string said, co_await host::run_ok(host.processes, std::move(command)));
  co_return success();
}

/// The uplink's checks: pure.
Status check_uplink(const std::vector<Link>& links, const std::string& uplink, const std::string& bridge) {
  const Link* device = find(links, uplink);
  if (device == nullptr) return Error(ErrorCode::not_found, fmt::format("there is no network device {} on this node", uplink)).with_next("ip -brief link");
  if (!device->bridge.empty() && device->bridge != bridge) {
    return Error(ErrorCode::in_use, fmt::format("{} is a port of the bridge {}", uplink, device->bridge)).with_safe("it was not touched");
  }
  for (const Address& address : device->addresses) {
    if (address.link_local) continue;
    return Error(ErrorCode::in_use, fmt::format("{} carries the address {}: as a port of {} it would lose it", uplink, address.text, bridge))
        .with_safe("it was not touched")
        .with_next(fmt::format("move the address of {} to {} in /etc/network/interfaces", uplink, bridge));
  }
  return success();
}

Status check_bridge(const std::vector<Link>& links, const std::string& bridge, const std::optional<std::string>& uplink) {
  if (uplink) {
    MCV_CHECK(check_uplink(links, *uplink, bridge));
  }
  const Link* found = find(links, bridge);
  if (found == nullptr || found->kind == "bridge") return success();
  return Error(ErrorCode::already_exists, fmt::format("{} exists and is no bridge", bridge)).with_safe("it was not touched");
}

/// `ip` prints the owner's name where the user database has one; the kernel prints the number.
asio::awaitable<Result<bool>> fits(host::Host& host, Link found, Tap wanted) {
  if (!found.tap || found.vnet_header != wanted.vnet_header) co_return false;
  MCV_CO_TRY(const std::string owner, co_await host.files.read("/sys/class/net/" + wanted.name + "/owner"));
  co_return owner == fmt::format("{}\n", wanted.owner);
}

}  // namespace

asio::awaitable<Result<bool>> would_make_bridge(host::Host& host, std::string bridge, std::optional<std::string> uplink) {
  MCV_CO_CHECK(check_device_name(bridge));
  MCV_CO_TRY(const std::vector<Link> before, co_await links(host));
  MCV_CO_CHECK(check_bridge(before, bridge, uplink));
  co_return find(before, bridge) == nullptr;
}

asio::awaitable<Result<bool>> ensure_bridge(host::Host& host, std::string bridge, std::optional<std::string> uplink) {
  MCV_CO_CHECK(check_device_name(bridge));
  MCV_CO_TRY(const std::vector<Link> before, co_await links(host));
  MCV_CO_CHECK(check_bridge(before, bridge, uplink));
  const Link* found = find(before, bridge);
  if (found == nullptr) {
    host::Command add = commands::add_bridge(bridge);
    MCV_CO_CHECK(co_await run(host, std::move(add)));
  }
  if (found == nullptr || !found->up) {
    host::Command up = commands::set_up(bridge);
    MCV_CO_CHECK(co_await run(host, std::move(up)));
  }
  if (uplink) {
    host::Command attach = commands::attach(*uplink, bridge);
    MCV_CO_CHECK(co_await run(host, std::move(attach)));
    host::Command up = commands::set_up(*uplink);
    MCV_CO_CHECK(co_await run(host, std::move(up)));
  }
  co_return found == nullptr;
}

asio::awaitable<Status> ensure_tap(host::Host& host, Tap tap) {
  MCV_CO_CHECK(check_device_name(tap.name));
  MCV_CO_TRY(const std::vector<Link> before, co_await links(host));
  const Link* bridge = find(before, tap.bridge);
  if (bridge == nullptr || bridge->kind != "bridge") {
    co_return Error(ErrorCode::not_found, fmt::format("there is no bridge {} on this node", tap.bridge)).with_next("hvctl node init --all");
  }
  const Link* found = find(before, tap.name);
  bool usable = false;
  if (found != nullptr) {
    const Link as_found = *found;
    MCV_CO_TRY(usable, co_await fits(host, as_found, tap));
  }
  if (found != nullptr && !usable) {
    // Carrier means a process has it open.
    if (found->carrier || !is_tap_name(tap.name)) {
      co_return Error(ErrorCode::in_use, fmt::format("{} exists with other properties and is in use", tap.name)).with_safe("it was not touched");
    }
    host::Command remove = commands::remove(tap.name);
    MCV_CO_CHECK(co_await run(host, std::move(remove)));
    found = nullptr;
  }
  if (found == nullptr) {
    host::Command add = commands::add_tap(tap.name, tap.owner, tap.vnet_header);
    MCV_CO_CHECK(co_await run(host, std::move(add)));
  }
  if (found == nullptr || found->bridge != tap.bridge) {
    host::Command attach = commands::attach(tap.name, tap.bridge);
    MCV_CO_CHECK(co_await run(host, std::move(attach)));
  }
  if (found == nullptr || !found->up) {
    host::Command up = commands::set_up(tap.name);
    MCV_CO_CHECK(co_await run(host, std::move(up)));
  }
  co_return success();
}

asio::awaitable<Status> remove_tap(host::Host& host, std::string name) {
  if (!is_tap_name(name)) co_return Error(ErrorCode::bad_name, fmt::format("{} is not a device mcv made", name)).with_safe("it was not touched");
  // Every tap has this file; most calls find the device gone already and need no command to know it.
  const std::string marker = "/sys/class/net/" + name + "/owner";
  MCV_CO_TRY(const bool there, co_await host.files.exists(marker));
  if (!there) co_return success();
  host::Command remove = commands::remove(name);
  const Status removed = co_await run(host, std::move(remove));
  co_return removed;
}

}  // namespace mcv::net

// SPDX-License-Identifier: Apache-2.0
// What is said to and heard from cloud-hypervisor v53. Pure; recorded texts in tests/data/ch.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/json.h"
#include "cluster/host/processes.h"
#include "hv/hypervisor.h"

namespace mcv::hv::ch {

struct SocketPaths {
  std::string api;
  std::string events;   ///< a file on tmpfs: kept while mcvd is away
  std::string console;
};
SocketPaths socket_paths(const std::string& vm_directory);

host::Argv command_line(const std::string& binary, const SocketPaths& paths);
/// The body of vm.create. Everything that would default to chance (MAC, serial) or to the VMM's own terminal is set.
Json vm_config(const VmLaunch& launch, const SocketPaths& paths);

struct Event {
  std::string source;  ///< vm, vmm, guest, virtio-device
  std::string name;    ///< booted, shutdown, panic, …
  friend bool operator==(const Event&, const Event&) = default;
};
/// The complete events of an event file that say something about the VMM or its guest; those of devices, which a guest can
/// make as many of as it likes, and a last, half-written one are left out. By brace depth: the objects are pretty-printed
/// over several lines.
std::vector<Event> parse_events(std::string_view text);
/// What is left of the end of an event file when the event that was cut in two is dropped.
std::string_view whole_events(std::string_view tail);

/// What the events say about the guest. The file has the VMM's whole life, or `before` what is known from elsewhere.
struct EventFacts {
  bool booted = false;       ///< the guest ran at least once
  bool powered_off = false;  ///< `vm shutdown` and no boot since
  bool leaving = false;      ///< the VMM itself is going: `vm deleted` or `vmm shutdown`
  bool paused = false;
  std::uint32_t resets = 0;
  bool panicked = false;
};
EventFacts summarize(const std::vector<Event>& events, EventFacts before = {});

/// "Created", "Running", … of a vm.info body.
Result<std::string> state_of_info(std::string_view body);
/// The phase from the two sources; `info_state` was asked for after the `vm shutdown` in `events`, if there is one. `info_state`: nullopt when vm.info gave no answer; "" for 404 (nothing created yet).
VmmPhase phase_of(const std::optional<std::string>& info_state, const EventFacts& events);
/// The error chain of a failed request, outermost first, as one line.
std::string error_text(int status, std::string_view body);
/// The major version of `cloud-hypervisor --version`; nullopt when it is not cloud-hypervisor's answer.
std::optional<int> parse_version(std::string_view output);

}  // namespace mcv::hv::ch

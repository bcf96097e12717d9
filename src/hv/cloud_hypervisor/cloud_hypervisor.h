// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "cluster/host/streams.h"
#include "hv/cloud_hypervisor/protocol.h"
#include "hv/hypervisor.h"
#include "hv/vmm_unit.h"

namespace mcv::hv::ch {

class CloudHypervisor final : public Hypervisor {
 public:
  CloudHypervisor(host::Clock& clock, host::Files& files, host::Processes& processes, host::UnixSockets& sockets, VmmUnits units, std::string binary);

  std::string_view id() const override;
  boost::asio::awaitable<Status> create(VmLaunch launch) override;
  boost::asio::awaitable<Status> boot(VmName vm) override;
  boost::asio::awaitable<Result<VmmLook>> adopt(VmName vm) override;
  boost::asio::awaitable<Result<VmmLook>> look(VmName vm) override;
  boost::asio::awaitable<void> wait_change(VmName vm, host::Duration at_most) override;
  boost::asio::awaitable<Status> power_button(VmName vm) override;
  boost::asio::awaitable<Status> reset(VmName vm) override;
  boost::asio::awaitable<Status> end(VmName vm, bool politely) override;
  boost::asio::awaitable<std::string> obituary(VmName vm) override;
  std::string console_socket(const VmName& vm) const override;
  std::optional<std::string> console_spool(const VmName& vm) const override;

 private:
  struct Seen {
    std::int64_t pid = 0;
    std::size_t event_bytes = 0;  ///< of the event file at the last look
    bool is_long = false;         ///< the event file: from now on only its end is read
    std::uint64_t freed = 0;      ///< bytes from its beginning that were given back
  };

  boost::asio::awaitable<Result<host::HttpResponse>> call(VmName vm, std::string method, std::string endpoint, std::string body,
                                                          std::chrono::milliseconds deadline);
  boost::asio::awaitable<Status> put(VmName vm, std::string endpoint, std::string body, std::chrono::milliseconds deadline);
  boost::asio::awaitable<Status> wait_for_api(VmName vm);
  boost::asio::awaitable<Result<EventFacts>> events(VmName vm);
  boost::asio::awaitable<Result<EventFacts>> newest_events(VmName vm);
  boost::asio::awaitable<void> free_old_events(VmName vm);
  /// The state in vm.info: nullopt without an answer, "" before vm.create.
  boost::asio::awaitable<std::optional<std::string>> info_state(VmName vm);

  host::Clock& clock_;
  host::Files& files_;
  host::Processes& processes_;
  host::UnixSockets& sockets_;
  VmmUnits units_;
  std::string binary_;
  std::map<VmName, Seen> seen_;
};

}  // namespace mcv::hv::ch

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "cluster/host/streams.h"
#include "hv/hypervisor.h"
#include "hv/qemu/qmp_connection.h"
#include "hv/vmm_unit.h"

namespace mcv::hv::qemu {

class QemuHypervisor final : public Hypervisor {
 public:
  QemuHypervisor(boost::asio::any_io_executor executor, host::Clock& clock, host::UnixSockets& sockets, VmmUnits units, std::string binary);
  ~QemuHypervisor() override;

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
  struct Monitor;

  std::shared_ptr<Monitor> monitor_of(const VmName& vm);
  void drop(const VmName& vm);
  boost::asio::awaitable<Result<std::shared_ptr<QmpConnection>>> connection(VmName vm, host::Duration bound);
  boost::asio::awaitable<Result<std::shared_ptr<QmpConnection>>> connect(VmName vm, std::shared_ptr<Monitor> monitor, host::Duration bound);
  boost::asio::awaitable<Status> wait_for_monitor(VmName vm);
  boost::asio::awaitable<Status> command(VmName vm, std::string name);

  boost::asio::any_io_executor executor_;
  host::Clock& clock_;
  host::UnixSockets& sockets_;
  VmmUnits units_;
  std::string binary_;
  std::map<VmName, std::shared_ptr<Monitor>> monitors_;
};

}  // namespace mcv::hv::qemu

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cluster/host/streams.h"
#include "daemon/host/transport.h"

namespace mcv::host {

/// A connection from where an upgrade left it, as the bytes it carries.
class TransportStream final : public ByteStream {
 public:
  /// `first` came in behind the head of the upgrade.
  TransportStream(Transport& transport, std::string first) : transport_(transport), first_(std::move(first)) {}

  /// The other side's hanging up is the end of the stream; `connection_lost` is what nobody meant.
  boost::asio::awaitable<Result<std::string>> read_some() override;
  boost::asio::awaitable<Status> write(std::string bytes) override;
  void close() override { transport_.close(); }

 private:
  Transport& transport_;
  std::string first_;
};

}  // namespace mcv::host

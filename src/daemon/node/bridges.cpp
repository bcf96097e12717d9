// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/bridges.h"

#include "cluster/core/json.h"

namespace mcv {

namespace asio = boost::asio;

asio::awaitable<Result<Bridges>> read_bridges(host::Files& files, std::string path) {
  Bridges bridges;
  const Result<std::string> text = co_await files.read(path);
  if (!text.ok() && text.error().code() == ErrorCode::not_found) co_return bridges;
  if (!text.ok()) co_return text.error();
  const Result<Json> json = parse_json(*text);
  if (!json.ok() || !json->is_object()) {
    co_return Error(ErrorCode::store_corrupt, path + " is not readable")
        .with_safe("what is plugged together now stays so until a reboot")
        .with_next("rm " + path + ", then again: hvctl node init --all");
  }
  for (const auto& item : json->items()) {
    std::optional<std::string>& uplink = bridges[item.key()];
    if (item.value().is_string()) uplink = item.value().get<std::string>();
  }
  co_return bridges;
}

asio::awaitable<Status> remember_bridge(host::Files& files, std::string path, std::string bridge, std::optional<std::string> uplink) {
  MCV_CO_TRY(Bridges bridges, co_await read_bridges(files, path));
  const Bridges before = bridges;
  std::optional<std::string>& remembered = bridges[bridge];
  if (uplink) remembered = std::move(uplink);
  if (bridges == before) co_return success();
  Json json = Json::object();
  for (const auto& [name, port] : bridges) json[name] = port ? Json(*port) : Json();
  std::string text = json.dump();
  const Status written = co_await files.write_durably(path, std::move(text), 0600);
  co_return written;
}

}  // namespace mcv

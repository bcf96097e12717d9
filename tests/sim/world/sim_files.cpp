// SPDX-License-Identifier: Apache-2.0
#include "world/sim_files.h"

#include <chrono>
#include <set>

#include "cluster/core/sha256.h"

namespace mcv::sim {

using std::chrono::microseconds;

namespace {

constexpr const char* directory_mark = "/.";
bool volatile_path(const std::string& path) { return path.starts_with("/run/") || path.starts_with("/sys/") || path.starts_with("/proc/"); }
Error missing(const std::string& path) { return Error(ErrorCode::not_found, path + ": no such file"); }

}  // namespace

void FileDisk::power_cut() {
  for (auto file = files.begin(); file != files.end();) {
    const auto durable = volatile_path(file->first) ? std::nullopt : file->second.durable;
    if (durable) file->second.text = *durable;
    file = durable ? std::next(file) : files.erase(file);
  }
}

bool FileDisk::there(const std::string& path) const {
  if (made_up && made_up(path)) return true;
  if (files.count(path) != 0 || files.count(path + directory_mark) != 0) return true;
  const auto below = files.lower_bound(path + "/");
  return below != files.end() && below->first.starts_with(path + "/");
}

void FileDisk::remove_tree(const std::string& path) {
  files.erase(path);
  std::erase_if(files, [&](const auto& item) { return item.first.starts_with(path + "/"); });
}

void FileDisk::put(const std::string& path, std::string text, bool synced) {
  File& file = files[path];
  file.text = std::move(text);
  if (synced) file.durable = file.text;
}

boost::asio::awaitable<Status> SimFiles::change(std::function<Status()> effect) {
  std::function<void(Reply<Status>)> begin = [this, effect = std::move(effect)](Reply<Status> reply) {
    const microseconds delay(scheduler_.chance().between(20, 2000));
    scheduler_.after(owner_, delay, [effect, reply]() { reply(effect()); });
  };
  co_return co_await await_reply<Status>(scheduler_, owner_, std::move(begin));
}

boost::asio::awaitable<Result<std::string>> SimFiles::read(std::string path) {
  if (disk_.made_up) {
    if (const auto text = disk_.made_up(path)) co_return *text;
  }
  const auto found = disk_.files.find(path);
  if (found == disk_.files.end()) co_return missing(path);
  co_return found->second.text;
}

boost::asio::awaitable<Status> SimFiles::write_durably(std::string path, std::string text, unsigned mode) {
  if (disk_.on_write) disk_.on_write(path, text, mode);
  std::function<Status()> effect = [this, path, text]() -> Status {
    if (disk_.full && !volatile_path(path)) return Error(ErrorCode::disk_full, path + ": no space left");
    disk_.put(path, text, true);
    return success();
  };
  co_return co_await change(std::move(effect));
}

boost::asio::awaitable<Status> SimFiles::append(std::string path, std::string text, unsigned mode) {
  if (disk_.on_write) disk_.on_write(path, text, mode);
  std::function<Status()> effect = [this, path, text]() -> Status {
    disk_.put(path, disk_.files[path].text + text, false);
    return success();
  };
  co_return co_await change(std::move(effect));
}

boost::asio::awaitable<Status> SimFiles::write_in_place(std::string path, std::string text) {
  std::function<Status()> effect = [this, path, text]() -> Status {
    disk_.put(path, text, false);
    return success();
  };
  co_return co_await change(std::move(effect));
}

boost::asio::awaitable<Status> SimFiles::remove(std::string path) {
  std::function<Status()> effect = [this, path]() -> Status {
    disk_.files.erase(path);
    return success();
  };
  co_return co_await change(std::move(effect));
}

boost::asio::awaitable<Result<bool>> SimFiles::exists(std::string path) { co_return disk_.there(path); }

boost::asio::awaitable<Result<std::vector<std::string>>> SimFiles::list(std::string directory) {
  std::set<std::string> names;
  const std::string prefix = directory + "/";
  for (auto file = disk_.files.lower_bound(prefix); file != disk_.files.end() && file->first.starts_with(prefix); ++file) {
    const std::string rest = file->first.substr(prefix.size());
    const std::string name = rest.substr(0, rest.find('/'));
    if (name != ".") names.insert(name);
  }
  std::vector<std::string> list(names.begin(), names.end());
  co_return list;
}

boost::asio::awaitable<Status> SimFiles::make_directory(std::string path, unsigned) {
  std::function<Status()> effect = [this, path]() -> Status {
    disk_.put(path + directory_mark, "", true);
    return success();
  };
  co_return co_await change(std::move(effect));
}

boost::asio::awaitable<Result<std::string>> SimFiles::sha256(std::string path) {
  const auto found = disk_.files.find(path);
  if (found == disk_.files.end()) co_return missing(path);
  co_return sha256_hex(found->second.text);
}

}  // namespace mcv::sim

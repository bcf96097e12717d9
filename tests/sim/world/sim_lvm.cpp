// SPDX-License-Identifier: Apache-2.0
#include "world/sim_lvm.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace mcv::sim {
namespace {

ToolAnswer refuse(std::string why) { return ToolAnswer{5, "", "  " + std::move(why) + "\n"}; }

/// "--size", "4096b" and the like; the last word is the object.
std::map<std::string, std::vector<std::string>> options_of(const std::vector<std::string>& argv) {
  static const std::set<std::string> flags = {"--yes", "--ignoreactivationskip", "--snapshot"};
  std::map<std::string, std::vector<std::string>> options;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    if (!argv[i].starts_with("--")) options[""].push_back(argv[i]);
    else if (flags.count(argv[i]) != 0) options[argv[i]].push_back("");
    else if (i + 1 < argv.size()) {
      options[argv[i]].push_back(argv[i + 1]);
      ++i;
    }
  }
  return options;
}

std::uint64_t rounded(const std::string& bytes) {
  const std::uint64_t size = std::stoull(bytes);
  return (size + SimLvm::extent - 1) / SimLvm::extent * SimLvm::extent;
}

}  // namespace

std::uint64_t SimLvm::free_of(const std::string& group) const {
  std::uint64_t used = 0;
  for (const auto& [name, volume] : volumes) {
    if (name.starts_with(group + "/") && volume.pool.empty()) used += volume.size + (volume.thin_pool ? 2 * extent : 0);
  }
  return groups.at(group) > used ? groups.at(group) - used : 0;
}

Lv* SimLvm::device(const std::string& path) {
  if (!path.starts_with("/dev/")) return nullptr;
  const auto found = volumes.find(path.substr(5));
  return found == volumes.end() ? nullptr : &found->second;
}

void SimLvm::power_cut() {
  for (auto& [name, volume] : volumes) volume.open_by.clear();
}

ToolAnswer SimLvm::list_groups() const {
  std::vector<std::string> rows;
  for (const auto& [name, size] : groups) {
    rows.push_back(fmt::format(R"({{"vg_name":"{}", "vg_size":"{}", "vg_free":"{}", "vg_extent_size":"{}"}})", name, size, free_of(name), extent));
  }
  return ToolAnswer{0, fmt::format(R"({{"report":[{{"vg":[{}]}}]}})", fmt::join(rows, ",")), ""};
}

ToolAnswer SimLvm::list_volumes() const {
  std::vector<std::string> rows;
  for (const auto& [path, volume] : volumes) {
    const std::size_t slash = path.find('/');
    std::uint64_t used = 0;
    if (volume.thin_pool) {
      for (const auto& [other, thin] : volumes) {
        if (thin.pool == path.substr(slash + 1)) used += thin.blocks.size() * 4096 + (thin.meta ? extent : 0);
      }
    }
    const bool thin = !volume.pool.empty();
    // A pool is open while a volume of it is active, and here they all are.
    const std::string name = path.substr(slash + 1);
    const bool open = !volume.open_by.empty() || (volume.thin_pool && std::any_of(volumes.begin(), volumes.end(), [&name](const auto& other) { return other.second.pool == name; }));
    if (thin) used = volume.blocks.size() * 4096;
    const double percent = volume.size > 0 ? 100.0 * static_cast<double>(used) / static_cast<double>(volume.size) : 0.0;
    rows.push_back(fmt::format(
        R"({{"lv_name":"{}", "vg_name":"{}", "lv_size":"{}", "lv_attr":"{}", "lv_tags":"{}", "pool_lv":"{}", "data_percent":"{}", "metadata_percent":"{}", "zero":"{}", "chunk_size":"{}", "lv_when_full":"{}"}})",
        path.substr(slash + 1), path.substr(0, slash), volume.size,
        fmt::format("{}wi-a{}{}z--", volume.thin_pool ? 't' : thin ? 'V' : !volume.origin.empty() ? 's' : '-', open ? 'o' : '-', volume.thin_pool || thin ? 't' : '-'),
        fmt::join(volume.tags, ","), volume.pool, volume.thin_pool || thin ? fmt::format("{:.2f}", percent) : "", volume.thin_pool ? "11.43" : "",
        volume.thin_pool || thin ? "zero" : "", volume.thin_pool ? 65536 : 0, volume.thin_pool ? (volume.fails_when_full ? "error" : "queue") : ""));
  }
  return ToolAnswer{0, fmt::format(R"({{"report":[{{"lv":[{}]}}]}})", fmt::join(rows, ",")), ""};
}

ToolAnswer SimLvm::create(const std::vector<std::string>& argv) {
  auto options = options_of(argv);
  Lv volume;
  const std::string name = options["--name"].empty() ? "" : options["--name"].front();
  const std::string type = options["--type"].empty() ? "" : options["--type"].front();
  std::string group = options[""].empty() ? "" : options[""].back();
  for (const std::string& tag : options["--addtag"]) volume.tags.insert(tag);
  if (options.count("--snapshot") != 0) {
    const auto origin = volumes.find(group);
    if (origin == volumes.end()) return refuse("Failed to find logical volume \"" + group + "\"");
    const std::string path = group;
    group = path.substr(0, path.find('/'));
    volume.blocks = origin->second.blocks;
    volume.size = origin->second.size;
    volume.pool = origin->second.pool;
    if (volume.pool.empty()) {
      if (options["--extents"].empty()) return refuse("Please specify either size or extents");
      volume.size += extent;
      volume.origin = path.substr(path.find('/') + 1);
    }
  } else if (type == "thin") {
    const std::string pool = options["--thinpool"].front();
    const auto found = volumes.find(pool);
    if (found == volumes.end()) return refuse("Pool " + pool + " not found");
    group = pool.substr(0, pool.find('/'));
    volume.pool = pool.substr(pool.find('/') + 1);
    volume.size = rounded(options["--virtualsize"].front());
  } else if (groups.count(group) == 0) {
    return refuse("Volume group \"" + group + "\" not found");
  } else if (!options["--size"].empty()) {
    volume.size = rounded(options["--size"].front());
  } else {
    volume.size = free_of(group) / 10 * 9 / extent * extent;
  }
  volume.thin_pool = type == "thin-pool";
  if (volumes.count(group + "/" + name) != 0) return refuse(fmt::format("Logical Volume \"{}\" already exists in volume group \"{}\"", name, group));
  if (volume.pool.empty() && volume.size > free_of(group)) return refuse(fmt::format("Volume group \"{}\" has insufficient free space", group));
  volumes.emplace(group + "/" + name, std::move(volume));
  return ToolAnswer{0, fmt::format("  Logical volume \"{}\" created.\n", name), ""};
}

ToolAnswer SimLvm::change(const std::vector<std::string>& argv) {
  auto options = options_of(argv);
  const auto found = volumes.find(options[""].empty() ? "" : options[""].back());
  if (found == volumes.end()) return refuse("Failed to find logical volume \"" + (options[""].empty() ? "" : options[""].back()) + "\"");
  if (options.count("--errorwhenfull") != 0) found->second.fails_when_full = true;
  for (const std::string& tag : options["--addtag"]) found->second.tags.insert(tag);
  for (const std::string& tag : options["--deltag"]) found->second.tags.erase(tag);
  return ToolAnswer{};
}

ToolAnswer SimLvm::remove(const std::vector<std::string>& argv) {
  auto options = options_of(argv);
  const std::string name = options[""].empty() ? "" : options[""].back();
  const auto found = volumes.find(name);
  if (found == volumes.end()) return refuse("Failed to find logical volume \"" + name + "\"");
  if (!found->second.open_by.empty()) return refuse(fmt::format("Logical volume {} in use.", name));
  const std::string removed = name.substr(name.find('/') + 1);
  volumes.erase(found);
  std::erase_if(volumes, [&removed](const auto& other) { return other.second.origin == removed; });
  return ToolAnswer{};
}

ToolAnswer SimLvm::rename(const std::vector<std::string>& argv) {
  auto options = options_of(argv);
  const std::vector<std::string>& words = options[""];
  if (words.size() != 3) return refuse("Old and new logical volume names required");
  const auto found = volumes.find(words[0] + "/" + words[1]);
  if (found == volumes.end()) return refuse("Failed to find logical volume \"" + words[1] + "\"");
  if (volumes.count(words[0] + "/" + words[2]) != 0) return refuse(fmt::format("Logical Volume \"{}\" already exists in volume group \"{}\"", words[2], words[0]));
  auto moved = volumes.extract(found);
  moved.key() = words[0] + "/" + words[2];
  volumes.insert(std::move(moved));
  return ToolAnswer{};
}

std::optional<ToolAnswer> SimLvm::run(const std::vector<std::string>& argv) {
  const std::string& tool = argv.front();
  if (tool == "vgs") return list_groups();
  if (tool == "lvs") return list_volumes();
  if (tool == "lvcreate") return create(argv);
  if (tool == "lvchange") return change(argv);
  if (tool == "lvremove") return remove(argv);
  if (tool == "lvrename") return rename(argv);
  if (tool == "blkdiscard") {
    Lv* volume = device(argv.back());
    if (volume == nullptr) return ToolAnswer{1, "", "blkdiscard: cannot open " + argv.back()};
    volume->blocks.clear();
    return ToolAnswer{};
  }
  return std::nullopt;
}

}  // namespace mcv::sim

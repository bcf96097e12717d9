// SPDX-License-Identifier: Apache-2.0
#include "storage/lvm/commands.h"

#include <fmt/format.h>

namespace mcv::lvm {

namespace {

using namespace std::chrono_literals;

std::string in_bytes(Bytes size) { return fmt::format("{}b", size.count()); }

/// LVM takes a lock per VG: creating many at once waits in line.
constexpr auto patience = 60'000ms;

/// What a slow disk still manages; a stuck one must not hold an operation for ever.
std::chrono::milliseconds writing_all_of(Bytes size) { return 60'000ms + std::chrono::milliseconds(size.in_mib() * 1000 / 10); }

}  // namespace

std::string creator_tag(const std::string& token) { return "mcv.by." + token; }

namespace commands {

host::Command list_volume_groups() {
  return {{"vgs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", "vg_name,vg_size,vg_free,vg_extent_size"}, patience, {}};
}

host::Command list_logical_volumes() {
  return {{"lvs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o",
           "lv_name,vg_name,lv_size,lv_attr,lv_tags,pool_lv,data_percent,metadata_percent,zero,chunk_size,lv_when_full"},
          patience,
          {}};
}

host::Command create_thin_pool(const std::string& volume_group, const std::string& pool, std::optional<Bytes> size) {
  host::Argv argv{"lvcreate", "--yes", "--type", "thin-pool", "--zero", "y", "--addtag", tag, "--name", pool};
  if (size) {
    argv.insert(argv.end(), {"--size", in_bytes(*size)});
  } else {
    argv.insert(argv.end(), {"--extents", "90%FREE"});
  }
  argv.push_back(volume_group);
  return {std::move(argv), patience, {}};
}

host::Command fail_writes_when_full(const std::string& volume_group, const std::string& pool) {
  return {{"lvchange", "--errorwhenfull", "y", volume_group + "/" + pool}, patience, {}};
}

host::Command create_thin(const std::string& volume_group, const std::string& pool, const std::string& name, Bytes size, const std::string& creator) {
  return {{"lvcreate", "--yes", "--type", "thin", "--wipesignatures", "n", "--virtualsize", in_bytes(size), "--thinpool", volume_group + "/" + pool,
           "--addtag", tag, "--addtag", creator, "--name", name},
          patience,
          {}};
}

host::Command create_thick(const std::string& volume_group, const std::string& name, Bytes size, const std::string& creator) {
  return {{"lvcreate", "--yes", "--type", "linear", "--wipesignatures", "n", "--zero", "n", "--size", in_bytes(size), "--addtag", tag, "--addtag", creator,
           "--name", name, volume_group},
          patience,
          {}};
}

host::Command zero_device(const std::string& device, Bytes size) {
  return {{"blkdiscard", "--zeroout", device}, writing_all_of(size), {}};
}

host::Command add_tag(const std::string& volume_group, const std::string& name, const std::string& new_tag) {
  return {{"lvchange", "--addtag", new_tag, volume_group + "/" + name}, patience, {}};
}

host::Command activate(const std::string& volume_group, const std::string& name) {
  return {{"lvchange", "--activate", "y", "--ignoreactivationskip", volume_group + "/" + name}, patience, {}};
}

host::Command remove(const std::string& volume_group, const std::string& name) {
  return {{"lvremove", "--yes", volume_group + "/" + name}, patience, {}};
}

host::Command allocate_file(const std::string& path, Bytes size) {
  return {{"fallocate", "--length", fmt::format("{}", size.count()), path}, writing_all_of(size), {}};
}

}  // namespace commands
}  // namespace mcv::lvm

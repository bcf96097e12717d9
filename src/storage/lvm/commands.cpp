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

/// A tool of LVM with what every one needs. LVM looks at all block devices, and one whose I/O is held (a DRBD device without
/// its peer) keeps whoever reads it inside the kernel: `vgs` would never end just when the other node is lost. Devices of
/// DRBD hold none of our volume groups. Hints are what usually saves LVM from looking, so they would only hide this.
/// `filter` and lvm.conf's `global_filter` both count; the latter stays as it is.
host::Command lvm(host::Argv argv) {
  argv.insert(argv.end(), {"--config", "devices/filter=[\"r|^/dev/drbd|\"] devices/hints=\"none\""});
  return {std::move(argv), patience, {}};
}

}  // namespace

std::string creator_tag(const std::string& token) { return "mcv.by." + token; }

namespace commands {

host::Command list_volume_groups() {
  return lvm({"vgs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", "vg_name,vg_size,vg_free,vg_extent_size"});
}

host::Command list_logical_volumes() {
  return lvm({"lvs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o",
              "lv_name,vg_name,lv_size,lv_attr,lv_tags,pool_lv,data_percent,metadata_percent,zero,chunk_size,lv_when_full,lv_time"});
}

host::Command create_thin_pool(const std::string& volume_group, const std::string& pool, std::optional<Bytes> size) {
  host::Argv argv{"lvcreate", "--yes", "--type", "thin-pool", "--zero", "y", "--addtag", tag, "--name", pool};
  if (size) {
    argv.insert(argv.end(), {"--size", in_bytes(*size)});
  } else {
    argv.insert(argv.end(), {"--extents", "90%FREE"});
  }
  argv.push_back(volume_group);
  return lvm(std::move(argv));
}

host::Command fail_writes_when_full(const std::string& volume_group, const std::string& pool) {
  return lvm({"lvchange", "--errorwhenfull", "y", volume_group + "/" + pool});
}

host::Command create_thin(const std::string& volume_group, const std::string& pool, const std::string& name, Bytes size, const std::string& creator) {
  return lvm({"lvcreate", "--yes", "--type", "thin", "--wipesignatures", "n", "--virtualsize", in_bytes(size), "--thinpool", volume_group + "/" + pool,
              "--addtag", tag, "--addtag", creator, "--name", name});
}

host::Command create_thick(const std::string& volume_group, const std::string& name, Bytes size, const std::string& creator) {
  return lvm({"lvcreate", "--yes", "--type", "linear", "--wipesignatures", "n", "--zero", "n", "--size", in_bytes(size), "--addtag", tag, "--addtag", creator,
              "--name", name, volume_group});
}

host::Command create_snapshot(const std::string& volume_group, const std::string& origin, const std::string& name, bool thin, const std::vector<std::string>& tags) {
  host::Argv argv{"lvcreate", "--yes", "--snapshot"};
  if (!thin) argv.insert(argv.end(), {"--extents", "100%ORIGIN"});
  for (const std::string& one : tags) argv.insert(argv.end(), {"--addtag", one});
  argv.insert(argv.end(), {"--name", name, volume_group + "/" + origin});
  return lvm(std::move(argv));
}

host::Command zero_device(const std::string& device, Bytes size) {
  return {{"blkdiscard", "--zeroout", device}, writing_all_of(size), {}};
}

host::Command add_tag(const std::string& volume_group, const std::string& name, const std::string& new_tag) {
  return lvm({"lvchange", "--addtag", new_tag, volume_group + "/" + name});
}

host::Command activate(const std::string& volume_group, const std::string& name) {
  return lvm({"lvchange", "--activate", "y", "--ignoreactivationskip", volume_group + "/" + name});
}

host::Command remove(const std::string& volume_group, const std::string& name) {
  return lvm({"lvremove", "--yes", volume_group + "/" + name});
}

host::Command rename(const std::string& volume_group, const std::string& from, const std::string& to) { return lvm({"lvrename", volume_group, from, to}); }

host::Command deactivate(const std::string& volume_group, const std::string& name) { return lvm({"lvchange", "--activate", "n", volume_group + "/" + name}); }

host::Command allocate_file(const std::string& path, Bytes size) {
  return {{"fallocate", "--length", fmt::format("{}", size.count()), path}, writing_all_of(size), {}};
}

host::Command give_file(const std::string& path, const std::string& user) {
  return {{"chown", "--no-dereference", fmt::format("{0}:{0}", user), path}, std::chrono::milliseconds(10'000), {}};
}

host::Command restrict_file(const std::string& path) { return {{"chmod", "0600", path}, std::chrono::milliseconds(10'000), {}}; }

host::Command may_use(const std::string& path, const std::string& user) {
  return {{"setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups", "--", "test", "-r", path, "-a", "-w", path}, std::chrono::milliseconds(10'000), {}};
}

}  // namespace commands
}  // namespace mcv::lvm

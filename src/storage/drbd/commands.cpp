// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/commands.h"

#include <charconv>
#include <fmt/format.h>

#include "storage/drbd/helper/fence_protocol.h"
#include "storage/drbd/resource_file.h"

namespace mcv::drbd {

int state_error_of(std::string_view output) {
  constexpr std::string_view mark = "State change failed: (";
  const std::size_t at = output.find(mark);
  if (at == std::string_view::npos) return 0;
  const char* begin = output.data() + at + mark.size();
  int code = 0;
  const auto [end, error] = std::from_chars(begin, output.data() + output.size(), code);
  return error == std::errc() ? code : 0;
}

namespace commands {
namespace {

using namespace std::chrono_literals;

constexpr auto quick = 30'000ms;
/// Waits for the peer's answer over the link, and at most for the fence program.
constexpr auto with_fencing = fence::answer_bound + 30'000ms;

host::Command drbdadm(const VolumeName& volume, host::Argv words, std::chrono::milliseconds deadline) {
  host::Argv argv{"drbdadm", "--config-file", resource_file_path(volume)};
  argv.insert(argv.end(), words.begin(), words.end());
  return {std::move(argv), deadline, {}};
}

std::string minor_text(std::uint32_t minor) { return fmt::format("{}", minor); }

}  // namespace

host::Command load_module() { return {{"modprobe", "drbd"}, quick, {}}; }

host::Command read_metadata(std::uint32_t minor, const std::string& meta_disk) {
  return {{"drbdmeta", minor_text(minor), "v08", meta_disk, "flex-external", "get-gi"}, quick, {}};
}

host::Command create_metadata(std::uint32_t minor, const std::string& meta_disk) {
  return {{"drbdmeta", "--force", minor_text(minor), "v08", meta_disk, "flex-external", "create-md"}, 120'000ms, {}};
}

host::Command adjust(const VolumeName& volume) { return drbdadm(volume, {"adjust", resource_name(volume)}, 60'000ms); }
host::Command new_resource(const VolumeName& volume) { return drbdadm(volume, {"new-resource", resource_name(volume)}, quick); }
host::Command new_minor(const VolumeName& volume) { return drbdadm(volume, {"new-minor", resource_name(volume)}, quick); }
host::Command attach(const VolumeName& volume) { return drbdadm(volume, {"attach", resource_name(volume)}, 60'000ms); }
host::Command down(const VolumeName& volume) { return {{"drbdsetup", "down", resource_name(volume)}, 60'000ms, {}}; }
host::Command primary(const VolumeName& volume) { return drbdadm(volume, {"primary", resource_name(volume)}, with_fencing); }
host::Command secondary(const VolumeName& volume) { return drbdadm(volume, {"secondary", resource_name(volume)}, quick); }
host::Command connect(const VolumeName& volume) { return drbdadm(volume, {"connect", resource_name(volume)}, quick); }
host::Command disconnect(const VolumeName& volume) { return drbdadm(volume, {"disconnect", resource_name(volume)}, 60'000ms); }

host::Command invalidate_remote(const VolumeName& volume) { return drbdadm(volume, {"invalidate-remote", resource_name(volume)}, 60'000ms); }

host::Command new_current_uuid(const VolumeName& volume) {
  return drbdadm(volume, {"new-current-uuid", "--clear-bitmap", resource_name(volume) + "/0"}, quick);
}

host::Command declare_good(const VolumeName& volume) { return drbdadm(volume, {"primary", "--force", resource_name(volume)}, with_fencing); }
host::Command resume_io(const VolumeName& volume) { return drbdadm(volume, {"resume-io", resource_name(volume)}, quick); }
host::Command outdate(const VolumeName& volume) { return drbdadm(volume, {"outdate", resource_name(volume)}, quick); }

host::Command set_fencing(std::uint32_t minor, Fencing fencing) {
  return {{"drbdsetup", "disk-options", minor_text(minor), fmt::format("--fencing={}", fencing == Fencing::on ? "resource-and-stonith" : "dont-care")}, quick, {}};
}

host::Command verify(std::uint32_t minor, std::uint64_t start, std::uint64_t stop) {
  host::Argv argv{"drbdsetup", "verify", minor_text(minor), fmt::format("--start={}", start)};
  if (stop != 0) argv.push_back(fmt::format("--stop={}", stop));
  return {std::move(argv), quick, {}};
}

host::Command generation_identifiers(std::uint32_t minor) { return {{"drbdsetup", "get-gi", minor_text(minor)}, quick, {}}; }
host::Argv events() { return {"drbdsetup", "events2", "--statistics"}; }
host::Argv events_now() { return {"drbdsetup", "events2", "--statistics", "--now"}; }

}  // namespace commands
}  // namespace mcv::drbd

// SPDX-License-Identifier: Apache-2.0
// DRBD's commands as data: argument vectors and deadlines. Each reads one resource file only, so that a broken file
// of another volume cannot stop it, and none carries the secret.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/core/names.h"
#include "cluster/host/processes.h"

namespace mcv::drbd {

/// drbdadm and drbdsetup end with these (8.4).
namespace exit_code {
inline constexpr int failure = 10;       ///< "Failure: (N) text"
inline constexpr int state_refused = 11; ///< "State change failed: (-N) text"
inline constexpr int no_up_to_date = 17; ///< "(-2) Need access to UpToDate data"
}  // namespace exit_code

/// The kernel's reason in a "State change failed: (-N) …" of a drbd tool's output; 0 when there is none.
int state_error_of(std::string_view output);

namespace commands {

host::Command load_module();
host::Command read_metadata(std::uint32_t minor, const std::string& meta_disk);
/// Overwrites what is there without a question: only ensure_metadata runs it, after read_metadata found nothing.
host::Command create_metadata(std::uint32_t minor, const std::string& meta_disk);
/// Creates, attaches and connects what is missing; nothing when all is as the file says.
host::Command adjust(const VolumeName& volume);
/// The three steps of one leg without a peer, which adjust refuses.
host::Command new_resource(const VolumeName& volume);
host::Command new_minor(const VolumeName& volume);
host::Command attach(const VolumeName& volume);
/// By name and without the file: works when the file is gone. Success when there is no such resource.
host::Command down(const VolumeName& volume);
/// The kernel may ask our fence-peer program first and waits for it: the deadline is longer than its bound.
host::Command primary(const VolumeName& volume);
host::Command secondary(const VolumeName& volume);
host::Command connect(const VolumeName& volume);
host::Command disconnect(const VolumeName& volume);
/// The peer's copy is to be copied whole. On a Primary that stands alone: every block is marked for the next connect.
host::Command invalidate_remote(const VolumeName& volume);
/// Declares the two fresh legs identical. The kernel takes it only while connected and on metadata that was just created.
host::Command new_current_uuid(const VolumeName& volume);
/// Declares this leg the good one of two fresh ones: a full copy begins. Only copy_from_here runs it, after its checks.
host::Command declare_good(const VolumeName& volume);
host::Command resume_io(const VolumeName& volume);
host::Command outdate(const VolumeName& volume);
enum class Fencing { on, off };
/// By minor, through drbdsetup: only this option changes, at once, also under a guest that writes.
host::Command set_fencing(std::uint32_t minor, Fencing fencing);
/// By minor, through drbdsetup: this drbdadm does not take --start and --stop. Sectors of 512 bytes; stop 0 = the end.
/// Exits 0 also when a verify is running already, and then changes that one's stop sector: look before you run it.
host::Command verify(std::uint32_t minor, std::uint64_t start, std::uint64_t stop);
host::Command generation_identifiers(std::uint32_t minor);
host::Argv events();
host::Argv events_now();

}  // namespace commands
}  // namespace mcv::drbd

// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "machine.h"
#include "storage/lvm/backing.h"
#include "storage/lvm/commands.h"
#include "storage/lvm/pool.h"
#include "storage/lvm/quarantine.h"
#include "storage/lvm/room.h"
#include "storage/lvm/snapshot.h"

namespace mcv::lvm::lvm_test {
namespace {

using test::Machine;

Pool thin_pool() { return Pool{PoolName::trusted("fast"), PoolKind::thin, "vg0", "mcv-fast", ""}; }
Pool thick_pool() { return Pool{PoolName::trusted("slow"), PoolKind::thick, "vg0", "", ""}; }
Pool directory_pool() { return Pool{PoolName::trusted("files"), PoolKind::directory, "", "", "/srv/vm"}; }
const VolumeName vm1 = VolumeName::trusted("vm1-0");

/// An LVM that creates, tags and removes; prints what the real one prints.
class FakeLvm {
 public:
  explicit FakeLvm(Machine& machine) : tools_(machine.tools) {
    tools_.when("lvs", [this](const host::Command& command) { return words(command.argv), host::ProcessResult{0, report(), ""}; });
    tools_.when("vgs", [](const host::Command& command) { return words(command.argv), host::ProcessResult{0, R"({"report":[{"vg":[{"vg_name":"vg0","vg_size":"21470642176","vg_free":"17167286272","vg_extent_size":"4194304"}]}]})", ""}; });
    tools_.when("lvcreate", [this](const host::Command& command) { return create(words(command.argv)); });
    tools_.when("lvchange", [this](const host::Command& command) { return change(words(command.argv)); });
    tools_.when("lvrename", [this](const host::Command& command) { return rename(words(command.argv)); });
    tools_.when("lvremove", [this](const host::Command& command) { return remove(words(command.argv)); });
    tools_.succeed("blkdiscard");
  }
  struct Entry {
    std::string attributes, tags, pool;
    std::uint64_t size = 0;
    std::string data = "", metadata = "", zero = "", when_full = "";
  };
  std::map<std::string, Entry> volumes;
  bool die_after_create = false;
  bool die_after_rename = false;

 private:
  /// What was asked for. Every tool is told not to read DRBD devices: one whose I/O is held never lets it go again.
  static host::Argv words(host::Argv argv) {
    EXPECT_GT(argv.size(), 2u);
    EXPECT_EQ(argv[argv.size() - 2], "--config");
    EXPECT_NE(argv.back().find(R"(devices/filter=["r|^/dev/drbd|"])"), std::string::npos) << argv.back();
    argv.resize(argv.size() - 2);
    return argv;
  }
  std::string report() const {
    std::string rows;
    for (const auto& [name, entry] : volumes) {
      if (!rows.empty()) rows += ",";
      rows += fmt::format(R"({{"lv_name":"{}","vg_name":"vg0","lv_size":"{}","lv_attr":"{}","lv_tags":"{}","pool_lv":"{}","data_percent":"{}",)"
                          R"("metadata_percent":"{}","zero":"{}","chunk_size":"{}","lv_when_full":"{}"}})",
                          name, entry.size, entry.attributes, entry.tags, entry.pool, entry.data, entry.metadata, entry.zero,
                          entry.attributes[0] == 't' ? 65536 : 0, entry.when_full);
    }
    return R"({"report":[{"lv":[)" + rows + "]}]}";
  }
  static std::string after(const host::Argv& argv, const std::string& option, std::size_t nth = 0) {
    for (std::size_t i = 0; i + 1 < argv.size(); ++i) {
      if (argv[i] == option && nth-- == 0) return argv[i + 1];
    }
    return "";
  }
  host::ProcessResult create(const host::Argv& argv) {
    const std::string name = after(argv, "--name");
    const std::string type = after(argv, "--type");
    if (volumes.contains(name)) return {5, "", "  Logical Volume \"" + name + "\" already exists in volume group \"vg0\""};
    Entry entry;
    entry.tags = after(argv, "--addtag");
    if (const std::string second = after(argv, "--addtag", 1); !second.empty()) entry.tags += "," + second;
    if (argv[2] == "--snapshot") {
      for (std::size_t nth = 2; !after(argv, "--addtag", nth).empty(); ++nth) entry.tags += "," + after(argv, "--addtag", nth);
      const Entry& origin = volumes.at(argv.back().substr(4));
      entry.pool = origin.pool;
      entry.attributes = origin.pool.empty() ? "swi-a-s---" : "Vwi---tz-k";
      entry.size = origin.size;
      EXPECT_EQ(after(argv, "--extents"), origin.pool.empty() ? "100%ORIGIN" : "") << "a thick one that is smaller may overflow, a thin one with a size would be a thick one";
    } else if (type == "thin-pool") {
      entry = Entry{"twi-aotz--", entry.tags, "", 4ull << 30, "0.00", "11.43", "zero", "queue"};
    } else {
      entry.attributes = type == "thin" ? "Vwi-a-tz--" : "-wi-a-----";
      entry.pool = type == "thin" ? "mcv-fast" : "";
      std::string size = after(argv, type == "thin" ? "--virtualsize" : "--size");
      entry.size = std::stoull(size);
    }
    volumes[name] = entry;
    return die_after_create ? host::ProcessResult{137, "", "Killed"} : host::ProcessResult{0, "", ""};
  }
  host::ProcessResult change(const host::Argv& argv) {
    Entry& entry = volumes.at(argv.back().substr(4));
    if (const std::string tag = after(argv, "--addtag"); !tag.empty()) entry.tags += "," + tag;
    if (argv[1] == "--errorwhenfull") entry.when_full = "error";
    if (const std::string active = after(argv, "--activate"); !active.empty()) entry.attributes[4] = active == "y" ? 'a' : '-';
    return {0, "", ""};
  }
  host::ProcessResult rename(const host::Argv& argv) {
    auto moved = volumes.extract(argv[2]);
    if (moved.empty()) return {5, "", "  Failed to find logical volume"};
    moved.key() = argv[3];
    volumes.insert(std::move(moved));
    if (die_after_rename) return {137, "", "Killed"};
    return {0, "", ""};
  }
  host::ProcessResult remove(const host::Argv& argv) {
    volumes.erase(argv.back().substr(4));
    return {0, "", ""};
  }
  test::Tools& tools_;
};

TEST(LvmReport, ReadsWhatANodePrinted) {
  const auto volumes = parse_logical_volumes(test::data_file("lvm/lvs.json"));
  ASSERT_TRUE(volumes.ok()) << volumes.error().message();
  ASSERT_EQ(volumes->size(), 3u);
  const LogicalVolume* pool = find(*volumes, "vg0", "mcv-fast");
  ASSERT_NE(pool, nullptr);
  EXPECT_TRUE(pool->thin_pool && pool->zeroing && pool->fails_when_full);
  EXPECT_EQ(pool->chunk, Bytes::kib(64));
  EXPECT_DOUBLE_EQ(*pool->metadata_percent, 11.43);
  const LogicalVolume* data = find(*volumes, "vg0", "mcv-vm1-0");
  ASSERT_NE(data, nullptr);
  EXPECT_EQ(data->size, Bytes::mib(256));
  EXPECT_EQ(data->pool, "mcv-fast");
  EXPECT_TRUE(data->thin && !data->zeroing && !data->open && data->has_tag("mcv") && data->has_tag("mcv.by.A-7"));
  EXPECT_EQ(data->path(), "/dev/vg0/mcv-vm1-0");
  EXPECT_EQ(data->created, 0) << "not asked for then";
  std::string text = test::data_file("lvm/lvs.json");
  const std::size_t row = text.find("\"lv_name\":\"mcv-vm1-0\"");
  ASSERT_NE(row, std::string::npos);
  text.insert(row, "\"lv_time\":\"2026-11-30 10:00:01 +0130\", ");
  const auto timed = parse_logical_volumes(text);
  ASSERT_TRUE(timed.ok());
  EXPECT_EQ(find(*timed, "vg0", "mcv-vm1-0")->created, 1796027401) << "half past eight in Greenwich";

  const auto groups = parse_volume_groups(test::data_file("lvm/vgs.json"));
  ASSERT_TRUE(groups.ok());
  EXPECT_EQ(groups->front().free, Bytes(17167286272));
}

TEST(LvmReport, RefusesWhatItDoesNotUnderstand) {
  for (const char* bad : {"", "{}", R"({"report":[]})", R"({"report":[{"lv":[{"lv_name":"a"}]}]})"}) EXPECT_FALSE(parse_logical_volumes(bad).ok()) << bad;
}

TEST(LvmReport, AFillIsAShareOfAHundred) {
  const std::string text = test::data_file("lvm/lvs.json");
  const std::string whole = R"("metadata_percent":"11.43")";
  ASSERT_NE(text.find(whole), std::string::npos);
  for (const char* share : {"nan", "inf", "-0.01", "100.01", "1e300"}) {
    std::string odd = text;
    odd.replace(text.find(whole), whole.size(), fmt::format(R"("metadata_percent":"{}")", share));
    EXPECT_EQ(parse_logical_volumes(odd).error().code(), ErrorCode::bad_output) << share;
  }
}

TEST(Pools, RefuseNewVolumesAboveNinetyPercent) {
  PoolUsage usage;
  usage.data_percent = 89.9;
  usage.metadata_percent = 10;
  EXPECT_TRUE(check_room(thin_pool(), usage, Bytes::gib(100)).ok());  // thin: promised, not taken
  usage.data_percent = 90;
  EXPECT_EQ(check_room(thin_pool(), usage, Bytes::mib(1)).error().code(), ErrorCode::pool_full);
  usage.data_percent = 1;
  usage.metadata_percent = 95;
  EXPECT_EQ(check_room(thin_pool(), usage, Bytes::mib(1)).error().code(), ErrorCode::pool_full);
  usage.free = Bytes::gib(1);
  EXPECT_TRUE(check_room(thick_pool(), usage, Bytes::gib(1)).ok());
  EXPECT_EQ(check_room(thick_pool(), usage, Bytes::gib(2)).error().code(), ErrorCode::pool_full);
}

TEST(Room, IsReadFromWhatANodePrinted) {
  const auto volumes = parse_logical_volumes(test::data_file("lvm/lvs.json"));
  ASSERT_TRUE(volumes.ok()) << volumes.error().message();
  NodeFacts facts;
  add_room(facts, *volumes);
  ASSERT_EQ(facts.thin_pools.size(), 1u);
  const ThinPoolFacts& pool = facts.thin_pools.at("vg0/mcv-fast");
  const LogicalVolume* listed = find(*volumes, "vg0", "mcv-fast");
  EXPECT_EQ(pool.size, listed->size);
  EXPECT_LE(pool.used, listed->size);
  EXPECT_DOUBLE_EQ(pool.metadata_percent, 11.43);
  EXPECT_EQ(pool.chunk, Bytes::kib(64));
  EXPECT_FALSE(pool.waits_when_full);
  EXPECT_EQ(pool.made_by_mcv, listed->has_tag("mcv"));
  ASSERT_EQ(facts.backing.size(), 1u) << "not the metadata's";
  EXPECT_EQ(facts.backing.at("vm1-0"), Bytes::mib(256));
  EXPECT_LE(facts.written.at("vm1-0"), Bytes::mib(256));
}

TEST(Room, CountsALittleMoreThanTwoDigitsSay) {
  LogicalVolume disk;
  disk.name = "mcv-vm1-0";
  disk.volume_group = "vg0";
  disk.tags = {"mcv"};
  disk.thin = true;
  disk.size = Bytes::gib(100);
  disk.data_percent = 25.0;
  LogicalVolume whole = disk;
  whole.name = "mcv-vm2-0";
  whole.thin = false;
  LogicalVolume foreign = disk;
  foreign.name = "mcv-vm3-0";
  foreign.tags = {};
  NodeFacts facts;
  add_room(facts, {disk, whole, foreign});
  EXPECT_GT(facts.written.at("vm1-0"), Bytes::gib(25));
  EXPECT_LT(facts.written.at("vm1-0"), Bytes::gib(25) + Bytes::mib(6));
  EXPECT_EQ(facts.written.at("vm2-0"), Bytes::gib(100)) << "a thick one is copied as a whole";
  EXPECT_FALSE(facts.written.contains("vm3-0"));
}

TEST(Pools, TakeAWholeCopyOnlyWhereItFits) {
  PoolUsage usage;
  usage.size = Bytes::gib(10);
  usage.free = Bytes::gib(2);
  EXPECT_TRUE(check_whole_copy(thin_pool(), usage, Bytes::gib(2)).ok());
  const Status refused = check_whole_copy(thin_pool(), usage, Bytes::gib(3));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::pool_full);
  for (const char* figure : {"2 GiB of 10 GiB free", "takes 3 GiB"}) EXPECT_NE(refused.error().message().find(figure), std::string::npos) << refused.error().message();
  EXPECT_EQ(refused.error().next(), "lvextend --size +2G vg0/mcv-fast");
}

TEST(Pools, ThatLetWritesWaitTakeNothingNew) {
  PoolUsage usage;
  usage.data_percent = 1;
  usage.fails_when_full = false;
  const Status refused = check_room(thin_pool(), usage, Bytes::mib(1));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::pool_waits);
  EXPECT_EQ(refused.error().next(), "lvchange --errorwhenfull y vg0/mcv-fast");
}

TEST(Pools, AreMadeOnceAndFailWritesWhenFull) {
  Machine machine;
  FakeLvm lvm(machine);
  EXPECT_TRUE(*machine.run(ensure_pool(machine.host, thin_pool(), Bytes::gib(4))));
  EXPECT_EQ(lvm.volumes.at("mcv-fast").when_full, "error");
  EXPECT_FALSE(*machine.run(ensure_pool(machine.host, thin_pool(), Bytes::gib(4))));
  EXPECT_EQ(machine.tools.count("lvcreate"), 1u);
  lvm.volumes.at("mcv-fast").when_full = "queue";  // a crash between the two commands
  EXPECT_TRUE(machine.run(ensure_pool(machine.host, thin_pool(), Bytes::gib(4))).ok());
  EXPECT_EQ(lvm.volumes.at("mcv-fast").when_full, "error");
  // Somebody else's: refused, and told why.
  const std::string tags = lvm.volumes.at("mcv-fast").tags;
  lvm.volumes.at("mcv-fast").tags = "";
  lvm.volumes.at("mcv-fast").when_full = "queue";
  const auto foreign = machine.run(ensure_pool(machine.host, thin_pool(), Bytes::gib(4)));
  ASSERT_FALSE(foreign.ok());
  EXPECT_EQ(foreign.error().code(), ErrorCode::pool_waits);
  EXPECT_EQ(foreign.error().next(), "lvchange --errorwhenfull y vg0/mcv-fast");
  EXPECT_EQ(lvm.volumes.at("mcv-fast").when_full, "queue");
  lvm.volumes.at("mcv-fast").tags = tags;
  lvm.volumes.at("mcv-fast").zero = "";
  EXPECT_EQ(machine.run(ensure_pool(machine.host, thin_pool(), Bytes::gib(4))).error().code(), ErrorCode::already_exists);
  Pool elsewhere = thin_pool();
  elsewhere.volume_group = "vg9";
  EXPECT_EQ(machine.run(ensure_pool(machine.host, elsewhere, std::nullopt)).error().code(), ErrorCode::pool_missing);
}

TEST(Backing, ThinIsFreshTwiceForTheSameOperationOnly) {
  Machine machine;
  FakeLvm lvm(machine);
  ASSERT_TRUE(machine.run(ensure_pool(machine.host, thin_pool(), std::nullopt)).ok());
  const BackingSpec spec{thin_pool(), vm1, Bytes::mib(256), "A-7", true};
  auto made = machine.run(ensure_backing(machine.host, spec));
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_EQ(made->data_path, "/dev/vg0/mcv-vm1-0");
  EXPECT_EQ(made->metadata_path, "/dev/vg0/mcv-vm1-0.md");
  EXPECT_TRUE(made->provably_zero);
  EXPECT_EQ(made->discard_granularity, Bytes::kib(64));
  EXPECT_EQ(lvm.volumes.at("mcv-vm1-0").tags, "mcv,mcv.by.A-7");

  made = machine.run(ensure_backing(machine.host, spec));  // a retry
  ASSERT_TRUE(made.ok());
  EXPECT_TRUE(made->provably_zero);
  EXPECT_EQ(machine.tools.count("lvcreate --yes --type thin "), 2u);

  BackingSpec other = spec;
  other.token = "B-1";
  EXPECT_EQ(machine.run(ensure_backing(machine.host, other)).error().code(), ErrorCode::already_exists);
  lvm.volumes.at("mcv-vm1-0").tags = "";  // the administrator's own
  EXPECT_EQ(machine.run(ensure_backing(machine.host, spec)).error().code(), ErrorCode::already_exists);
  EXPECT_EQ(machine.run(remove_backing(machine.host, thin_pool(), vm1)).error().code(), ErrorCode::already_exists);
  EXPECT_TRUE(lvm.volumes.contains("mcv-vm1-0"));
}

TEST(Backing, ThickIsZeroedAgainUntilTheTagSaysSo) {
  Machine machine;
  FakeLvm lvm(machine);
  const BackingSpec spec{thick_pool(), vm1, Bytes::mib(256), "A-7", false};
  lvm.die_after_create = true;
  EXPECT_FALSE(machine.run(ensure_backing(machine.host, spec)).ok());
  EXPECT_EQ(machine.tools.count("blkdiscard"), 0u);
  lvm.die_after_create = false;
  ASSERT_TRUE(machine.run(ensure_backing(machine.host, spec)).ok());
  EXPECT_EQ(machine.tools.count("blkdiscard --zeroout /dev/vg0/mcv-vm1-0"), 1u);
  ASSERT_TRUE(machine.run(ensure_backing(machine.host, spec)).ok());
  EXPECT_EQ(machine.tools.count("blkdiscard"), 1u);
}

TEST(Backing, RemovalIsIdempotentAndRefusesAnOpenDevice) {
  Machine machine;
  FakeLvm lvm(machine);
  ASSERT_TRUE(machine.run(ensure_pool(machine.host, thin_pool(), std::nullopt)).ok());
  ASSERT_TRUE(machine.run(ensure_backing(machine.host, BackingSpec{thin_pool(), vm1, Bytes::mib(256), "A-7", true})).ok());
  EXPECT_EQ(machine.run(remove_pool(machine.host, thin_pool())).error().code(), ErrorCode::in_use);
  lvm.volumes.at("mcv-vm1-0").attributes = "Vwi-aotz--";
  EXPECT_EQ(machine.run(remove_backing(machine.host, thin_pool(), vm1)).error().code(), ErrorCode::device_busy);
  lvm.volumes.at("mcv-vm1-0").attributes = "Vwi-a-tz--";
  EXPECT_TRUE(machine.run(remove_backing(machine.host, thin_pool(), vm1)).ok());
  EXPECT_TRUE(machine.run(remove_backing(machine.host, thin_pool(), vm1)).ok());
  EXPECT_EQ(lvm.volumes.size(), 1u);  // the pool
  EXPECT_TRUE(machine.run(remove_pool(machine.host, thin_pool())).ok());
  EXPECT_TRUE(lvm.volumes.empty());
}

TEST(Quarantine, KeepsTheDataUnderANameThatNothingStartsUntilItIsDeleted) {
  Machine machine;
  FakeLvm lvm(machine);
  const OperationId removal = OperationId::trusted("A-17");
  ASSERT_TRUE(machine.run(ensure_pool(machine.host, thin_pool(), std::nullopt)).ok());
  ASSERT_TRUE(machine.run(ensure_backing(machine.host, BackingSpec{thin_pool(), vm1, Bytes::mib(256), "A-7", true})).ok());
  ASSERT_TRUE(lvm.volumes.contains("mcv-vm1-0.md"));
  EXPECT_TRUE(machine.run(quarantined(machine.host))->empty());

  lvm.volumes.at("mcv-vm1-0.md").attributes = "Vwi-aotz--";
  EXPECT_EQ(machine.run(quarantine_backing(machine.host, thin_pool(), vm1, removal)).error().code(), ErrorCode::device_busy);
  EXPECT_TRUE(lvm.volumes.contains("mcv-vm1-0.md"));
  lvm.volumes.at("mcv-vm1-0.md").attributes = "Vwi-a-tz--";

  // Killed with the metadata renamed and the data not: the next attempt finishes, and one more finds nothing to do.
  lvm.die_after_rename = true;
  EXPECT_FALSE(machine.run(quarantine_backing(machine.host, thin_pool(), vm1, removal)).ok());
  lvm.die_after_rename = false;
  EXPECT_TRUE(machine.run(quarantine_backing(machine.host, thin_pool(), vm1, removal)).ok());
  EXPECT_TRUE(machine.run(quarantine_backing(machine.host, thin_pool(), vm1, removal)).ok());
  EXPECT_FALSE(lvm.volumes.contains("mcv-vm1-0")) << "a new leg of that name must not find old data";
  EXPECT_FALSE(lvm.volumes.contains("mcv-vm1-0.md"));
  const auto kept = machine.run(quarantined(machine.host));
  ASSERT_EQ(kept->size(), 1u);
  EXPECT_EQ(kept->front().name, "mcvq-A-17-vm1-0");
  EXPECT_EQ(kept->front().volume, "vm1-0");
  EXPECT_EQ(kept->front().removal, "A-17");
  EXPECT_EQ(kept->front().size, Bytes::mib(256));
  for (const char* name : {"mcvq-A-17-vm1-0", "mcvq-A-17-vm1-0.md"}) EXPECT_EQ(lvm.volumes.at(name).attributes[4], '-') << name << " is active";
  EXPECT_EQ(machine.run(remove_pool(machine.host, thin_pool())).error().code(), ErrorCode::in_use);

  for (const char* other : {"mcvq-A-17-vm1-0.md", "mcv-fast", "mcvq-A-18-vm1-0"}) {
    EXPECT_EQ(machine.run(remove_quarantined(machine.host, other)).error().code(), ErrorCode::not_found) << other;
  }
  EXPECT_TRUE(machine.run(remove_quarantined(machine.host, "mcvq-A-17-vm1-0")).ok());
  EXPECT_EQ(lvm.volumes.size(), 1u);  // the pool
}

SnapshotSpec snapshot_of(const Pool& pool, Bytes overwritten) {
  return SnapshotSpec{pool, vm1, OperationId::trusted("A-17"), LogStamp{3, "0f6e2c1a-7b1f-4a4f-9a5e-000000000001", 41}, 1'700'000'000, overwritten};
}

TEST(Snapshots, SayWhatTheyAreAndAreTakenOncePerOperation) {
  for (const Pool& pool : {thin_pool(), thick_pool()}) {
    Machine machine;
    FakeLvm lvm(machine);
    ASSERT_TRUE(machine.run(ensure_pool(machine.host, pool, std::nullopt)).ok());
    ASSERT_TRUE(machine.run(ensure_backing(machine.host, BackingSpec{pool, vm1, Bytes::mib(256), "A-7", true})).ok());
    EXPECT_TRUE(machine.run(snapshots(machine.host))->empty());
    // Killed when it was made: the next attempt takes it for its own.
    lvm.die_after_create = true;
    EXPECT_FALSE(machine.run(ensure_snapshot(machine.host, snapshot_of(pool, Bytes::kib(8)))).ok());
    lvm.die_after_create = false;
    const std::size_t count = lvm.volumes.size();
    EXPECT_TRUE(machine.run(ensure_snapshot(machine.host, snapshot_of(pool, Bytes::kib(8)))).ok());
    EXPECT_EQ(lvm.volumes.size(), count);
    const auto there = machine.run(snapshots(machine.host));
    ASSERT_EQ(there->size(), 1u);
    const Snapshot& one = there->front();
    EXPECT_EQ(one.name, "mcvs-A-17-vm1-0");
    EXPECT_EQ(one.volume, "vm1-0");
    EXPECT_EQ(one.operation, "A-17");
    EXPECT_EQ(one.after, (LogStamp{3, "0f6e2c1a-7b1f-4a4f-9a5e-000000000001", 41}));
    EXPECT_EQ(one.wall_seconds, 1'700'000'000);
    EXPECT_TRUE(lvm.volumes.at(one.name).tags.starts_with("mcv,")) << "ours, so that a pool with it is not removed and it is found";

    for (const char* other : {"mcv-vm1-0", "mcv-fast", "mcvs-A-18-vm1-0"}) EXPECT_EQ(machine.run(remove_snapshot(machine.host, other)).error().code(), ErrorCode::not_found) << other;
    EXPECT_TRUE(machine.run(remove_snapshot_of(machine.host, pool, vm1, OperationId::trusted("A-18"))).ok());
    EXPECT_TRUE(lvm.volumes.contains(one.name)) << "another operation's";
    EXPECT_TRUE(machine.run(remove_snapshot_of(machine.host, pool, vm1, OperationId::trusted("A-17"))).ok());
    EXPECT_TRUE(machine.run(remove_snapshot_of(machine.host, pool, vm1, OperationId::trusted("A-17"))).ok());
    EXPECT_FALSE(lvm.volumes.contains(one.name));
  }
}

TEST(Snapshots, NeedRoomForAllThatMayBeOverwritten) {
  Machine machine;
  FakeLvm lvm(machine);
  ASSERT_TRUE(machine.run(ensure_pool(machine.host, thin_pool(), std::nullopt)).ok());
  ASSERT_TRUE(machine.run(ensure_backing(machine.host, BackingSpec{thin_pool(), vm1, Bytes::mib(256), "A-7", true})).ok());
  lvm.volumes.at("mcv-fast").data = "89.00";  // of 4 GiB
  EXPECT_EQ(machine.run(ensure_snapshot(machine.host, snapshot_of(thin_pool(), Bytes::gib(1)))).error().code(), ErrorCode::pool_full);
  EXPECT_TRUE(machine.run(ensure_snapshot(machine.host, snapshot_of(thin_pool(), Bytes::kib(8)))).ok());
  lvm.volumes.erase("mcvs-A-17-vm1-0");
  lvm.volumes.at("mcv-fast").data = "91.00";
  EXPECT_EQ(machine.run(ensure_snapshot(machine.host, snapshot_of(thin_pool(), Bytes::kib(8)))).error().code(), ErrorCode::pool_full);
  EXPECT_EQ(machine.run(ensure_snapshot(machine.host, snapshot_of(directory_pool(), Bytes::kib(8)))).error().code(), ErrorCode::not_suitable);
  lvm.volumes.erase("mcv-vm1-0");
  lvm.volumes.at("mcv-fast").data = "10.00";
  EXPECT_EQ(machine.run(ensure_snapshot(machine.host, snapshot_of(thin_pool(), Bytes::kib(8)))).error().code(), ErrorCode::not_found);

  Machine other;
  FakeLvm thick(other);
  ASSERT_TRUE(other.run(ensure_backing(other.host, BackingSpec{thick_pool(), vm1, Bytes::mib(256), "A-7", true})).ok());
  thick.volumes.at("mcv-vm1-0").size = Bytes::gib(16).count();  // the group has 15.99 GiB free
  EXPECT_EQ(other.run(ensure_snapshot(other.host, snapshot_of(thick_pool(), Bytes::kib(8)))).error().code(), ErrorCode::pool_full) << "whatever is overwritten: a thick one must not overflow";
}

/// Only a verify that ended after it makes one useless; one whose tags cannot be read stays.
TEST(Snapshots, OfUnknownTimeAreNewerThanEveryVerify) {
  LogicalVolume volume;
  volume.name = "mcvs-A-17-vm1-0";
  for (const char* after : {"", "mcv.after.", "mcv.after.x.y.z", "mcv.after.0.u.1"}) {
    volume.tags = {"mcv", "mcv.snapshot", "mcv.volume.vm1-0", after};
    const auto found = snapshots_among({volume});
    ASSERT_EQ(found.size(), 1u);
    EXPECT_FALSE(is_at_or_after(LogStamp{1'000'000, "u", 1'000'000}, found.front().after)) << after;
  }
  volume.tags = {"mcv.snapshot"};
  EXPECT_TRUE(snapshots_among({volume}).empty()) << "not ours";
}

TEST(Backing, MetadataHasRoomForTheBitmap) {
  EXPECT_EQ(metadata_size(Bytes::mib(100)), Bytes::mib(1));
  EXPECT_EQ(metadata_size(Bytes::gib(10)), Bytes::mib(1));         // 356 KiB
  EXPECT_EQ(metadata_size(Bytes::gib(1024)), Bytes::mib(33));      // 32 MiB + 36 KiB
}

TEST(Backing, WhatAVmOpensIsWhatWasCreated) {
  Machine machine;
  machine.files.texts["/srv/vm"] = "";
  machine.tools.succeed("stat", "4096 1000000 500000\n");
  for (const char* tool : {"fallocate", "chown", "chmod", "setpriv"}) machine.tools.succeed(tool);
  VolumeRecord volume;
  volume.name = vm1;
  const auto file = machine.run(ensure_backing(machine.host, BackingSpec{directory_pool(), vm1, Bytes::mib(1), "A-7", false}));
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(guest_path(directory_pool(), volume), file->data_path);
  EXPECT_EQ(file->data_path, "/srv/vm/mcv-vm1-0.raw");

  FakeLvm lvm(machine);
  const auto thick = machine.run(ensure_backing(machine.host, BackingSpec{thick_pool(), vm1, Bytes::mib(1), "A-7", false}));
  ASSERT_TRUE(thick.ok()) << thick.error().message();
  EXPECT_EQ(guest_path(thick_pool(), volume), thick->data_path);
  volume.kind = VolumeKind::drbd;
  volume.minor = 101;
  EXPECT_EQ(guest_path(thick_pool(), volume), "/dev/drbd101");
}

TEST(Backing, FilesAreGivenToTheGuestsUserWhoMustReachThem) {
  Machine machine;
  machine.files.texts["/srv/vm"] = "";
  machine.tools.succeed("stat", "4096 1000000 500000\n");
  for (const char* tool : {"fallocate", "chown", "chmod"}) machine.tools.succeed(tool);
  machine.tools.when("setpriv", host::ProcessResult{1, "", ""});
  BackingSpec spec{directory_pool(), vm1, Bytes::mib(1), "A-7", false, "others"};
  const auto unreachable = machine.run(ensure_backing(machine.host, spec));
  ASSERT_FALSE(unreachable.ok());
  EXPECT_EQ(unreachable.error().code(), ErrorCode::not_suitable);
  EXPECT_NE(unreachable.error().next().find("chmod o+x"), std::string::npos);
  EXPECT_EQ(machine.tools.count("chown --no-dereference others:others /srv/vm/mcv-vm1-0.raw"), 1u);
  EXPECT_EQ(machine.tools.count("chmod 0600 /srv/vm/mcv-vm1-0.raw"), 1u);
  EXPECT_EQ(machine.tools.count("setpriv --reuid=others --regid=others --clear-groups"), 1u);
}

TEST(Backing, FilesAreForOneOperation) {
  Machine machine;
  machine.files.texts["/srv/vm"] = "";
  for (const char* tool : {"chown", "chmod", "setpriv"}) machine.tools.succeed(tool);
  machine.tools.succeed("stat", "4096 1000000 500000\n");
  machine.tools.when("fallocate", [&](const host::Command& command) {
    machine.files.texts[command.argv.back()] = "x";
    return host::ProcessResult{};
  });
  BackingSpec spec{directory_pool(), vm1, Bytes::mib(1), "A-7", false};
  EXPECT_TRUE(machine.run(ensure_backing(machine.host, spec)).ok());
  EXPECT_TRUE(machine.run(ensure_backing(machine.host, spec)).ok());
  spec.token = "A-8";
  EXPECT_EQ(machine.run(ensure_backing(machine.host, spec)).error().code(), ErrorCode::already_exists);
  EXPECT_TRUE(machine.run(remove_backing(machine.host, directory_pool(), vm1)).ok());
  EXPECT_EQ(machine.files.texts.size(), 1u);
  spec.replicated = true;
  EXPECT_EQ(machine.run(ensure_backing(machine.host, spec)).error().code(), ErrorCode::bad_request);
}

TEST(Backing, AnUndoTakesOnlyWhatItsOperationMade) {
  Machine machine;
  FakeLvm lvm(machine);
  ASSERT_TRUE(machine.run(ensure_pool(machine.host, thin_pool(), std::nullopt)).ok());
  ASSERT_TRUE(machine.run(ensure_backing(machine.host, BackingSpec{thin_pool(), vm1, Bytes::mib(256), "A-7", true})).ok());
  EXPECT_TRUE(machine.run(remove_backing_of(machine.host, thin_pool(), vm1, "A-8")).ok()) << "nothing of it was made";
  EXPECT_TRUE(lvm.volumes.contains("mcv-vm1-0"));
  EXPECT_TRUE(lvm.volumes.contains("mcv-vm1-0.md"));
  EXPECT_TRUE(machine.run(remove_backing_of(machine.host, thin_pool(), vm1, "A-7")).ok());
  EXPECT_EQ(lvm.volumes.size(), 1u);
}

}  // namespace
}  // namespace mcv::lvm::lvm_test

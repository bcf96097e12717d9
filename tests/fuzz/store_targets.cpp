// SPDX-License-Identifier: Apache-2.0
// What a start of mcvd finds in its store: written by another build, or on a disk that lies.
#include <algorithm>

#include "cluster/plan/journal.h"
#include "cluster/store/log_store.h"
#include "cluster/store/node_records.h"
#include "fakes.h"
#include "targets.h"

namespace mcv::fuzz {
namespace {

/// A row a line: table, key and value, apart by tabs.
test::Tables tables_of(std::string_view text) {
  test::Tables tables;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t key = line.find('\t');
    const std::size_t value = key == std::string_view::npos ? key : line.find('\t', key + 1);
    if (value == std::string_view::npos) continue;
    tables[std::string(line.substr(0, key))][std::string(line.substr(key + 1, value - key - 1))] = line.substr(value + 1);
  }
  return tables;
}

void store_rows(std::string_view text) {
  boost::asio::io_context loop;
  test::VirtualClock clock(loop);
  test::GroupBus bus(loop.get_executor());
  test::TestNode node(loop, clock, bus, "A", 1);
  node.store.tables = tables_of(text);
  static_cast<void>(clock.run(load_audit(node.store)));
  Journal journal(node.store);
  const auto operations = clock.run(journal.load());
  if (operations.ok()) {
    for (const auto& [number, state] : operations->operations) must(state.entries() > 0, "an operation has an entry");
  }
  SharedState shared(node.host);
  if (clock.run(shared.load()).ok()) must(shared.image().verify().ok(), "a history that was loaded holds together");
  must(node.store.commits == 0, "reading a store writes nothing");
  NodeRecords records(node.host, shared);
  static_cast<void>(clock.run(records.load()));
  clock.run(records.stop());
  clock.run(shared.stop());
}

}  // namespace

std::vector<Target> store_targets() { return {{"store-rows", store_rows, {}}}; }

}  // namespace mcv::fuzz

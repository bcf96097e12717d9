// SPDX-License-Identifier: Apache-2.0
#include "cluster/store/node_records.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>
#include <tuple>

#include "cluster/core/json_value.h"
#include "cluster/core/task_group.h"
#include "cluster/store/mailbox.h"
#include "cluster/store/record_message.h"
#include "cluster/store/record_table.h"

namespace mcv {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

const std::string record_table = "node_record";
const std::string record_meta_table = "record_meta";
const std::string stream_key = "stream";
const std::string side_topic = "records";
const std::string forget_kind = "mcv.forget";
constexpr auto peer_bound = 2s;
constexpr std::size_t push_bytes = 256 * 1024;
constexpr std::size_t record_page = 500;

std::string have_key(const std::string& node, const std::string& stream) { return fmt::format("have/{}/{}", node, stream); }

}  // namespace

struct NodeRecords::Impl {
  using Key = RecordTable::Key;
  struct Waiter {
    std::uint64_t number;
    host::Instant until;
    std::shared_ptr<Mailbox<bool>> answer;
  };
  using Rows = std::vector<std::pair<std::string, std::string>>;

  Impl(host::Host& the_host, SharedState& the_shared)
      : host(the_host), shared(the_shared), inbox(host.executor), due(host.executor), tasks(host.executor) {}

  host::Host& host;
  SharedState& shared;
  Mailbox<std::optional<RecordMessage>> inbox;  // from the peer; nothing = contact
  Mailbox<host::Instant> due;
  TaskGroup tasks;
  std::string stream;                // of this node's store
  std::uint64_t last = 0;
  std::uint64_t peer_has = 0;        // of ours, durably there
  std::set<std::uint64_t> under_way; // numbers whose commit has not ended: nothing from there on is shipped yet
  std::optional<host::Instant> push_until;  // one message at a time; asked for again after this
  bool contact = false;
  RecordTable records;
  std::map<std::pair<std::string, std::string>, std::uint64_t> have;  // of others' streams
  std::vector<Waiter> waiters;
  std::vector<std::function<void()>> arrival_callbacks;

  static std::string row_key(const Key& key) { return fmt::format("{}/{}/{:020}", std::get<0>(key), std::get<1>(key), std::get<2>(key)); }
  static std::string row_value(const NodeOwnedRecord& record) { return canonical({{"kind", record.kind}, {"body", record.body}}); }

  Status load_row(const std::string& key, const std::string& text) {
    const std::size_t first = key.find('/');
    const std::size_t second = key.rfind('/');
    const auto json = parse_json(text);
    if (first == second || !json.ok() || !json->is_object()) return Error(ErrorCode::store_corrupt, fmt::format("the record {} cannot be read", key));
    Fields fields(*json, "record");
    NodeOwnedRecord record{key.substr(0, first), key.substr(first + 1, second - first - 1), std::strtoull(key.c_str() + second + 1, nullptr, 10),
                           fields.required<std::string>("kind"), value_in(*json, "body", Json())};
    MCV_CHECK(fields.finish_lenient());
    records.put(std::move(record));
    return success();
  }

  /// What applying `record` does to the store and, by `apply`, to memory: alike at the writer and at its peer.
  void add_to(host::StoreBatch& batch, const NodeOwnedRecord& record, bool keep_forget) const {
    if (record.kind != forget_kind || keep_forget) batch.put(record_table, row_key({record.node, record.stream, record.number}), row_value(record));
    for_forgotten(record, [&](std::uint64_t number) { batch.erase(record_table, row_key({record.node, record.stream, number})); });
  }
  void apply(const NodeOwnedRecord& record, bool keep_forget) {
    if (record.kind != forget_kind || keep_forget) records.put(record);
    for_forgotten(record, [&](std::uint64_t number) { records.erase({record.node, record.stream, number}); });
  }
  template <typename Each>
  static void for_forgotten(const NodeOwnedRecord& record, Each each) {
    if (record.kind != forget_kind || !record.body.is_array()) return;
    for (const Json& number : record.body) {
      if (number.is_number_unsigned()) each(number.get<std::uint64_t>());
    }
  }

  void link_changed(const Link& link) {
    if (link.peer_in_group == contact && link.state != LinkState::syncing) return;
    contact = link.peer_in_group;
    push_until.reset();
    if (contact) return inbox.push(std::nullopt);
    settle_waiters(host.clock.now());
  }

  /// Answers who has waited long enough, or for nothing.
  void settle_waiters(host::Instant now) {
    std::erase_if(waiters, [&](const Waiter& waiter) {
      const bool there = peer_has >= waiter.number;
      if (!there && contact && now < waiter.until) return false;
      waiter.answer->push(there);
      return true;
    });
  }

  static asio::awaitable<void> send(std::shared_ptr<Impl> self, Json body) {
    // A message that could not be sent is asked for again at the next contact.
    const Status ignored = co_await self->shared.send_side(side_topic, std::move(body));
    (void)ignored;
  }

  /// Ships what the peer does not have yet, at most one message.
  static asio::awaitable<void> push_more(std::shared_ptr<Impl> self) {
    const std::uint64_t from = self->peer_has;
    const std::uint64_t limit = self->under_way.empty() ? self->last : *self->under_way.begin() - 1;
    const bool waits = self->push_until && self->host.clock.now() < *self->push_until;
    if (!self->contact || waits || from >= limit) co_return;
    Json list = Json::array();
    std::size_t size = 0;
    std::uint64_t through = limit;
    const std::map<Key, NodeOwnedRecord>& all = self->records.all();
    auto record = all.upper_bound(Key{self->host.hostname, self->stream, from});
    for (; record != all.end() && std::get<0>(record->first) == self->host.hostname && std::get<1>(record->first) == self->stream; ++record) {
      const std::uint64_t number = std::get<2>(record->first);
      if (number > limit) break;
      if (size > push_bytes) {
        through = number - 1;
        break;
      }
      list.push_back({{"number", record->second.number}, {"kind", record->second.kind}, {"body", record->second.body}});
      size += canonical(record->second.body).size();
    }
    self->push_until = self->host.clock.now() + peer_bound;
    Json message = {{"type", "push"}, {"node", self->host.hostname}, {"stream", self->stream}, {"after", from}, {"through", through}, {"records", list}};
    co_await send(self, std::move(message));
  }

  static asio::awaitable<void> take(std::shared_ptr<Impl> self, RecordMessage message) {
    std::uint64_t& have = self->have[{message.node, message.stream}];
    if (message.type == RecordMessage::Type::push && message.after <= have) {
      host::StoreBatch batch;
      batch.may_use_reserve = true;
      std::vector<NodeOwnedRecord> fresh;
      for (NodeOwnedRecord& record : message.records) {
        if (record.number <= have) continue;
        self->add_to(batch, record, false);
        fresh.push_back(std::move(record));
      }
      if (message.through > have) {
        batch.put(record_meta_table, have_key(message.node, message.stream), std::to_string(message.through));
        const Status stored = co_await self->host.store.commit(std::move(batch));
        // Not durable, not reported: the writer goes on saying "on one node".
        if (!stored.ok()) co_return;
        for (const NodeOwnedRecord& record : fresh) self->apply(record, false);
        have = message.through;
        for (const auto& callback : self->arrival_callbacks) callback();
      }
    }
    Json answer = {{"type", "have"}, {"node", message.node}, {"stream", message.stream}, {"number", have}};
    co_await send(self, std::move(answer));
  }

  /// How far the peer has ours.
  static asio::awaitable<void> heard(std::shared_ptr<Impl> self, std::uint64_t number) {
    self->peer_has = number;
    // A store put back to an older copy must not give a number twice.
    self->last = std::max(self->last, number);
    self->push_until.reset();
    self->settle_waiters(self->host.clock.now());
    co_await push_more(self);
  }

  static asio::awaitable<void> run(std::shared_ptr<Impl> self) {
    for (;;) {
      std::optional<RecordMessage> message = co_await self->inbox.next();
      if (!message) {
        Json offer = {{"type", "offer"}, {"node", self->host.hostname}, {"stream", self->stream}};
        co_await send(self, std::move(offer));
      } else if (message->type == RecordMessage::Type::have) {
        const std::uint64_t number = message->number;
        if (message->node == self->host.hostname && message->stream == self->stream) co_await heard(self, number);
      } else {
        co_await take(self, std::move(*message));
      }
    }
  }

  static asio::awaitable<void> watch_waiters(std::shared_ptr<Impl> self) {
    for (;;) {
      const host::Instant until = co_await self->due.next();
      if (self->waiters.empty()) continue;
      const host::Duration left = until - self->host.clock.now();
      if (left > host::Duration::zero()) co_await self->host.clock.sleep_for(left);
      self->settle_waiters(self->host.clock.now());
    }
  }
};

NodeRecords::NodeRecords(host::Host& host, SharedState& shared) : impl_(std::make_shared<Impl>(host, shared)) {}
NodeRecords::~NodeRecords() = default;

asio::awaitable<Status> NodeRecords::load() {
  const auto impl = impl_;
  std::string first;
  for (;;) {
    MCV_CO_TRY(const Impl::Rows rows, co_await impl->host.store.scan(record_table, first, record_page));
    for (const auto& [key, text] : rows) MCV_CO_CHECK(impl->load_row(key, text));
    if (rows.size() < record_page) break;
    first = rows.back().first + '\0';
  }
  MCV_CO_TRY(const std::optional<std::string> stream, co_await impl->host.store.get(record_meta_table, stream_key));
  if (stream) {
    // "<stream> <last number>"
    impl->stream = stream->substr(0, stream->find(' '));
    impl->last = std::strtoull(stream->c_str() + std::min(stream->find(' '), stream->size()), nullptr, 10);
    // No number twice, whatever that row says: a record that is here counts too.
    for (const auto& [key, record] : impl->records.all()) {
      if (record.node == impl->host.hostname && record.stream == impl->stream) impl->last = std::max(impl->last, record.number);
    }
  }
  const std::string prefix = "have/";
  MCV_CO_TRY(const Impl::Rows rows, co_await impl->host.store.scan(record_meta_table, prefix, record_page));
  for (const auto& [key, text] : rows) {
    if (key.compare(0, prefix.size(), prefix) != 0) break;
    const std::size_t slash = key.rfind('/');
    impl->have[{key.substr(prefix.size(), slash - prefix.size()), key.substr(slash + 1)}] = std::strtoull(text.c_str(), nullptr, 10);
  }
  if (impl->stream.empty()) {
    impl->stream = impl->host.random.uuid();
    host::StoreBatch batch;
    batch.put(record_meta_table, stream_key, impl->stream + " 0");
    MCV_CO_CHECK(co_await impl->host.store.commit(std::move(batch)));
  }
  const std::weak_ptr<Impl> weak = impl;
  impl->shared.on_side(side_topic, [weak](host::NodeId, const Json& body) {
    const auto self = weak.lock();
    auto message = RecordMessage::from_json(body);
    if (!self || !message.ok()) return;
    // Delivered to both: an offer or push of ours and a report about the peer's are for the other one.
    const bool ours = message->node == self->host.hostname;
    if (ours == (message->type == RecordMessage::Type::have)) self->inbox.push(std::move(*message));
  });
  impl->shared.on_link([weak](const Link& link) {
    if (const auto self = weak.lock()) self->link_changed(link);
  });
  impl->tasks.spawn(Impl::run(impl));
  impl->tasks.spawn(Impl::watch_waiters(impl));
  co_return success();
}

asio::awaitable<Result<bool>> NodeRecords::append(std::string kind, Json body, bool may_use_reserve) {
  const auto impl = impl_;
  NodeOwnedRecord record{impl->host.hostname, impl->stream, ++impl->last, std::move(kind), std::move(body)};
  host::StoreBatch batch;
  batch.may_use_reserve = may_use_reserve;
  impl->add_to(batch, record, true);
  batch.put(record_meta_table, stream_key, fmt::format("{} {}", impl->stream, record.number));
  impl->under_way.insert(record.number);
  const Status stored = co_await impl->host.store.commit(std::move(batch));
  impl->under_way.erase(record.number);
  if (!stored.ok()) co_return stored.error();
  impl->apply(record, true);
  if (!impl->contact) co_return false;
  auto answer = std::make_shared<Mailbox<bool>>(impl->host.executor);
  const host::Instant until = impl->host.clock.now() + peer_bound;
  impl->waiters.push_back({record.number, until, answer});
  impl->due.push(until);
  co_await Impl::push_more(impl);
  const bool there = co_await answer->next();
  co_return there;
}

asio::awaitable<Status> NodeRecords::forget(std::vector<std::uint64_t> numbers) {
  const auto impl = impl_;
  // Older orders to forget that the peer has carried out go along.
  for (const NodeOwnedRecord& record : impl->records.of_kind(forget_kind)) {
    const bool done = record.node == impl->host.hostname && record.stream == impl->stream && record.number <= impl->peer_has;
    if (done) numbers.push_back(record.number);
  }
  if (numbers.empty()) co_return success();
  Json list = numbers;
  const auto appended = co_await append(forget_kind, std::move(list));
  if (!appended.ok()) co_return appended.error();
  co_return success();
}

asio::awaitable<Status> NodeRecords::begin_anew() {
  const auto impl = impl_;
  host::StoreBatch batch;
  batch.may_use_reserve = true;
  for (const auto& [key, record] : impl->records.all()) batch.erase(record_table, Impl::row_key(key));
  for (const auto& [name, number] : impl->have) batch.erase(record_meta_table, have_key(name.first, name.second));
  const std::string stream = impl->host.random.uuid();
  batch.put(record_meta_table, stream_key, stream + " 0");
  MCV_CO_CHECK(co_await impl->host.store.commit(std::move(batch)));
  impl->records.clear();
  impl->have.clear();
  impl->stream = stream;
  impl->last = 0;
  impl->peer_has = 0;
  impl->push_until.reset();
  co_return success();
}

asio::awaitable<Status> NodeRecords::forget_node(std::string node, std::set<std::string> kept) {
  const auto impl = impl_;
  std::vector<Impl::Key> gone;
  for (const auto& [key, record] : impl->records.all()) {
    if (record.node == node && node != impl->host.hostname && !kept.contains(record.kind)) gone.push_back(key);
  }
  if (gone.empty()) co_return success();
  host::StoreBatch batch;
  batch.may_use_reserve = true;
  for (const Impl::Key& key : gone) batch.erase(record_table, Impl::row_key(key));
  MCV_CO_CHECK(co_await impl->host.store.commit(std::move(batch)));
  for (const Impl::Key& key : gone) impl->records.erase(key);
  co_return success();
}

std::vector<NodeOwnedRecord> NodeRecords::read(const std::string& kind) const { return impl_->records.of_kind(kind); }

std::vector<NodeOwnedRecord> NodeRecords::read_own(const std::string& kind) const {
  std::vector<NodeOwnedRecord> list = read(kind);
  std::erase_if(list, [&](const NodeOwnedRecord& record) { return record.node != impl_->host.hostname || record.stream != impl_->stream; });
  return list;
}

std::uint64_t NodeRecords::last_number() const { return impl_->last; }
bool NodeRecords::shipped() const { return impl_->peer_has >= impl_->last; }
void NodeRecords::on_arrival(std::function<void()> callback) { impl_->arrival_callbacks.push_back(std::move(callback)); }

asio::awaitable<void> NodeRecords::stop() {
  const auto impl = impl_;
  impl->tasks.cancel();
  co_await impl->tasks.join();
}

}  // namespace mcv

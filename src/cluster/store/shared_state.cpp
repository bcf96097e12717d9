// SPDX-License-Identifier: Apache-2.0
#include "cluster/store/shared_state.h"

#include <deque>
#include <fmt/format.h>
#include <map>
#include <utility>

#include "cluster/core/task_group.h"
#include "cluster/store/log_machine.h"
#include "cluster/store/log_store.h"
#include "cluster/store/mailbox.h"

namespace mcv {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto answer_bound = 10s;      // then outcome_unknown: docs/operations.md
constexpr auto rejoin_pause = 500ms;
constexpr auto poll_pause = 20ms;
// The first byte of a group message: the log's own, or the side channel's.
constexpr char log_tag = 'L';
constexpr char side_tag = 'S';

}  // namespace

struct SharedState::Impl {
  using Event = std::function<void(LogMachine&)>;
  using Answer = Mailbox<Result<Committed>>;
  struct Due {
    Ticket ticket;
    host::Instant at;
  };

  Impl(host::Host& the_host, Abilities the_abilities) : host(the_host), abilities(std::move(the_abilities)), inbox(host.executor), due(host.executor), tasks(host.executor) {}

  host::Host& host;
  const Abilities abilities;
  std::optional<LogMachine> machine;
  Mailbox<Event> inbox;
  Mailbox<Due> due;
  TaskGroup tasks;
  std::unique_ptr<TaskGroup> group_tasks;
  Ticket last_ticket = 0;
  std::map<Ticket, std::shared_ptr<Answer>> answers;
  bool send_failed = false;
  std::string send_error;
  LinkState last_link = LinkState::uninitialised;
  bool last_peer = false;
  host::Instant since;
  std::vector<std::function<void()>> commit_callbacks;
  std::vector<std::function<void(Link)>> link_callbacks;
  std::vector<std::function<void(Error)>> failure_callbacks;
  std::map<std::string, std::function<void(host::NodeId, const Json&)>> side_callbacks;

  Link link() const {
    Link link;
    if (!machine) return link;
    link.state = machine->link();
    link.peer = machine->peer_name();
    link.in_group = machine->connected();
    link.peer_in_group = machine->peer_present();
    link.since = since;
    link.reason = machine->link_reason();
    return link;
  }

  void note_link() {
    if (machine->link() == last_link && machine->peer_present() == last_peer) return;
    if (machine->link() != last_link) since = host.clock.now();
    last_link = machine->link();
    last_peer = machine->peer_present();
    const Link now = link();
    for (const auto& callback : link_callbacks) callback(now);
  }

  void tell(Output& output) {
    note_link();
    if (output.state_changed) {
      for (const auto& callback : commit_callbacks) callback();
    }
    for (Output::Answer& answer : output.answers) {
      const auto found = answers.find(answer.ticket);
      if (found == answers.end()) continue;
      found->second->push(std::move(answer.result));
      answers.erase(found);
    }
    if (output.failed) {
      host.group.leave();
      for (const auto& callback : failure_callbacks) callback(*output.failed);
    }
  }

  void receive(host::GroupEvent event) {
    if (auto* message = std::get_if<host::GroupMessage>(&event)) {
      if (message->bytes.empty()) return;
      if (message->bytes.front() == side_tag) return receive_side(*message);
      if (message->bytes.front() != log_tag) return;
      inbox.push([sender = message->sender, bytes = std::move(message->bytes)](LogMachine& log) { log.message(sender, std::string_view(bytes).substr(1)); });
    } else if (auto* membership = std::get_if<host::GroupMembership>(&event)) {
      inbox.push([members = membership->members, nonce = host.random.hex(16)](LogMachine& log) { log.members(members, nonce); });
    } else if (auto* gone = std::get_if<host::GroupLost>(&event)) {
      inbox.push([reason = gone->reason](LogMachine& log) { log.lost(reason); });
    }
  }

  void receive_side(const host::GroupMessage& message) {
    const auto json = parse_json(std::string_view(message.bytes).substr(1));
    if (!json.ok() || !json->is_object() || !json->contains("body") || !json->contains("topic") || !json->at("topic").is_string()) return;
    const auto callback = side_callbacks.find(json->at("topic").get<std::string>());
    if (callback != side_callbacks.end()) callback->second(message.sender, json->at("body"));
  }

  std::shared_ptr<Answer> open(Ticket& ticket) {
    ticket = ++last_ticket;
    auto answer = std::make_shared<Answer>(host.executor);
    answers[ticket] = answer;
    return answer;
  }

  /// The one place where the machine meets the world: event by event, and each Persist before what depends on it.
  static asio::awaitable<void> run(std::shared_ptr<Impl> self) {
    for (;;) {
      const Event event = co_await self->inbox.next();
      event(*self->machine);
      co_await perform(self);
      self->note_link();
    }
  }

  static asio::awaitable<void> perform(std::shared_ptr<Impl> self) {
    for (;;) {
      std::optional<Output> output = self->machine->take_output();
      if (!output && !self->send_failed) co_return;
      if (!output) {
        // What could not be sent may be missing at the peer: this session is over. The reader joins again.
        self->send_failed = false;
        self->host.group.leave();
        self->machine->lost(self->send_error);
        continue;
      }
      if (output->persist) {
        host::StoreBatch batch = to_batch(*output->persist);
        const Status status = co_await self->host.store.commit(std::move(batch));
        self->machine->persisted(status);
        continue;
      }
      self->tell(*output);
      for (const std::string& message : output->messages) {
        if (self->send_failed) break;
        std::string bytes = log_tag + message;
        const Status status = co_await self->host.group.multicast(std::move(bytes));
        if (status.ok()) continue;
        self->send_failed = true;
        self->send_error = status.error().message();
      }
    }
  }

  static asio::awaitable<void> read_group(std::shared_ptr<Impl> self) {
    for (;;) {
      const Status joined = co_await self->host.group.join();
      if (!joined.ok()) self->receive(host::GroupLost{joined.error().message()});
      bool connected = joined.ok();
      while (connected) {
        host::GroupEvent event = co_await self->host.group.next();
        connected = !std::holds_alternative<host::GroupLost>(event);
        self->receive(std::move(event));
      }
      co_await self->host.clock.sleep_for(rejoin_pause);
    }
  }

  static asio::awaitable<void> watch_deadlines(std::shared_ptr<Impl> self) {
    for (;;) {
      const Due due = co_await self->due.next();
      if (!self->answers.contains(due.ticket)) continue;
      const host::Duration left = due.at - self->host.clock.now();
      if (left > host::Duration::zero()) co_await self->host.clock.sleep_for(left);
      if (!self->answers.contains(due.ticket)) continue;
      self->inbox.push([ticket = due.ticket](LogMachine& log) { log.expire(ticket); });
    }
  }

  /// Returns when everything that was in the inbox before has been done.
  static asio::awaitable<void> barrier(std::shared_ptr<Impl> self) {
    auto done = std::make_shared<Mailbox<bool>>(self->host.executor);
    self->inbox.push([done](LogMachine&) { done->push(true); });
    co_await done->next();
  }
};

SharedState::SharedState(host::Host& host, Abilities abilities) : impl_(std::make_shared<Impl>(host, std::move(abilities))) {}
SharedState::~SharedState() = default;

asio::awaitable<Status> SharedState::load() {
  const auto impl = impl_;
  MCV_CO_TRY(LogImage image, co_await load_image(impl->host.store, impl->abilities.format));
  impl->machine.emplace(impl->host.hostname, std::move(image), impl->abilities);
  impl->since = impl->host.clock.now();
  impl->last_link = impl->machine->link();
  impl->tasks.spawn(Impl::run(impl));
  impl->tasks.spawn(Impl::watch_deadlines(impl));
  co_return success();
}

namespace {
Error not_loaded() { return Error(ErrorCode::internal, "the shared configuration was used before it was loaded"); }
}  // namespace

asio::awaitable<Status> SharedState::initialise() {
  const auto impl = impl_;
  if (!impl->machine) co_return not_loaded();
  Ticket ticket = 0;
  const auto answer = impl->open(ticket);
  impl->inbox.push([ticket, uuid = impl->host.random.uuid()](LogMachine& log) { log.initialise(ticket, uuid); });
  const Result<Committed> result = co_await answer->next();
  if (!result.ok()) co_return result.error();
  co_return success();
}

asio::awaitable<Result<Committed>> SharedState::propose(Change change) {
  const auto impl = impl_;
  if (!impl->machine) co_return not_loaded();
  if (change.id.empty()) change.id = impl->host.random.uuid();
  Ticket ticket = 0;
  const auto answer = impl->open(ticket);
  impl->inbox.push([ticket, change = std::move(change)](LogMachine& log) { log.propose(ticket, change); });
  impl->due.push({ticket, impl->host.clock.now() + answer_bound});
  Result<Committed> result = co_await answer->next();
  co_return result;
}

asio::awaitable<Result<Committed>> SharedState::propose_alone(Change change) {
  const auto impl = impl_;
  if (!impl->machine) co_return not_loaded();
  Ticket ticket = 0;
  const auto answer = impl->open(ticket);
  impl->inbox.push([ticket, change = std::move(change)](LogMachine& log) { log.propose(ticket, change, Where::only_alone); });
  impl->due.push({ticket, impl->host.clock.now() + answer_bound});
  Result<Committed> result = co_await answer->next();
  co_return result;
}

asio::awaitable<Result<Outcome>> SharedState::outcome(std::string id) {
  const auto impl = impl_;
  if (!impl->machine) co_return not_loaded();
  // Behind everything this node was already told.
  co_await Impl::barrier(impl);
  co_return impl->machine->outcome(id);
}

asio::awaitable<Status> SharedState::adopt(Json snapshot) {
  const auto impl = impl_;
  if (!impl->machine) co_return not_loaded();
  MCV_CO_TRY(LogImage image, LogImage::from_json(snapshot, impl->abilities.format));
  Ticket ticket = 0;
  const auto answer = impl->open(ticket);
  impl->inbox.push([ticket, image = std::move(image)](LogMachine& log) { log.adopt(ticket, image); });
  const Result<Committed> result = co_await answer->next();
  if (!result.ok()) co_return result.error();
  // The peer compared with what was here before: meet again.
  if (impl->machine->connected()) impl->host.group.leave();
  co_return success();
}

asio::awaitable<Status> SharedState::begin_anew() {
  const auto impl = impl_;
  if (!impl->machine) co_return not_loaded();
  Ticket ticket = 0;
  const auto answer = impl->open(ticket);
  impl->inbox.push([ticket, uuid = impl->host.random.uuid()](LogMachine& log) { log.begin_anew(ticket, uuid); });
  const Result<Committed> result = co_await answer->next();
  if (!result.ok()) co_return result.error();
  co_return success();
}

asio::awaitable<Result<Committed>> SharedState::take_generation(std::string proof) {
  std::function<bool(const ClusterState&)> always;
  Result<Committed> result = co_await take_generation_while(std::move(always), std::move(proof));
  co_return result;
}

asio::awaitable<Result<Committed>> SharedState::take_generation_while(std::function<bool(const ClusterState&)> holds, std::string proof) {
  const auto impl = impl_;
  if (!impl->machine) co_return not_loaded();
  Ticket ticket = 0;
  const auto answer = impl->open(ticket);
  impl->inbox.push([ticket, proof, holds, uuid = impl->host.random.uuid()](LogMachine& log) { log.take_generation(ticket, uuid, proof, holds); });
  Result<Committed> result = co_await answer->next();
  co_return result;
}

asio::awaitable<Result<Committed>> SharedState::settle(Settled settled) {
  const auto impl = impl_;
  if (!impl->machine) co_return not_loaded();
  Ticket ticket = 0;
  const auto answer = impl->open(ticket);
  impl->inbox.push([ticket, settled = std::move(settled), uuid = impl->host.random.uuid()](LogMachine& log) { log.settle(ticket, uuid, settled); });
  Result<Committed> result = co_await answer->next();
  // What the two said of themselves was before this: meet again.
  if (result.ok() && impl->machine->connected()) impl->host.group.leave();
  co_return result;
}

asio::awaitable<Status> SharedState::start_group() {
  const auto impl = impl_;
  if (!impl->machine) co_return not_loaded();
  if (impl->group_tasks) co_return success();
  const LinkState state = impl->machine->link();
  if (state == LinkState::single || state == LinkState::uninitialised || state == LinkState::removed) {
    co_return Error(ErrorCode::bad_request, fmt::format("{} is not one of two nodes of a cluster: there is no group to join", impl->host.hostname));
  }
  impl->group_tasks = std::make_unique<TaskGroup>(impl->host.executor);
  impl->group_tasks->spawn(Impl::read_group(impl));
  co_return success();
}

asio::awaitable<void> SharedState::stop_group() {
  const auto impl = impl_;
  if (!impl->group_tasks) co_return;
  impl->group_tasks->cancel();
  impl->host.group.leave();
  co_await impl->group_tasks->join();
  impl->group_tasks.reset();
  impl->inbox.push([](LogMachine& log) { log.lost("stopped"); });
  co_await Impl::barrier(impl);
}

asio::awaitable<bool> SharedState::wait_together(std::chrono::milliseconds deadline) {
  const auto impl = impl_;
  const host::Instant end = impl->host.clock.now() + deadline;
  while (link().state != LinkState::together && impl->host.clock.now() < end) co_await impl->host.clock.sleep_for(poll_pause);
  co_return link().state == LinkState::together;
}

asio::awaitable<Status> SharedState::send_side(std::string topic, Json body) {
  const auto impl = impl_;
  if (!impl->machine || !impl->machine->peer_present()) {
    co_return Error(ErrorCode::peer_unreachable, "the other node's daemon is not in contact").with_next("hvctl info");
  }
  const Json message = {{"topic", topic}, {"body", std::move(body)}};
  std::string bytes = side_tag + canonical(message);
  const Status status = co_await impl->host.group.multicast(std::move(bytes));
  co_return status;
}

asio::awaitable<void> SharedState::stop() {
  const auto impl = impl_;
  if (impl->group_tasks) co_await stop_group();
  impl->tasks.cancel();
  co_await impl->tasks.join();
}

const ClusterState& SharedState::current() const {
  static const ClusterState empty;
  return impl_->machine ? impl_->machine->state() : empty;
}
Position SharedState::position() const { return impl_->machine ? impl_->machine->position() : Position(); }
const std::vector<GenerationRecord>& SharedState::generations() const {
  static const std::vector<GenerationRecord> none;
  return impl_->machine ? impl_->machine->image().generations : none;
}
const Abilities& SharedState::abilities() const { return impl_->abilities; }
std::optional<OtherBuild> SharedState::other_build() const { return impl_->machine ? impl_->machine->other_build() : std::nullopt; }
std::optional<Json> SharedState::with_tentative(Kind kind, const std::string& key) const { return impl_->machine ? impl_->machine->with_tentative(kind, key) : std::nullopt; }
Link SharedState::link() const { return impl_->link(); }
Json SharedState::snapshot() const { return impl_->machine ? impl_->machine->image().to_json(256) : Json(); }
Json SharedState::divergence() const { return impl_->machine ? impl_->machine->divergence() : Json(); }
const LogImage& SharedState::image() const {
  static const LogImage none;
  return impl_->machine ? impl_->machine->image() : none;
}
void SharedState::on_commit(std::function<void()> callback) { impl_->commit_callbacks.push_back(std::move(callback)); }
void SharedState::on_link(std::function<void(Link)> callback) { impl_->link_callbacks.push_back(std::move(callback)); }
void SharedState::on_failure(std::function<void(Error)> callback) { impl_->failure_callbacks.push_back(std::move(callback)); }
void SharedState::on_side(std::string topic, std::function<void(host::NodeId, const Json&)> callback) {
  impl_->side_callbacks[std::move(topic)] = std::move(callback);
}

}  // namespace mcv

// SPDX-License-Identifier: Apache-2.0
#include "cluster/store/record_message.h"

#include <fmt/format.h>

namespace mcv {
namespace {

Result<RecordMessage::Type> type_from_text(std::string_view text) {
  if (text == "offer") return RecordMessage::Type::offer;
  if (text == "push") return RecordMessage::Type::push;
  if (text == "have") return RecordMessage::Type::have;
  return Error(ErrorCode::bad_request, fmt::format("'{}' is no message about records", text));
}

Result<NodeOwnedRecord> record_from_json(const Json& json, const RecordMessage& message) {
  Fields fields(json, "pushed record");
  NodeOwnedRecord record;
  record.node = message.node;
  record.stream = message.stream;
  record.number = fields.required<std::uint64_t>("number");
  record.kind = fields.required<std::string>("kind");
  MCV_CHECK(fields.finish_lenient());
  if (const auto body = json.find("body"); body != json.end()) record.body = *body;
  return record;
}

}  // namespace

Result<RecordMessage> RecordMessage::from_json(const Json& json) {
  Fields fields(json, "message about records");
  RecordMessage message;
  const auto type = fields.required<std::string>("type");
  message.node = fields.required<std::string>("node");
  message.stream = fields.required<std::string>("stream");
  message.after = fields.optional_or<std::uint64_t>("after", 0);
  message.through = fields.optional_or<std::uint64_t>("through", 0);
  message.number = fields.optional_or<std::uint64_t>("number", 0);
  const Json* records = fields.array("records", false);
  MCV_CHECK(fields.finish_lenient());
  MCV_TRY(message.type, type_from_text(type));
  if (records == nullptr) return message;
  for (const Json& item : *records) {
    MCV_TRY(NodeOwnedRecord record, record_from_json(item, message));
    message.records.push_back(std::move(record));
  }
  return message;
}

}  // namespace mcv

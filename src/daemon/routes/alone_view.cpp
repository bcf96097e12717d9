// SPDX-License-Identifier: Apache-2.0
#include "daemon/routes/alone_view.h"

#include <fmt/format.h>

#include "cluster/authority/acceptance.h"
#include "cluster/core/wall_time.h"
#include "daemon/node/node.h"

namespace mcv::views {
namespace {

std::string since_text(const authority::AloneSince& record) { return record.wall_seconds == 0 ? std::string("a time that is not known") : utc(record.wall_seconds); }

}  // namespace

std::string utc(std::int64_t wall_seconds) { return utc_text(wall_seconds) + " UTC"; }

AloneView::AloneView(const Node& node) : node_(node), standpoint_(node.authority.standpoint()), shipped_(node.records.shipped()) {}

bool AloneView::is_settled(const VolumeName& volume) const {
  if (standpoint_.ledger.stands(standpoint_.self, volume) || standpoint_.ledger.stands(standpoint_.peer, volume)) return false;
  // Withdrawn here, and perhaps not heard of there.
  return shipped_ || !standpoint_.ledger.ever_named(standpoint_.self, volume);
}

Json AloneView::since(const VolumeName& volume) const {
  Json list = Json::array();
  for (const NodeName* node : {&standpoint_.self, &standpoint_.peer}) {
    const authority::AloneSince* record = standpoint_.ledger.standing_record(*node, volume);
    if (record == nullptr) continue;
    Json entry = {{"node", node->str()}, {"cause", record->cause}, {"since", nullptr}};
    if (record->wall_seconds != 0) entry["since"] = record->wall_seconds;
    list.push_back(std::move(entry));
  }
  return list;
}

AloneText AloneView::two_copies(const VolumeRecord& volume) const {
  const auto vm = node_.shared.current().vm(volume.vm);
  const NodeName owner = vm.ok() ? vm->owner : standpoint_.self;
  const NodeName& other = owner == standpoint_.self ? standpoint_.peer : standpoint_.self;
  const std::string& name = volume.name.str();
  AloneText said;
  said.text = fmt::format("{} has two copies: {} and {} both went on alone with it. Nothing was discarded; {} uses its own, that of {} stands apart", name, owner.str(), other.str(), owner.str(), other.str());
  if (standpoint_.link == LinkState::together) {
    said.next = fmt::format("to give up what {0} wrote alone, on {0}: drbdadm disconnect {1}; drbdadm connect --discard-my-data {1} (the first may find nothing to disconnect)", other.str(), volume.resource());
  } else {
    said.next = fmt::format("bring {} and the links back; hvctl info then says how one copy is chosen", standpoint_.peer.str());
  }
  return said;
}

std::optional<AloneText> AloneView::text(const VolumeRecord& volume, const VolumeFacts* here) const {
  if (authority::has_two_copies(standpoint_, volume.name, here)) return two_copies(volume);
  const bool connected = here != nullptr && here->connection == ConnectionState::connected;
  const authority::AloneSince* own = standpoint_.ledger.standing_record(standpoint_.self, volume.name);
  if (own == nullptr || connected) return std::nullopt;
  const std::string& name = volume.name.str();
  const std::string& peer = standpoint_.peer.str();
  const std::string back = fmt::format("bring {} and the links back: its copy is then resynchronised from here by itself", peer);
  if (own->cause == authority::cause_policy) {
    return AloneText{fmt::format("{} runs alone since {}, by policy: what is written to it is on {} only, and is lost if this node is. The copy on {} is older", name, since_text(*own), standpoint_.self.str(), peer), back};
  }
  if (own->cause != authority::cause_accepted) return std::nullopt;
  return AloneText{fmt::format("the copy of {} on {} is used since {}, although that on {} may be newer, as a person accepted. {}", name, standpoint_.self.str(), since_text(*own), peer,
                               authority::known_limit(volume.name, standpoint_.self, standpoint_.peer)),
                   fmt::format("when {} is back: hvctl info", peer)};
}

}  // namespace mcv::views

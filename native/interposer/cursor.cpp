#include "cursor.h"

namespace eclip {

namespace {

constexpr uint32_t no_key = ~0u;

struct Score {
  uint32_t agreement = 0;
  uint32_t kind = 0;      // 3: a little ahead in the same lane, 2: start of a lane, 1: anywhere
  uint32_t distance = 0;  // ahead, in the same lane

  bool better_than(const Score &other) const {
    if (agreement != other.agreement) {
      return agreement > other.agreement;
    }
    return kind != other.kind ? kind > other.kind : distance < other.distance;
  }
};

}  // namespace

Step Cursor::advance(const Plan &plan, uint64_t active, const KernelKey &key) {
  if (placed_ && position_ == 0 && plan.keys[plan.lanes[after_[lane_]].keys[0]] == key) {
    lane_ = after_[lane_];
  }
  if (placed_ && expected(plan, key)) {
    remember(plan.lanes[lane_].keys[position_]);
    misses_ = 0;
    return take(plan, active, {lane_, position_});
  }
  return search(plan, active, key);
}

bool Cursor::expected(const Plan &plan, const KernelKey &key) const {
  return plan.keys[plan.lanes[lane_].keys[position_]] == key;
}

Step Cursor::take(const Plan &plan, uint64_t active, Place place) {
  const Lane &lane = plan.lanes[place.lane];
  if (place.position == 0 || !placed_) {
    variant_ = plan.variant_for(active);
    active_ = active;
    before_ = placed_ ? last_lane_ : place.lane;
  }
  if (placed_) {
    after_[before_] = place.lane;  // also when another lane turns out to be the one that has begun
  }
  const auto &streams = plan.variants[variant_].streams[place.lane];
  Step step;
  step.stream = streams[place.position];
  step.model = lane.model;
  step.kind = lane.kind;
  step.known = step.placed = true;
  step.lane = place.lane;
  step.position = place.position;
  step.request_start = lane.first && place.position == 0;
  step.lane_end = place.position + 1 == lane.keys.size();
  step.request_end = lane.first && step.lane_end;
  placed_ = true;
  fresh_ = false;
  lane_ = last_lane_ = place.lane;
  position_ = step.lane_end ? 0 : place.position + 1;
  step.next = streams[position_];
  return step;
}

Step Cursor::search(const Plan &plan, uint64_t active, const KernelKey &key) {
  after_.resize(plan.lanes.size());
  if (fresh_ && seen_ == 0) {
    for (uint32_t lane = 0; lane < after_.size(); ++lane) {
      after_[lane] = lane;
    }
  }
  const auto entry = plan.key_index.find(key);
  const uint32_t index = entry == plan.key_index.end() ? no_key : entry->second;
  // Another model at the end of a request is no mismatch.
  const bool fresh = fresh_;
  const bool quiet = fresh_ || (placed_ && position_ == 0);
  remember(index);
  Place found{};
  Step step;
  if (index != no_key && locate(plan, index, found)) {
    step = take(plan, active, found);
    misses_ = 0;
    if (quiet && found.position == 0) {
      return step;
    }
    step.resync = !fresh;
  } else if (++misses_ > cursor_patience) {
    placed_ = false;
  }
  if (index != no_key && !step.known) {
    const uint32_t variant = plan.variant_for(active);
    step.stream = plan.variants[variant].usual[index];
    step.model = plan.lanes[plan.places[index].front().lane].model;
    step.kind = plan.lanes[plan.places[index].front().lane].kind;
    step.known = true;
  }
  step.mismatch = !fresh;
  return step;
}

bool Cursor::locate(const Plan &plan, uint32_t key, Place &found) const {
  Score best;
  uint32_t looked = 0;
  for (const Place &place : plan.places[key]) {
    if (++looked > cursor_places) {
      break;
    }
    const Lane &lane = plan.lanes[place.lane];
    Score score;
    bool anchored = false;
    score.agreement = agreement(lane, place.position, anchored);
    const bool same = placed_ && place.lane == lane_;
    score.distance = place.position - position_;
    if (same && (place.position + 1 == position_ || score.distance <= cursor_window)) {
      score.kind = 3;
    } else if (anchored) {
      score.kind = 2;
    } else if (score.agreement >= cursor_certain) {
      score.kind = 1;
    }
    if (score.kind != 0 && (best.kind == 0 || score.better_than(best))) {
      best = score;
      found = place;
    }
  }
  return best.kind != 0;
}

uint32_t Cursor::agreement(const Lane &lane, uint32_t position, bool &anchored) const {
  uint32_t count = 0;
  while (count < cursor_history && count < seen_ &&
         history_[(seen_ - 1 - count) % cursor_history] == lane.keys[position]) {
    ++count;
    if (position == 0) {
      anchored = true;
      break;
    }
    --position;
  }
  return count;
}

uint32_t Cursor::ahead(const Plan &plan, bool anywhere, uint32_t most) const {
  if (!placed_ || position_ == 0) {
    return 0;
  }
  const auto &streams = plan.variants[variant_].streams[lane_];
  const int16_t *next = streams.data() + position_;
  const int16_t same = next[-1];
  const auto left = static_cast<uint32_t>(streams.size() - position_ - 1);  // before the request's last one
  const uint32_t limit = left < most ? left : most;
  if (anywhere) {
    return limit;
  }
  uint32_t count = 0;
  while (count < limit && next[count] == same && next[count + 1] == same) {
    ++count;
  }
  return count;
}

void Cursor::skip(const Plan &plan, uint32_t count) {
  const auto &keys = plan.lanes[lane_].keys;
  const uint32_t forgotten = count > cursor_history ? count - cursor_history : 0;
  seen_ += forgotten;
  for (uint32_t index = forgotten; index < count; ++index) {
    remember(keys[(position_ + index) % keys.size()]);
  }
  position_ = static_cast<uint32_t>((position_ + count) % keys.size());
}

void Cursor::remember(uint32_t key) {
  history_[seen_ % cursor_history] = key;
  ++seen_;
}

void Cursor::restart() {
  placed_ = false;
  fresh_ = true;
  position_ = 0;
  misses_ = 0;
  seen_ = 0;
}

}  // namespace eclip

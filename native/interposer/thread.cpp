#include "thread.h"

namespace eclip {

namespace {

constexpr size_t most_tracks = 256;

}  // namespace

void Pending::add(eclip_counters &counters, eclip_model_counters *of, bool moved, eclip_reason reason) {
  if (count != 0 && (model != of || redirected != moved || why != reason)) {
    flush(counters);
  }
  model = of;
  redirected = moved;
  why = reason;
  if (++count == most || !model) {
    flush(counters);
  }
}

void Pending::again(eclip_counters &counters, uint32_t times) {
  count += times;
  if (count >= most) {
    flush(counters);
  }
}

void Pending::flush(eclip_counters &counters) {
  if (count == 0) {
    return;
  }
  bump(counters.launches, count);
  bump(redirected ? counters.redirected : counters.passed[why], count);
  if (model) {
    bump(model->launches, count);
    const uint64_t now = now_ns_coarse();
    if (__atomic_load_n(&model->first_ns, __ATOMIC_RELAXED) == 0) {
      put(model->first_ns, now);
    }
    put(model->last_ns, now);
  }
  count = 0;
}

Track &Thread::track(uint64_t stream_id) {
  if (last_track < tracks.size() && tracks[last_track]->stream_id == stream_id) {
    return *tracks[last_track];
  }
  for (last_track = 0; last_track < tracks.size(); ++last_track) {
    if (tracks[last_track]->stream_id == stream_id) {
      return *tracks[last_track];
    }
  }
  if (tracks.size() == most_tracks) {
    tracks.front()->pending.flush(*tracks.front()->counters);
    tracks.erase(tracks.begin());
  }
  tracks.push_back(std::make_unique<Track>());
  last_track = tracks.size() - 1;
  tracks.back()->stream_id = stream_id;
  return *tracks.back();
}

Thread::~Thread() {
  run.leave();
  seat->give_back();
  for (const auto &track : tracks) {
    if (track->counters) {
      track->pending.flush(*track->counters);
    }
  }
}

}  // namespace eclip

#include "run.h"

#include <x86intrin.h>

#include "thread.h"

namespace eclip {

void Run::open(const Foreseen *at) {
  begin = next = at;
  opened = __rdtsc();
  turned = 0;
  end = pause();
}

// Before the last kernel of a request, so that it can be counted at once if it has to.
const Foreseen *Run::pause() const {
  const Foreseen *last = turns ? limit - 1 : limit;
  if (next >= last) {
    return limit;
  }
  return last - next < static_cast<std::ptrdiff_t>(step) ? last : next + step;
}

bool Run::go_on() {
  const uint64_t now = __rdtsc();
  if (now - opened > most_ticks) {
    return false;
  }
  if (next == limit) {
    if (!turns || turned == most_turns || __atomic_load_n(active_now, __ATOMIC_RELAXED) != active) {
      return false;
    }
    starts[turned++] = now;
    next = first;
  }
  end = pause();
  return true;
}

void Run::leave() {
  if (turned != 0 && next == first) {  // the request never began
    --turned;
    next = limit;
  }
  const std::ptrdiff_t launches = turned * (limit - first) + (next - begin);
  if (launches != 0) {
    count(static_cast<uint32_t>(launches), ended());
  }
  first = begin = next = end = limit = nullptr;
  turned = 0;
  turns = false;
}

void Run::count(uint32_t launches, uint32_t requests) {
  eclip_counters &counters = *track->counters;
  const Lane &lane = track->plan->lanes[track->cursor.lane()];
  track->cursor.skip(*track->plan, launches);
  track->pending.again(counters, launches);
  if (requests == 0) {
    return;
  }
  track->pending.flush(counters);
  if (!lane.first) {
    return;
  }
  eclip_model_counters &model = counters.models[lane.model];
  bump(model.requests, requests);
  if (turned != 0) {
    track->clock.began(model, starts, turned);
  }
}

}  // namespace eclip

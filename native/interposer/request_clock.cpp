#include "request_clock.h"

#include <x86intrin.h>

namespace eclip {

void RequestClock::begin(eclip_model_counters &model) {
  const uint64_t now = now_ns();
  if (began_ns_ != 0) {
    count_request(model, now - began_ns_, false);
  }
  began_ns_ = now;
  began_ticks_ = __rdtsc();
}

void RequestClock::began(eclip_model_counters &model, const uint64_t *ticks, uint32_t count) {
  const uint64_t span_ns = now_ns() - began_ns_;
  const uint64_t span = __rdtsc() - began_ticks_;
  const double ns_per_tick = static_cast<double>(span_ns) / static_cast<double>(span > 0 ? span : 1);
  RequestTimes times(model);
  uint64_t before = 0;
  for (uint32_t index = 0; index < count; ++index) {
    // A counter that was set back, or jumped, moves starts within the series and not out of it.
    const uint64_t since = ticks[index] - began_ticks_;
    const uint64_t ns = since < span ? static_cast<uint64_t>(static_cast<double>(since) * ns_per_tick) : span_ns;
    times.add(ns > before ? ns - before : 0);
    before = ns > before ? ns : before;
  }
  began_ns_ += before;
  began_ticks_ = ticks[count - 1];
}

}  // namespace eclip

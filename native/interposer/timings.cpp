#include "timings.h"

namespace eclip {

namespace {

constexpr size_t most_under_way = 1u << 14;  // kernels; a hardware queue holds no more packets either

}  // namespace

std::optional<EventPair> Timings::events(const Runtime &runtime) {
  EventPair pair;
  if (!free_.empty()) {
    pair = free_.back();
    free_.pop_back();
    return pair;
  }
  if (under_way_.size() >= most_under_way || runtime.hipEventCreateWithFlags(&pair.start, 0) != hip::success) {
    return std::nullopt;
  }
  if (runtime.hipEventCreateWithFlags(&pair.stop, 0) != hip::success) {
    runtime.hipEventDestroy(pair.start);
    return std::nullopt;
  }
  return pair;
}

std::optional<Timing> Timings::take(const Runtime &runtime, double &micros) {
  if (under_way_.empty()) {
    return std::nullopt;
  }
  const Timing oldest = under_way_.front();
  const hip::Error state = runtime.hipEventQuery(oldest.events.stop);
  if (state == hip::error_not_ready) {
    return std::nullopt;
  }
  float millis = 0;
  const bool read = state == hip::success &&
                    runtime.hipEventElapsedTime(&millis, oldest.events.start, oldest.events.stop) == hip::success;
  micros = read ? 1000.0 * static_cast<double>(millis) : -1;
  under_way_.pop_front();
  give_back(oldest.events);
  return oldest;
}

void Timings::forget() {
  for (Timing &timing : under_way_) {
    timing.wanted = false;
  }
}

}  // namespace eclip

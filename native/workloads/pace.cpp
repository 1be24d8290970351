#include "pace.h"

namespace workloads {

Pace::Pace(const Options &options, unsigned thread, unsigned share, Clock::time_point start)
    : gap_micros_(options.rate > 0 ? 1e6 * share / options.rate : 0),
      period_micros_(options.period_ms * 1e3),
      due_(start),
      random_(thread + 1) {}

Clock::duration Pace::micros(double value) const {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double, std::micro>(value));
}

Clock::time_point Pace::next() {
  if (gap_micros_ > 0) return due_ += micros(gap_micros_ * gap_(random_));
  if (period_micros_ > 0) return due_;
  return Clock::now();
}

uint64_t Pace::finished(Clock::time_point due, Clock::time_point now) {
  if (period_micros_ <= 0) return 0;
  const std::chrono::duration<double, std::micro> took = now - due;
  const auto missed = uint64_t(took.count() / period_micros_);
  due_ = due + micros(period_micros_ * double(missed + 1));
  return missed;
}

}  // namespace workloads

/* GPU time. One GPU microsecond takes `scale` microseconds of the wall clock, counted from an epoch that all processes
 * of one chip share. */
#pragma once

#include <cstdint>
#include <ctime>

namespace emulator {

inline int64_t wall_ns() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

class GpuClock {
 public:
  GpuClock(int64_t epoch_ns, double scale) : epoch_ns_(epoch_ns), scale_(scale) {}

  double micros() const { return static_cast<double>(wall_ns() - epoch_ns_) / (1000.0 * scale_); }
  int64_t wall_of(double micros) const { return epoch_ns_ + static_cast<int64_t>(micros * 1000.0 * scale_); }
  /* What the GPU's clock counter shows at that moment, in nanoseconds. */
  uint64_t counter(double micros) const {
    return static_cast<uint64_t>(epoch_ns_ + static_cast<int64_t>(micros * 1000.0));
  }
  double scale() const { return scale_; }

 private:
  int64_t epoch_ns_;
  double scale_;
};

}  // namespace emulator

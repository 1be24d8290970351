// When a serving thread sends its next request, and what counts as late.
#pragma once

#include <chrono>
#include <random>

#include "options.h"

namespace workloads {

using Clock = std::chrono::steady_clock;

class Pace {
 public:
  // `share`: how many threads serve the program's rate together.
  Pace(const Options &options, unsigned thread, unsigned share, Clock::time_point start);
  // When the next request is due; in a closed loop, now.
  Clock::time_point next();
  // Reports a request that was due then and is done now; returns the periods that passed before it was done.
  uint64_t finished(Clock::time_point due, Clock::time_point now);

 private:
  Clock::duration micros(double value) const;

  double gap_micros_ = 0;     // mean time between arrivals at random; 0: none
  double period_micros_ = 0;  // 0: none
  Clock::time_point due_;
  std::mt19937_64 random_;
  std::exponential_distribution<double> gap_{1.0};
};

}  // namespace workloads

// How long the requests of one thread on one stream take: from start to start. By two clocks, the system's and the CPU's
// own counter, which takes a third of the time to read: a series of starts is kept in ticks, and turned into nanoseconds
// by what both clocks say at its two ends. So no rate of the counter is ever assumed.
#pragma once

#include <cstdint>

#include "stats.h"

namespace eclip {

class RequestClock {
 public:
  void stop() { began_ns_ = 0; }
  bool runs() const { return began_ns_ != 0; }
  // A request begins now.
  void begin(eclip_model_counters &model);
  // Since `begin` these began, too, in this order. Only where it runs.
  void began(eclip_model_counters &model, const uint64_t *ticks, uint32_t count);

 private:
  uint64_t began_ns_ = 0;  // 0: no request is known to have begun
  uint64_t began_ticks_ = 0;
};

}  // namespace eclip

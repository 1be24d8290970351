// Kernels between two events of ours, in launch order, until their times can be read. The host may run ahead of the
// device by as much as it likes: each launch has events of its own, which are used again once they have been read.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "runtime.h"

namespace eclip {

struct EventPair {
  hip::Event start = nullptr, stop = nullptr;
};

// A kernel of the request, run at one of the sizes.
struct Timing {
  EventPair events;
  uint32_t position;
  uint32_t size;
  bool counts;         // not a warm-up
  bool wanted = true;  // the request is still the one that is measured
};

class Timings {
 public:
  // Events for the next kernel. None where the runtime gives none, or where too many kernels are under way.
  std::optional<EventPair> events(const Runtime &runtime);
  void give_back(const EventPair &events) { free_.push_back(events); }
  void launched(const Timing &timing) { under_way_.push_back(timing); }

  // The oldest kernel whose time has not been taken, if it has ended. `micros` is below 0 if its time cannot be read.
  std::optional<Timing> take(const Runtime &runtime, double &micros);
  bool none_under_way() const { return under_way_.empty(); }
  void forget();  // what is under way is not wanted any more

 private:
  std::vector<EventPair> free_;
  std::deque<Timing> under_way_;
};

}  // namespace eclip

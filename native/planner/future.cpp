#include "planner/future.h"

#include <algorithm>
#include <limits>

#include "planner/classes.h"

namespace eclip {

Future::Future(const eclip_paths &paths, double price)
    : paths_(paths),
      price_(price),
      levels_(paths.levels == 0 ? 1 : paths.levels),
      cost_(static_cast<std::size_t>(paths.kernels) * paths.sizes * levels_) {}

void Future::run(int first) {
  const uint32_t last = paths_.kernels - 1;
  for (uint32_t size = 0; size < paths_.sizes; ++size)
    for (std::size_t level = 0; level < levels_; ++level)
      cost_[at(last, size, level)] = wraps(paths_, first, size) ? paths_.hop_micros : 0.0;
  for (uint32_t kernel = last; kernel-- > 0;) {
    for (std::size_t level = 0; level < levels_; ++level) {
      const std::size_t next_level = paths_.levels == 0 ? 0 : level + 1;
      const double move = next_level < levels_ ? paths_.hop_micros + cheapest(kernel + 1, next_level)
                                               : std::numeric_limits<double>::infinity();
      const double *micros = paths_.micros + static_cast<std::size_t>(kernel + 1) * paths_.sizes;
      for (uint32_t size = 0; size < paths_.sizes; ++size) {
        const double stay = micros[size] + price_ * paths_.steps[size] + cost_[at(kernel + 1, size, level)];
        cost_[at(kernel, size, level)] = std::min(stay, move);
      }
    }
  }
}

// Enters `kernel` at the best size.
double Future::cheapest(uint32_t kernel, std::size_t level) const {
  double best = std::numeric_limits<double>::infinity();
  const double *micros = paths_.micros + static_cast<std::size_t>(kernel) * paths_.sizes;
  for (uint32_t size = 0; size < paths_.sizes; ++size)
    best = std::min(best, micros[size] + price_ * paths_.steps[size] + cost_[at(kernel, size, level)]);
  return best;
}

}  // namespace eclip

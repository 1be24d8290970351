// The cheapest point for every price: the inner loop of every lower bound.

#include <algorithm>
#include <cstddef>
#include <limits>

#include "eclip/planner.h"

void eclip_points_least(const double *cost, const double *share, const uint32_t *group, uint32_t points,
                        const double *prices, uint32_t count, uint32_t groups, double *least) {
  std::fill(least, least + static_cast<std::size_t>(groups) * count, std::numeric_limits<double>::infinity());
  for (uint32_t point = 0; point < points; ++point) {
    double *row = least + static_cast<std::size_t>(group == nullptr ? 0 : group[point]) * count;
    const double base = cost[point];
    const double slope = share[point];
    for (uint32_t i = 0; i < count; ++i) {
      const double value = base + slope * prices[i];
      row[i] = value < row[i] ? value : row[i];
    }
  }
}

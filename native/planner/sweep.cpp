// Least time + price * area for many prices at once: a shortest path over (kernel, size, switches), the prices being
// the innermost, contiguous dimension so that the compiler vectorises over them.

#include <cstddef>
#include <limits>
#include <vector>

#include "eclip/planner.h"
#include "planner/classes.h"

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
// Area and hops of a path in one double, exact below 2^53: the loop then carries one number instead of two.
constexpr double kHop = 4294967296.0;

class Sweep {
 public:
  Sweep(const eclip_paths &paths, const double *prices, std::size_t count)
      : paths_(paths),
        prices_(prices),
        count_(count),
        levels_(paths.levels == 0 ? 1 : paths.levels),
        cost_(paths.sizes * levels_ * count),
        load_(cost_.size()),
        best_(count),
        best_load_(count) {}

  // `first` < 0: any first size (nothing depends on it unless the wrap counts).
  void run(int first) {
    start(first);
    for (uint32_t kernel = 1; kernel < paths_.kernels; ++kernel)
      for (std::size_t level = levels_; level-- > 0;) step(kernel, level);
  }

  const double *cost(std::size_t size, std::size_t level) const { return &cost_[at(size, level)]; }
  const double *load(std::size_t size, std::size_t level) const { return &load_[at(size, level)]; }

 private:
  std::size_t at(std::size_t size, std::size_t level) const { return (size * levels_ + level) * count_; }

  void start(int first) {
    cost_.assign(cost_.size(), kNever);
    for (uint32_t size = 0; size < paths_.sizes; ++size) {
      if (first >= 0 && size != static_cast<uint32_t>(first)) continue;
      for (std::size_t i = 0; i < count_; ++i) {
        cost_[at(size, 0) + i] = paths_.micros[size] + prices_[i] * paths_.steps[size];
        load_[at(size, 0) + i] = paths_.steps[size];
      }
    }
  }

  // Levels go downwards, so that the level below still holds the kernel before.
  void step(uint32_t kernel, std::size_t level) {
    const bool budget = paths_.levels != 0;
    const bool move = !budget || level > 0;
    if (move) pick(budget ? level - 1 : level, budget ? 0.0 : paths_.hop_micros, budget ? 0.0 : kHop);
    const double *micros = paths_.micros + static_cast<std::size_t>(kernel) * paths_.sizes;
    for (uint32_t size = 0; size < paths_.sizes; ++size) {
      double *cost = &cost_[at(size, level)];
      double *load = &load_[at(size, level)];
      const double steps = paths_.steps[size];
      if (move) merge(cost, load);
      for (std::size_t i = 0; i < count_; ++i) cost[i] += micros[size] + prices_[i] * steps;
      for (std::size_t i = 0; i < count_; ++i) load[i] += steps;
    }
  }

  // The cheapest size to come from. Coming from the same size only wastes a switch, so it needs no exception.
  void pick(std::size_t level, double toll, double hop) {
    best_.assign(count_, kNever);
    for (uint32_t size = 0; size < paths_.sizes; ++size) {
      const double *cost = &cost_[at(size, level)];
      const double *load = &load_[at(size, level)];
      for (std::size_t i = 0; i < count_; ++i) {
        const bool less = cost[i] < best_[i];
        best_[i] = less ? cost[i] : best_[i];
        best_load_[i] = less ? load[i] : best_load_[i];
      }
    }
    for (std::size_t i = 0; i < count_; ++i) best_[i] += toll;
    for (std::size_t i = 0; i < count_; ++i) best_load_[i] += hop;
  }

  void merge(double *cost, double *load) const {
    for (std::size_t i = 0; i < count_; ++i) {
      const bool less = best_[i] < cost[i];
      cost[i] = less ? best_[i] : cost[i];
      load[i] = less ? best_load_[i] : load[i];
    }
  }

  const eclip_paths &paths_;
  const double *prices_;
  std::size_t count_, levels_;
  std::vector<double> cost_, load_;  // [sizes][levels][prices]
  std::vector<double> best_, best_load_;
};

struct Result {
  const double *prices;
  std::size_t count;
  double *cost, *area, *hops;

  void take(std::size_t hop_class, const double *path_cost, const double *load, double toll, double hop) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = hop_class * count + i;
      if (!(path_cost[i] + toll < cost[at])) continue;
      cost[at] = path_cost[i] + toll;
      const double all = load[i] + hop;
      const double turns = static_cast<double>(static_cast<int64_t>(all / kHop));
      hops[at] = turns;
      area[at] = all - turns * kHop;
    }
  }
};

void collect(const eclip_paths &paths, const Sweep &sweep, int first, Result &result) {
  for (uint32_t size = 0; size < paths.sizes; ++size) {
    const bool wrap = eclip::wraps(paths, first, size);
    if (paths.levels == 0) {
      result.take(0, sweep.cost(size, 0), sweep.load(size, 0), wrap ? paths.hop_micros : 0.0, wrap ? kHop : 0.0);
      continue;
    }
    for (uint32_t level = 0; level < paths.levels; ++level)
      result.take(level + wrap, sweep.cost(size, level), sweep.load(size, level), 0.0, 0.0);
  }
}

}  // namespace

void eclip_paths_sweep(const eclip_paths *paths, const double *prices, uint32_t count, double *time, double *area,
                       double *hops) {
  const std::size_t cells = static_cast<std::size_t>(eclip_paths_classes(paths)) * count;
  for (std::size_t i = 0; i < cells; ++i) time[i] = kNever;
  Result result{prices, count, time, area, hops};
  Sweep sweep(*paths, prices, count);
  for (int first : eclip::firsts(*paths)) {
    sweep.run(first);
    collect(*paths, sweep, first, result);
  }
  for (std::size_t i = 0; i < cells; ++i) {
    const bool budget = paths->levels != 0;
    if (time[i] < kNever) time[i] -= prices[i % count] * area[i] + (budget ? 0.0 : paths->hop_micros * hops[i]);
  }
}

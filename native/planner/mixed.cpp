// What combinations of the workers' points are worth, and the best of them: `evaluate` over many choices at once.

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

#include "eclip/planner.h"

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

struct Worth {
  double excess = kNever;
  double objective = kNever;

  bool operator<(const Worth &other) const {
    return excess != other.excess ? excess < other.excess : objective < other.objective;
  }
};

// A combination without its last point: what the objective needs to know of it.
struct Fixed {
  double share = 0.0;
  uint64_t further = 0, masked = 0;
  double time = 0.0, toll = 0.0;     // weighted, summed over the workers
  std::vector<double> times, tolls;  // of each worker but the last
};

class Mixed {
 public:
  Mixed(const eclip_mix &mix, uint32_t last) : mix_(mix), last_(mix.workers[last]), last_at_(last) {
    for (uint32_t at = 0; at < mix.count; ++at) {
      launches_ += mix.workers[at].factor * mix.workers[at].kernels;
      bound_ = bound_ || mix.workers[at].latency < kNever;
    }
    simple_ = mix.objective == ECLIP_FAIRNESS && !bound_ && mix.max_streams == ECLIP_ANY_STREAMS;
    fixed_.times.resize(mix.count);
    fixed_.tolls.resize(mix.count);
  }

  void fix(const int64_t *const *chosen, uint64_t row) {
    fixed_.share = fixed_.time = fixed_.toll = 0.0;
    fixed_.further = fixed_.masked = 0;
    for (uint32_t at = 0; at < mix_.count; ++at) {
      if (at == last_at_) continue;
      const eclip_points &points = mix_.workers[at];
      const auto point = static_cast<std::size_t>(chosen[at][row]);
      fixed_.share += points.share[point];
      fixed_.further += static_cast<uint64_t>(points.further[point]);
      fixed_.masked += static_cast<uint64_t>(points.masked[point]);
      fixed_.times[at] = points.time[point];
      fixed_.tolls[at] = points.toll[point];
      fixed_.time += points.factor * points.time[point];
      fixed_.toll += points.factor * points.toll[point];
    }
  }

  Worth worth(std::size_t point) const {
    const double share = fixed_.share + last_.share[point];
    const double rate = mix_.printed ? 1.0 + share : std::max(1.0, share);
    const double streams =
        mix_.stream_micros * static_cast<double>(fixed_.further + static_cast<uint64_t>(last_.further[point]));
    if (simple_)
      return {0.0, rate * (fixed_.time + last_.factor * last_.time[point]) + fixed_.toll +
                       last_.factor * last_.toll[point] + launches_ * streams};
    return whole(point, share, rate, streams);
  }

 private:
  Worth whole(std::size_t point, double share, double rate, double streams) const {
    double total = 0.0, excess = 0.0;
    for (uint32_t at = 0; at < mix_.count; ++at) {
      const eclip_points &points = mix_.workers[at];
      const double time = at == last_at_ ? last_.time[point] : fixed_.times[at];
      const double toll = at == last_at_ ? last_.toll[point] : fixed_.tolls[at];
      const double request = rate * time + toll + points.kernels * streams;
      const double late = request / points.latency - 1.0;
      if (late > mix_.tolerance) excess += late;
      total += mix_.objective == ECLIP_FAIRNESS ? points.factor * request : points.worth / request;
    }
    const uint64_t masked = fixed_.masked + static_cast<uint64_t>(last_.masked[point]);
    if (masked > mix_.max_streams) excess += static_cast<double>(masked - mix_.max_streams);
    return {excess, mix_.objective == ECLIP_FAIRNESS ? total : numerator(share) / total};
  }

  double numerator(double share) const {
    return mix_.objective == ECLIP_ENERGY ? mix_.idle_watts + mix_.busy_watts * std::min(1.0, share) : mix_.weight;
  }

  const eclip_mix &mix_;
  const eclip_points &last_;
  uint32_t last_at_;
  bool bound_ = false, simple_ = false;
  double launches_ = 0.0;
  Fixed fixed_;
};

}  // namespace

void eclip_mix_least(const eclip_mix *mix, const int64_t *const *chosen, const double *costs, uint64_t rows,
                     const eclip_last *last, eclip_best *best) {
  Mixed mixed(*mix, last->worker);
  Worth least;
  *best = {kNever, kNever, 0, 0};
  for (uint64_t row = 0; row < rows; ++row) {
    const double left = last->limit - costs[row];
    const uint64_t within =
        static_cast<uint64_t>(std::upper_bound(last->costs, last->costs + last->count, left) - last->costs);
    if (within == 0) continue;
    mixed.fix(chosen, row);
    for (uint64_t at = 0; at < within; ++at) {
      const Worth found = mixed.worth(static_cast<std::size_t>(last->points[at]));
      if (!(found < least)) continue;
      least = found;
      *best = {found.objective, found.excess, row, at};
    }
  }
}

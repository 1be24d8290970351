/* Paths through the kernels of one request, one size per kernel: the inner loops of core/eclip/optimize. C ABI for
 * ctypes, no globals; nothing is kept between calls.
 *
 * A path's time is the sum of its kernels' times, its area the sum of the steps of its sizes (CUs above the smallest
 * size, in units of their common divisor). Paths are told apart by hops: switches between neighbouring kernels plus,
 * where `circular` is set, the one from the last kernel to the first.
 */
#pragma once

#include <stdint.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

typedef struct eclip_paths {
  const double *micros;  /* [kernels][sizes] */
  const uint32_t *steps; /* [sizes] */
  uint32_t kernels;
  uint32_t sizes;
  /* Switches allowed, plus one: results are told apart by hops, class i holds paths of at most i hops. 0: no budget,
   * one class, and every hop adds hop_micros to the path's time. */
  uint32_t levels;
  uint32_t circular;
  double hop_micros;
} eclip_paths;

/* Number of classes: 1 without a budget, else levels, and one more where the wrap counts. */
uint32_t eclip_paths_classes(const eclip_paths *paths);

/* For every class and price: the path with the least time + price * area. time, area, hops: [classes][prices];
 * time is infinite where a class has no path. hops is filled only without a budget. */
void eclip_paths_sweep(const eclip_paths *paths, const double *prices, uint32_t count, double *time, double *area,
                       double *hops);

/* Which paths a search keeps: those with time + hop_micros * hops + price * area <= limit. An infinite limit keeps all.
 * Gives up after max_labels partial paths. */
typedef struct eclip_window {
  double price;
  double limit;
  uint64_t max_labels;
} eclip_window;

/* The least time for every class and area, [classes][range], infinite where no path was kept; range must exceed
 * kernels * the largest step. hops [range] is filled only without a budget. Returns the partial paths looked at, or -1
 * if max_labels did not suffice (the results are unfinished then). */
int64_t eclip_paths_front(const eclip_paths *paths, const eclip_window *window, uint32_t range, double *least,
                          double *hops);

/* The path of least time in that class with exactly that area: choice[kernels], indices of sizes. Returns 0, or -1 if
 * the window holds no such path. */
int eclip_paths_trace(const eclip_paths *paths, const eclip_window *window, uint32_t range, uint32_t hops,
                      uint32_t area, uint8_t *choice);

/* least[groups][prices]: the least cost + price * share over the points of each group; infinite for an empty one. Without
 * `group` all belong to the first. */
void eclip_points_least(const double *cost, const double *share, const uint32_t *group, uint32_t points,
                        const double *prices, uint32_t count, uint32_t groups, double *least);

/* One worker's points, arrays of equal length, and what its requests count. */
typedef struct eclip_points {
  const double *time;
  const double *share; /* average size over the GPU's CUs */
  const double *toll;  /* microseconds of hops */
  const int64_t *further;
  const int64_t *masked;
  double factor;  /* weight / base: of a microsecond in the fairness objective */
  double worth;   /* weight * base: what throughput and energy divide by a request's time */
  double kernels; /* launches per request */
  double latency; /* microseconds; infinite: no objective */
} eclip_points;

enum { ECLIP_FAIRNESS = 0, ECLIP_THROUGHPUT = 1, ECLIP_ENERGY = 2 };
#define ECLIP_ANY_STREAMS UINT64_MAX

typedef struct eclip_mix {
  const eclip_points *workers;
  uint32_t count;
  uint32_t objective;
  uint32_t printed; /* slowdown 1 + share, else max(1, share) */
  double stream_micros;
  uint64_t max_streams;
  double weight;     /* throughput divides it by the sum of rates */
  double idle_watts; /* energy divides idle_watts + busy_watts * min(1, share) */
  double busy_watts;
  double tolerance; /* of latency objectives, relative */
} eclip_mix;

/* The points of one worker that may end a combination, by ascending cost. */
typedef struct eclip_last {
  uint32_t worker;
  uint64_t count;
  const int64_t *points;
  const double *costs;
  double limit; /* of a combination's summed costs */
} eclip_last;

typedef struct eclip_best {
  double objective;
  double excess; /* by how much constraints are missed, summed as fractions of their limits */
  uint64_t row;
  uint64_t last; /* index into the points of eclip_last */
} eclip_best;

/* The least excess, then objective, of all combinations of a row (chosen[worker][row] for all but the last worker,
 * costing costs[row]) with a last point within the limit. Infinite if there is none. */
void eclip_mix_least(const eclip_mix *mix, const int64_t *const *chosen, const double *costs, uint64_t rows,
                     const eclip_last *last, eclip_best *best);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

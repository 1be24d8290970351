#include <cmath>

#include "cus.h"
#include "eclip/contention.h"
#include "fair.h"

namespace {

using eclip::contention::larger;
using eclip::contention::share;
using eclip::contention::shortest_micros;
using eclip::contention::smaller;
using eclip::contention::Spread;
using eclip::contention::spread_of;

void share_again(const eclip_chip &chip, eclip_fluid *fluid) {
  share(chip, fluid->running, fluid->count, nullptr);
  fluid->busy_cus = 0;
  fluid->bytes_per_micro = 0;
  for (uint32_t i = 0; i < fluid->count; ++i) {
    const eclip_running &kernel = fluid->running[i];
    fluid->busy_cus += kernel.speed * kernel.load.busy_cus;
    fluid->bytes_per_micro += kernel.speed * kernel.load.bytes_per_micro;
  }
}

void take_out(const eclip_chip &chip, eclip_fluid *fluid, uint32_t place) {
  fluid->running[place] = fluid->running[--fluid->count];
  fluid->running[fluid->count].id = 0;
  share_again(chip, fluid);
}

double finish_of(double now, const eclip_running &kernel) { return now + kernel.remaining / kernel.rate; }

/* Place of the kernel that finishes first; fluid->count if none runs. */
uint32_t first_to_finish(const eclip_fluid &fluid) {
  uint32_t first = fluid.count;
  double finish = INFINITY;
  for (uint32_t i = 0; i < fluid.count; ++i) {
    const double at = finish_of(fluid.now, fluid.running[i]);
    if (first < fluid.count && (at > finish || (at == finish && fluid.running[i].id > fluid.running[first].id)))
      continue;
    first = i;
    finish = at;
  }
  return first;
}

void let_pass(const eclip_chip &chip, eclip_fluid *fluid, double micros) {
  for (uint32_t i = 0; i < fluid->count; ++i) {
    eclip_running &kernel = fluid->running[i];
    kernel.remaining = larger(0, kernel.remaining - micros * kernel.rate);
  }
  const double watts =
      chip.idle_watts + chip.cu_watts * fluid->busy_cus + chip.byte_microjoules * fluid->bytes_per_micro;
  fluid->joules_micro += watts * micros;
  fluid->busy_cu_micros += fluid->busy_cus * micros;
  fluid->bytes += fluid->bytes_per_micro * micros;
}

/* A load as it can be: what is beyond the chip is cut off. */
eclip_running alone(const eclip_chip &chip, const eclip_load &load, uint64_t id) {
  eclip_running kernel{load, 0, 0, 1, 1, 0, id};
  eclip::contention::normalise(chip, &kernel.load.mask);
  const Spread spread = spread_of(chip, kernel.load.mask);
  kernel.engine_cus = smaller(larger(load.busy_cus / spread.engines, 1e-6), spread.smallest);
  kernel.load.busy_cus = kernel.engine_cus * spread.engines;
  kernel.load.bytes_per_micro = smaller(larger(load.bytes_per_micro, 0), chip.bytes_per_micro);
  kernel.memory = chip.bytes_per_micro > 0 ? kernel.load.bytes_per_micro / chip.bytes_per_micro : 0;
  if (!(load.solo_micros > 0)) kernel.load.solo_micros = shortest_micros;
  return kernel;
}

}  // namespace

void eclip_fluid_init(eclip_fluid *fluid, double now) {
  *fluid = eclip_fluid{};
  fluid->now = now;
  fluid->next_id = 1;
}

uint64_t eclip_fluid_start(const eclip_chip *chip, eclip_fluid *fluid, const eclip_load *load) {
  if (fluid->count == ECLIP_MAX_RUNNING) return 0;
  fluid->running[fluid->count] = alone(*chip, *load, fluid->next_id);
  ++fluid->count;
  share_again(*chip, fluid);
  return fluid->next_id++;
}

void eclip_fluid_remove(const eclip_chip *chip, eclip_fluid *fluid, uint64_t id) {
  for (uint32_t i = 0; i < fluid->count; ++i)
    if (fluid->running[i].id == id) return take_out(*chip, fluid, i);
}

double eclip_fluid_next_finish(const eclip_fluid *fluid) {
  const uint32_t first = first_to_finish(*fluid);
  return first == fluid->count ? INFINITY : finish_of(fluid->now, fluid->running[first]);
}

uint64_t eclip_fluid_advance(const eclip_chip *chip, eclip_fluid *fluid, double until) {
  const uint32_t first = first_to_finish(*fluid);
  const double finish = first == fluid->count ? INFINITY : finish_of(fluid->now, fluid->running[first]);
  const double to = smaller(until, finish);
  if (to > fluid->now) {
    let_pass(*chip, fluid, to - fluid->now);
    fluid->now = to;
  }
  if (finish > until) return 0;
  const uint64_t id = fluid->running[first].id;
  take_out(*chip, fluid, first);
  return id;
}

void eclip_fluid_busy(const eclip_chip *chip, const eclip_fluid *fluid, double *busy) {
  eclip_running running[ECLIP_MAX_RUNNING];
  for (uint32_t i = 0; i < fluid->count; ++i) running[i] = fluid->running[i];
  share(*chip, running, fluid->count, busy);
}

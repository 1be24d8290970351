#include <cmath>

#include "cus.h"
#include "eclip/contention.h"
#include "fair.h"

namespace {

using eclip::contention::Demand;
using eclip::contention::demand_of;
using eclip::contention::smaller;
using eclip::contention::larger;
using eclip::contention::share;

void share_again(const eclip_chip &chip, eclip_fluid *fluid) {
  share(chip, fluid->running, fluid->count, nullptr);
  fluid->busy_cus = 0;
  fluid->bytes_per_micro = 0;
  for (uint32_t i = 0; i < fluid->count; ++i) {
    const eclip_running &kernel = fluid->running[i];
    fluid->busy_cus += kernel.rate * kernel.load.busy_cus;
    fluid->bytes_per_micro += kernel.rate * kernel.load.bytes_per_micro;
  }
}

void take_out(const eclip_chip &chip, eclip_fluid *fluid, uint32_t place) {
  fluid->running[place] = fluid->running[--fluid->count];
  share_again(chip, fluid);
}

double finish_of(double now, const eclip_running &kernel) {
  return now + kernel.remaining * kernel.load.solo_micros / kernel.rate;
}

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
    kernel.remaining = larger(0, kernel.remaining - micros * kernel.rate / kernel.load.solo_micros);
  }
  const double watts =
      chip.idle_watts + chip.cu_watts * fluid->busy_cus + chip.byte_microjoules * fluid->bytes_per_micro;
  fluid->joules_micro += watts * micros;
  fluid->busy_cu_micros += fluid->busy_cus * micros;
  fluid->bytes += fluid->bytes_per_micro * micros;
}

} // namespace

void eclip_fluid_init(eclip_fluid *fluid, double now) {
  *fluid = eclip_fluid{};
  fluid->now = now;
  fluid->next_id = 1;
}

uint64_t eclip_fluid_start(const eclip_chip *chip, eclip_fluid *fluid, const eclip_load *load) {
  if (fluid->count == ECLIP_MAX_RUNNING) return 0;
  eclip_running &kernel = fluid->running[fluid->count];
  kernel = {*load, 1, 1, fluid->next_id};
  eclip::contention::normalise(*chip, &kernel.load.mask);
  const Demand demand = demand_of(*chip, kernel.load);
  kernel.load.busy_cus = demand.engine_cus * demand.engines;
  kernel.load.bytes_per_micro = demand.memory * chip->bytes_per_micro;
  if (!(kernel.load.solo_micros > 0)) kernel.load.solo_micros = 1e-3;
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

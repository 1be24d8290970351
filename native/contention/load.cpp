#include <cmath>

#include "cus.h"
#include "eclip/contention.h"

using namespace eclip::contention;

void eclip_load_of(const eclip_chip *chip, const eclip_shape *shape, const eclip_cu_set *mask, eclip_load *load) {
  load->mask = *mask;
  normalise(*chip, &load->mask);
  const Spread spread = spread_of(*chip, load->mask);
  const double workgroups = larger(shape->workgroups, 1);
  const double resident = larger(shape->workgroups_per_cu, 1);
  const double engine_workgroups = std::ceil(workgroups / spread.engines);
  const double waves = std::ceil(engine_workgroups / (resident * spread.smallest));
  double micros = waves * shape->wave_micros;
  if (chip->bytes_per_micro > 0) micros = larger(micros, shape->bytes / chip->bytes_per_micro);

  // A CU is busy for a workgroup's part of a wave, or for as long as it needs
  // to move the workgroup's bytes.
  double cu_micros = workgroups / resident * shape->wave_micros;
  if (chip->cu_bytes_per_micro > 0) {
    const double move_micros = shape->bytes / chip->cu_bytes_per_micro;
    micros = larger(micros, move_micros / (static_cast<double>(spread.engines) * spread.smallest));
    cu_micros = larger(cu_micros, move_micros);
  }
  load->solo_micros = larger(micros, shortest_micros);
  load->busy_cus = smaller(cu_micros / load->solo_micros, static_cast<double>(spread.engines) * spread.smallest);
  load->bytes_per_micro = shape->bytes / load->solo_micros;
}

double eclip_dispatch_micros(const eclip_chip *chip, uint32_t queues, uint32_t processes) {
  const double further = queues > processes ? queues - processes : 0;
  return chip->launch_micros + chip->stream_micros * further;
}

void eclip_contention_layout(uint32_t sizes[4]) {
  sizes[0] = sizeof(eclip_chip);
  sizes[1] = sizeof(eclip_load);
  sizes[2] = sizeof(eclip_fluid);
  sizes[3] = sizeof(eclip_outcome);
}

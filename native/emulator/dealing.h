/* Which CU of the chip a bit of a queue's mask means: the rule of the kernel driver (mqd_symmetrically_map_cu_mask),
 * written from the driver's side. core/eclip/gpu/masks.py holds the planner's own; a test compares the two. */
#pragma once

#include <vector>

#include "config.h"
#include "eclip/contention.h"

namespace emulator {

struct Seat {
  uint32_t xcc, engine, array, cu;
};

/* By driver bit. A CU that is not active consumes no bit. */
std::vector<Seat> deal(const Active &active, bool pairs);

/* Engines are counted over all XCCs. */
void fill_chip(const GpuConfig &gpu, eclip_chip &chip);

/* Words as they reach the driver, clipped to the CUs of the chip. */
eclip_cu_set clip_mask(const uint32_t *words, uint32_t count, uint32_t compute_units);
eclip_cu_set full_mask(uint32_t compute_units);
uint32_t count_cus(const eclip_cu_set &mask);

}  // namespace emulator

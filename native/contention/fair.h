/* How the kernels on a chip share it at one moment. The rules are in README.md
 * beside this file. */
#pragma once

#include <cstdint>

#include "eclip/contention.h"

namespace eclip::contention {

/* A kernel as sharing sees it: its demands while it makes full progress, and
 * what it gets. */
struct Demand {
  uint32_t engines;  /* shader engines that have a CU of its mask */
  double engine_cus; /* CUs that it keeps busy on each of them */
  double memory;     /* part of the chip's bandwidth, in [0, 1] */
};

Demand demand_of(const eclip_chip &chip, const eclip_load &load);

/* Sets the rate of every running kernel. `busy`, if given, receives the busy
 * part of every CU. */
void share(const eclip_chip &chip, eclip_running *running, uint32_t count, double *busy);

} // namespace eclip::contention

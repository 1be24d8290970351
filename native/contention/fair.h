/* How the kernels on a chip share it at one moment. The rules are in README.md
 * beside this file. */
#pragma once

#include <cstdint>

#include "eclip/contention.h"

namespace eclip::contention {

/* Sets speed and rate of every running kernel. `busy`, if given, receives the busy
 * part of every CU. */
void share(const eclip_chip &chip, eclip_running *running, uint32_t count, double *busy);

}  // namespace eclip::contention

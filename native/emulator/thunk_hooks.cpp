/* For tests and the debugger; named like the driver's functions, so that the version script lets them through. */
#include <algorithm>
#include <cstdio>
#include <exception>

#include "dealing.h"
#include "emulator.h"

extern "C" {

void hsaKmtEclipDescribe(void);
int hsaKmtEclipDeal(const char *config, uint32_t *seats, uint32_t capacity);

/* What every queue waits for, on stderr. */
void hsaKmtEclipDescribe(void) {
  emulator::Scheduler::Visit visit(emulator::instance()->scheduler);
  for (const auto &device : emulator::instance()->devices) device->describe(stderr);
}

/* The dealing of mask bits on the first GPU of a configuration (JSON): per bit its XCC, engine, array and CU. Returns
 * the number of bits, -1 if the configuration is no good. */
int hsaKmtEclipDeal(const char *config, uint32_t *seats, uint32_t capacity) {
  try {
    const emulator::GpuConfig gpu = emulator::parse_config(config, "the test").gpus.front();
    const std::vector<emulator::Seat> dealt = emulator::deal(gpu.active, gpu.gfx_major >= 10);
    for (size_t bit = 0; bit < dealt.size() && bit < capacity; bit++) {
      const emulator::Seat &seat = dealt[bit];
      const uint32_t values[] = {seat.xcc, seat.engine, seat.array, seat.cu};
      std::copy_n(values, 4, seats + 4 * bit);
    }
    return static_cast<int>(dealt.size());
  } catch (const std::exception &) {
    return -1;
  }
}

}  // extern "C"

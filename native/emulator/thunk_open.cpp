/* Opening the driver, its version, its clocks, and the modes that it has none of. */
#include <hsakmt.h>

#include <cstring>

#include "emulator.h"

using emulator::instance;

extern "C" {

HSAKMT_STATUS hsaKmtOpenKFD(void) {
  return instance() != nullptr ? HSAKMT_STATUS_SUCCESS : HSAKMT_STATUS_KERNEL_IO_CHANNEL_NOT_OPENED;
}

HSAKMT_STATUS hsaKmtCloseKFD(void) { return HSAKMT_STATUS_SUCCESS; }

/* ROCr drops a gfx906 below 1.4. */
HSAKMT_STATUS hsaKmtGetVersion(HsaVersionInfo *info) {
  *info = {1, 6};
  return HSAKMT_STATUS_SUCCESS;
}

HSAKMT_STATUS hsaKmtRuntimeEnable(void *, bool) {
  return instance()->config.runtime_enable ? HSAKMT_STATUS_SUCCESS : HSAKMT_STATUS_NOT_SUPPORTED;
}

HSAKMT_STATUS hsaKmtRuntimeDisable(void) { return HSAKMT_STATUS_SUCCESS; }

/* All clocks run in GPU time, so that ROCr's translation between them is the identity. */
HSAKMT_STATUS hsaKmtGetClockCounters(HSAuint32 node, HsaClockCounters *counters) {
  emulator::Device *device = instance()->device_of(node > 0 ? node : 1);
  if (device == nullptr) return HSAKMT_STATUS_INVALID_NODE_UNIT;
  const emulator::Chip &chip = device->chip();
  const HSAuint64 now = chip.clock().counter(chip.micros());
  *counters = {now, now, now, 1'000'000'000};
  return HSAKMT_STATUS_SUCCESS;
}

HSAKMT_STATUS hsaKmtGetXNACKMode(HSAint32 *enable) {
  *enable = 0;
  return HSAKMT_STATUS_SUCCESS;
}

HSAKMT_STATUS hsaKmtSetXNACKMode(HSAint32) { return HSAKMT_STATUS_NOT_SUPPORTED; }

HSAKMT_STATUS hsaKmtSetTrapHandler(HSAuint32, void *, HSAuint64, void *, HSAuint64) { return HSAKMT_STATUS_SUCCESS; }

HSAKMT_STATUS hsaKmtSetMemoryPolicy(HSAuint32, HSAuint32, HSAuint32, void *, HSAuint64) {
  return HSAKMT_STATUS_SUCCESS;
}

}  // extern "C"

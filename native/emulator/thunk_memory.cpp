#include <hsakmt.h>

#include "emulator.h"

using emulator::instance;

namespace {

/* Scratch is a range of addresses; what is drawn from it is not worth counting. */
bool counts_as_vram(uint32_t node, HsaMemFlags flags) { return node > 0 && !flags.ui32.Scratch; }

bool take_vram(uint32_t node, uint64_t size) {
  emulator::Device *device = instance()->device_of(node);
  emulator::Chip::Turn turn(device->chip());
  return turn.take_vram(size, device->gpu().vram_bytes);
}

void give_vram(uint32_t node, uint64_t size) {
  emulator::Chip::Turn turn(instance()->device_of(node)->chip());
  turn.give_vram(size);
}

HSAKMT_STATUS success_if(bool done, HSAKMT_STATUS otherwise) { return done ? HSAKMT_STATUS_SUCCESS : otherwise; }

}  // namespace

extern "C" {

HSAKMT_STATUS hsaKmtAllocMemory(HSAuint32 node, HSAuint64 size, HsaMemFlags flags, void **address) {
  if (address == nullptr || size == 0) return HSAKMT_STATUS_INVALID_PARAMETER;
  if (node >= instance()->nodes()) return HSAKMT_STATUS_INVALID_NODE_UNIT;
  const HSAuint64 whole = (size + 4095) / 4096 * 4096;
  const bool vram = counts_as_vram(node, flags);
  if (vram && !take_vram(node, whole)) return HSAKMT_STATUS_NO_MEMORY;
  *address = instance()->memory.allocate(whole, node, flags);
  if (*address == nullptr && vram) give_vram(node, whole);
  return success_if(*address != nullptr, HSAKMT_STATUS_NO_MEMORY);
}

HSAKMT_STATUS hsaKmtFreeMemory(void *address, HSAuint64) {
  uint32_t node = 0;
  HsaMemFlags flags{};
  uint64_t size = 0;
  const uint64_t base = instance()->memory.block(reinterpret_cast<uint64_t>(address), size);
  if (base != 0) instance()->kernels.forget(base, size);
  size = instance()->memory.free(address, node, flags);
  if (size > 0 && counts_as_vram(node, flags)) give_vram(node, size);
  return success_if(size > 0, HSAKMT_STATUS_ERROR);
}

HSAKMT_STATUS hsaKmtRegisterMemoryWithFlags(void *address, HSAuint64 size, HsaMemFlags flags) {
  if (address == nullptr || size == 0) return HSAKMT_STATUS_INVALID_PARAMETER;
  return success_if(instance()->memory.attach(address, size, flags), HSAKMT_STATUS_NO_MEMORY);
}

HSAKMT_STATUS hsaKmtDeregisterMemory(void *address) {
  return success_if(instance()->memory.detach(address), HSAKMT_STATUS_MEMORY_NOT_REGISTERED);
}

HSAKMT_STATUS hsaKmtMapMemoryToGPUNodes(void *address, HSAuint64, HSAuint64 *alternate, HsaMemMapFlags, HSAuint64 count,
                                        HSAuint32 *nodes) {
  HSAuint64 gpu = 0;
  if (!instance()->memory.map(address, nodes, count, gpu)) return HSAKMT_STATUS_ERROR;
  if (alternate != nullptr) *alternate = gpu;
  return HSAKMT_STATUS_SUCCESS;
}

HSAKMT_STATUS hsaKmtMapMemoryToGPU(void *address, HSAuint64 size, HSAuint64 *alternate) {
  HSAuint32 node = 1;
  return hsaKmtMapMemoryToGPUNodes(address, size, alternate, HsaMemMapFlags{}, 1, &node);
}

HSAKMT_STATUS hsaKmtUnmapMemoryToGPU(void *address) {
  instance()->memory.unmap(address);
  return HSAKMT_STATUS_SUCCESS;
}

HSAKMT_STATUS hsaKmtQueryPointerInfo(const void *pointer, HsaPointerInfo *info) {
  if (info == nullptr) return HSAKMT_STATUS_INVALID_PARAMETER;
  return success_if(instance()->memory.query(pointer, *info), HSAKMT_STATUS_ERROR);
}

HSAKMT_STATUS hsaKmtSetMemoryUserData(const void *pointer, void *data) {
  return success_if(instance()->memory.set_user_data(pointer, data), HSAKMT_STATUS_ERROR);
}

/* Between processes nothing is shared but the chip. */
HSAKMT_STATUS hsaKmtShareMemory(void *, HSAuint64, HsaSharedMemoryHandle *) { return HSAKMT_STATUS_NOT_SUPPORTED; }

HSAKMT_STATUS hsaKmtRegisterSharedHandle(const HsaSharedMemoryHandle *, void **, HSAuint64 *) {
  return HSAKMT_STATUS_NOT_SUPPORTED;
}

HSAKMT_STATUS hsaKmtRegisterSharedHandleToNodes(const HsaSharedMemoryHandle *, void **, HSAuint64 *, HSAuint64,
                                                HSAuint32 *) {
  return HSAKMT_STATUS_NOT_SUPPORTED;
}

HSAKMT_STATUS hsaKmtRegisterGraphicsHandleToNodes(HSAuint64, HsaGraphicsResourceInfo *, HSAuint64, HSAuint32 *) {
  return HSAKMT_STATUS_NOT_SUPPORTED;
}

HSAKMT_STATUS hsaKmtSVMSetAttr(void *, HSAuint64, unsigned int, HSA_SVM_ATTRIBUTE *) {
  return HSAKMT_STATUS_NOT_SUPPORTED;
}

HSAKMT_STATUS hsaKmtSVMGetAttr(void *, HSAuint64, unsigned int, HSA_SVM_ATTRIBUTE *) {
  return HSAKMT_STATUS_NOT_SUPPORTED;
}

}  // extern "C"

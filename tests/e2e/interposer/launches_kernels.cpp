// The kernel of launches.hip.cpp: over as soon as it has begun, so that only launching takes time.
#include "eclip/emulator.h"

namespace {

void shape(const eclip_dispatch *, eclip_shape *shape) { *shape = {60, 1, 0.001, 0}; }

const eclip_kernel kernels[] = {{"nothing", shape, nullptr}};

}  // namespace

extern "C" __attribute__((visibility("default"))) const eclip_kernel *eclip_kernels(size_t *count) {
  *count = 1;
  return kernels;
}

// Where did each workgroup run? The kernel behind the placement check of `eclip doctor`.
// Read out by core/eclip/host/probe.py, which has the bit fields and their sources. Not yet run on silicon.
// Built without ROCm's device library, which Debian's 5.2.3 does not have for gfx1100: builtins only.
#include <hip/hip_runtime.h>

#include <stdint.h>

namespace {

// s_getreg_b32: number of the register, first bit << 6, (number of bits - 1) << 11.
#if defined(__gfx1030__) || defined(__gfx1100__)
constexpr int kHardwareId = 23 | (31 << 11);  // HW_ID1
#else
constexpr int kHardwareId = 4 | (31 << 11);  // HW_ID
#endif

}  // namespace

// Writes one word a workgroup. Every workgroup sleeps `turns` times on its CU (about 8000 cycles each), so that the
// grid spreads over all CUs of the mask instead of following the first free one.
extern "C" __global__ void eclip_probe(uint32_t *hardware_id, uint32_t turns) {
  for (uint32_t turn = 0; turn < turns; ++turn) __builtin_amdgcn_s_sleep(127);
  if (__builtin_amdgcn_workitem_id_x() == 0) {
    hardware_id[__builtin_amdgcn_workgroup_id_x()] = __builtin_amdgcn_s_getreg(kHardwareId);
  }
}

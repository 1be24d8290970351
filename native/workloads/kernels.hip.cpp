// The kernel functions of every modelled network, one HIP kernel per row of generated/functions.inc.
#include <hip/hip_runtime.h>

#include "arguments.h"
#include "kernels.h"

namespace {

// One wavefront does the work; all words are read before one is written. Split grids would add their parts: the first
// workgroup stands for all.
__device__ void compute(const workloads::Arguments &a, uint32_t function) {
  const uint32_t i = threadIdx.x;
  if (blockIdx.x != 0 || blockIdx.y != 0 || blockIdx.z != 0 || i >= workloads::kWords) return;
  const uint32_t seed = workloads::identity(a, function);
  const uint32_t out = workloads::output_word(a, seed, i);
  const uint32_t entry = workloads::journal_word(a, seed, i % 2);
  __builtin_amdgcn_wave_barrier();
  a.out[i] = out;
  if (i < 2) a.journal[i] = entry;
}

}  // namespace

#define KERNEL(name, kind, tile_m, tile_n, block, resident, work, efficiency) \
  extern "C" __global__ void name(workloads::Arguments a) { compute(a, workloads::k_##name); }
#include "generated/functions.inc"
#undef KERNEL

namespace workloads {

namespace {
const FunctionTraits traits_of[] = {
#define KERNEL(name, kind, tile_m, tile_n, block, resident, work, efficiency) \
  {#name, reinterpret_cast<const void *>(&::name), tile_m, tile_n, block},
#include "generated/functions.inc"
#undef KERNEL
};
}  // namespace

const FunctionTraits &traits(Function function) { return traits_of[function]; }

}  // namespace workloads

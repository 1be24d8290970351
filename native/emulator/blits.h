/* The runtime's own kernels: ROCr's copy and fill shaders, and HIP's, which it compiles at the first stream. */
#pragma once

#include <cstdint>

#include "eclip/emulator.h"

namespace emulator {

/* By name; nullptr if the runtime has no such kernel. */
const eclip_kernel *find_blit(const char *name);
/* Name of the shader that an amd_kernel_code_t of ROCr holds; nullptr if it is none of its shaders. */
const char *shader_name(const void *kernel_code);

/* What a copy moves, for the link between host and GPU: two places and the number of bytes; 0 bytes if the kernel is
 * no copy. */
struct Transfer {
  uint64_t source = 0, destination = 0;
  uint64_t bytes = 0;
};
Transfer transfer_of(const char *name, const eclip_dispatch &dispatch);

/* A wait for a value in memory, which keeps its queue busy without occupying CUs. */
bool is_wait(const char *name);
bool wait_is_over(const eclip_dispatch &dispatch);

}  // namespace emulator

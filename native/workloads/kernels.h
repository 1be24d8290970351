// Kernel functions as the host launches them.
#pragma once

#include "model.h"

namespace workloads {

struct FunctionTraits {
  const char *name;
  const void *host;         // what hipLaunchKernel takes
  uint32_t tile_m, tile_n;  // outputs of one workgroup; tile_n 0: n is not split
  uint32_t block;           // work-items
};

const FunctionTraits &traits(Function function);

}  // namespace workloads

// The original functions of the HIP runtime (and of roctx) in this process. Filled by an installer: by symbols, or from
// the runtime's dispatch table.
#pragma once

#include "hip_abi.h"

namespace eclip {

struct Runtime {
#define HOOK(ret, name, params) ret(*name) params = nullptr;
#define CALL(ret, name, params) HOOK(ret, name, params)
#define REDIRECT(ret, name, params, args) HOOK(ret, name, params)
#define PASS(ret, name, params, args, reason) HOOK(ret, name, params)
#define OBSERVE(ret, name, params, args) HOOK(ret, name, params)
#define WATCH(ret, name, params, args, stream) HOOK(ret, name, params)
#define SYNC(ret, name, params, args) HOOK(ret, name, params)
#define MARK(ret, name, params, args) HOOK(ret, name, params)
#define LOADER(ret, name, params, args)
#include "calls.def"
#include "hooks.def"
#include "undef_hooks.h"
  uint32_t found = 0;  // hooks whose original exists

  // Every runtime has one of the two names.
  auto ext_module_launch() const {
    return _Z24hipExtModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_j
               ? _Z24hipExtModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_j
               : hipExtModuleLaunchKernel;
  }
};

}  // namespace eclip

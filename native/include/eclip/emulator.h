/* A library of kernels for the emulated GPU: how much work each is, and what it does to memory. The emulator loads the
 * libraries named in its configuration; the programs that launch the kernels link nothing of this. A kernel that no
 * library knows takes its time by its grid and does nothing.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "eclip/contention.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct eclip_dispatch {
  uint32_t workgroups[3];
  uint32_t block[3];     /* work-items */
  uint32_t group_bytes;  /* LDS */
  const void *arguments; /* kernarg segment: explicit arguments at natural alignment from offset 0 */
  /* A pointer found in the arguments, as the host can use it. Every pointer goes through it. */
  void *(*host)(const struct eclip_dispatch *, uint64_t device_address);
} eclip_dispatch;

typedef struct eclip_kernel {
  const char *name;                                     /* mangled, without .kd */
  void (*shape)(const eclip_dispatch *, eclip_shape *); /* may be NULL */
  void (*effect)(const eclip_dispatch *);               /* applied when its time is over; may be NULL */
} eclip_kernel;

/* What a library exports. The array lives as long as the library. */
const eclip_kernel *eclip_kernels(size_t *count);

#ifdef __cplusplus
}
#endif

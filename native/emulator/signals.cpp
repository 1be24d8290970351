#include "signals.h"

#include <hsa/amd_hsa_signal.h>

#include <algorithm>

namespace emulator {

int64_t signal_value(uint64_t handle) {
  if (handle == 0) return 0;
  return __atomic_load_n(&reinterpret_cast<amd_signal_t *>(handle)->value, __ATOMIC_ACQUIRE);
}

void complete_signal(uint64_t handle, uint64_t start, uint64_t end, Events &events) {
  if (handle == 0) return;
  auto *signal = reinterpret_cast<amd_signal_t *>(handle);
  signal->start_ts = start;
  signal->end_ts = std::max(end, start + 1);
  /* The host may reuse the signal as soon as it sees the new value: nothing of it is read after that. */
  const uint64_t mailbox = signal->event_mailbox_ptr;
  const uint32_t event = signal->event_id;
  __atomic_fetch_sub(&signal->value, 1, __ATOMIC_RELEASE);
  if (mailbox == 0) return;
  __atomic_store_n(reinterpret_cast<uint64_t *>(mailbox), event, __ATOMIC_RELEASE);
  events.set(event);
}

}  // namespace emulator

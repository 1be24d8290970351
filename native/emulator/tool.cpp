/* What ROCr calls if HSA_TOOLS_LIB names this library: in virtual time its waits without a limit sleep in ours. */
/* The header looks for its neighbours in a folder that is not installed. */
#define AMD_INTERNAL_BUILD
#include <hsa/hsa_api_trace.h>

#include <limits>

#include "emulator.h"
#include "signals.h"

namespace {

decltype(hsa_signal_wait_relaxed) *wait_relaxed;
decltype(hsa_signal_wait_scacquire) *wait_acquire;

bool is_met(int64_t value, hsa_signal_condition_t condition, hsa_signal_value_t compared) {
  switch (condition) {
    case HSA_SIGNAL_CONDITION_EQ: return value == compared;
    case HSA_SIGNAL_CONDITION_NE: return value != compared;
    case HSA_SIGNAL_CONDITION_LT: return value < compared;
    default: return value >= compared;
  }
}

void sleep_until(hsa_signal_t signal, hsa_signal_condition_t condition, hsa_signal_value_t compared, uint64_t timeout) {
  if (timeout != std::numeric_limits<uint64_t>::max()) return;
  emulator::instance()->waits.until([&] { return is_met(emulator::signal_value(signal.handle), condition, compared); });
}

hsa_signal_value_t sleep_relaxed(hsa_signal_t signal, hsa_signal_condition_t condition, hsa_signal_value_t compared,
                                 uint64_t timeout, hsa_wait_state_t hint) {
  sleep_until(signal, condition, compared, timeout);
  return wait_relaxed(signal, condition, compared, timeout, hint);
}

hsa_signal_value_t sleep_acquire(hsa_signal_t signal, hsa_signal_condition_t condition, hsa_signal_value_t compared,
                                 uint64_t timeout, hsa_wait_state_t hint) {
  sleep_until(signal, condition, compared, timeout);
  return wait_acquire(signal, condition, compared, timeout, hint);
}

}  // namespace

extern "C" {

bool OnLoad(HsaApiTable *table, uint64_t, uint64_t, const char *const *) {
  const emulator::Emulator *all = emulator::instance();
  if (all == nullptr || !all->config.virtual_time) return true;
  wait_relaxed = table->core_->hsa_signal_wait_relaxed_fn;
  wait_acquire = table->core_->hsa_signal_wait_scacquire_fn;
  table->core_->hsa_signal_wait_relaxed_fn = sleep_relaxed;
  table->core_->hsa_signal_wait_scacquire_fn = sleep_acquire;
  return true;
}

void OnUnload() {}

}  // extern "C"

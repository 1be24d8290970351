// The slot folder as the program sees it: the control page and the tables. Swaps the plan while launches go on.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "eclip/slot.h"
#include "stats.h"
#include "table.h"

namespace eclip {

class Slot {
 public:
  // `single_mask`: every plan is cut down to one CU count.
  Slot(std::string folder, bool single_mask, Stats &stats, Intern intern);

  // Generation that the node asks for; one relaxed load.
  uint64_t generation() const { return __atomic_load_n(generation_word(), __ATOMIC_RELAXED); }
  const uint64_t *generation_word() const { return control_ ? &control_->generation : &no_generation; }
  uint64_t active() const { return __atomic_load_n(active_word(), __ATOMIC_RELAXED); }
  const uint64_t *active_word() const { return control_ ? &control_->active : &none_active; }

  // The plan in force: of the newest generation, or the last good one before it; null without any. Reads the table at
  // the first call after a change of generation. `device_cus` as the runtime reports them (see mask_units).
  std::shared_ptr<const Plan> plan(uint32_t device_cus);
  const std::string &folder() const { return folder_; }

 private:
  void load(uint64_t generation, uint32_t device_cus);

  const std::string folder_;
  const bool single_mask_;
  Stats &stats_;
  const Intern intern_;
  const eclip_control *control_ = nullptr;
  static constexpr uint64_t no_generation = 0, none_active = 0;
  std::mutex mutex_;
  uint64_t seen_ = 0;
  std::shared_ptr<const Plan> plan_;
};

// Whether a device on which the runtime reports so many CUs (or WGPs) can be the GPU of a table.
bool fits_device(uint32_t table_cus, uint32_t device_cus, bool lowered_by_environment);

}  // namespace eclip

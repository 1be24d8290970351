#include "slot.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "options.h"

namespace eclip {

namespace {

const eclip_control *map_control(const std::string &path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  const eclip_control *control = nullptr;
  if (descriptor < 0) {
    say(path + ": " + strerror(errno) + "; every kernel stays on its own stream");
  } else if (fstat(descriptor, &status) != 0 || status.st_size < static_cast<off_t>(ECLIP_CONTROL_BYTES)) {
    say(path + ": shorter than a control page; every kernel stays on its own stream");
  } else {
    void *page = mmap(nullptr, ECLIP_CONTROL_BYTES, PROT_READ, MAP_SHARED, descriptor, 0);
    control = page == MAP_FAILED ? nullptr : static_cast<const eclip_control *>(page);
  }
  if (descriptor >= 0) {
    close(descriptor);
  }
  if (control && (control->magic != ECLIP_CONTROL_MAGIC || control->version != ECLIP_SLOT_VERSION)) {
    say(path + ": not a control page of version " + std::to_string(ECLIP_SLOT_VERSION) +
        "; every kernel stays on its own stream");
    return nullptr;
  }
  return control;
}

// The whole file, or what is wrong. Read, not mapped: a file that shrinks must not hurt the application.
std::string read_file(const std::string &path, std::vector<uint8_t> &bytes) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (descriptor < 0 || fstat(descriptor, &status) != 0) {
    return strerror(errno);
  }
  std::string wrong;
  if (!S_ISREG(status.st_mode) || static_cast<size_t>(status.st_size) > table_bytes_limit) {
    wrong = "not a file of a table's size";
  } else {
    bytes.resize(static_cast<size_t>(status.st_size));
    size_t got = 0;
    ssize_t step = 0;
    while (got < bytes.size() && (step = read(descriptor, bytes.data() + got, bytes.size() - got)) > 0) {
      got += static_cast<size_t>(step);
    }
    bytes.resize(got);
  }
  close(descriptor);
  return wrong;
}

}  // namespace

bool fits_device(uint32_t table_cus, uint32_t device_cus, bool lowered_by_environment) {
  return device_cus == table_cus || device_cus * 2 == table_cus || (lowered_by_environment && device_cus <= table_cus);
}

Slot::Slot(std::string folder, bool single_mask, Stats &stats, Intern intern)
    : folder_(std::move(folder)), single_mask_(single_mask), stats_(stats), intern_(std::move(intern)) {
  if (!folder_.empty()) {
    control_ = map_control(folder_ + "/config/control");
  }
}

std::shared_ptr<const Plan> Slot::plan(uint32_t device_cus) {
  const std::lock_guard<std::mutex> lock(mutex_);
  // Acquire: the node wrote the table before it stored the generation.
  const uint64_t generation = control_ ? __atomic_load_n(&control_->generation, __ATOMIC_ACQUIRE) : 0;
  if (generation != seen_) {
    seen_ = generation;
    if (generation == 0) {
      plan_.reset();  // the slot was removed
    } else {
      load(generation, device_cus);
    }
  }
  return plan_;
}

void Slot::load(uint64_t generation, uint32_t device_cus) {
  const std::string path = folder_ + "/config/table." + std::to_string(generation);
  std::vector<uint8_t> bytes;
  std::string wrong = read_file(path, bytes);
  Refusal refusal{ECLIP_TABLE_UNREADABLE, wrong};
  if (wrong.empty()) {
    auto result = read_table(bytes.data(), bytes.size(), generation, intern_);
    if (auto *plan = std::get_if<std::shared_ptr<const Plan>>(&result)) {
      if (fits_device((*plan)->compute_units, device_cus, getenv("ROC_GLOBAL_CU_MASK") != nullptr)) {
        plan_ = single_mask_ ? on_one_stream(**plan) : *plan;
        stats_.begin_generation(generation);
        return;
      }
      refusal = {ECLIP_TABLE_OTHER_GPU, "made for " + std::to_string((*plan)->compute_units) +
                                            " compute units, the device has " + std::to_string(device_cus)};
    } else {
      refusal = std::get<Refusal>(result);
    }
  }
  stats_.refuse(generation, refusal.why, refusal.text);
  say(path + ": refused: " + refusal.text);
}

}  // namespace eclip

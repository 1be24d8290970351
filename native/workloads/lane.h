// What one serving thread owns on the device: buffers, pinned staging, bound arguments.
#pragma once

#include <hip/hip_runtime_api.h>

#include <vector>

#include "sequence.h"

namespace workloads {

// Ends the program with one line where a HIP call fails.
void check(hipError_t status, const char *call);

class Lane {
 public:
  Lane(const Model &model, uint32_t batch);
  ~Lane();
  Lane(const Lane &) = delete;
  Lane &operator=(const Lane &) = delete;

  size_t count() const { return launches_.size(); }
  const Launch &launch(size_t i) const { return launches_[i]; }
  Arguments &arguments(size_t i) { return arguments_[i]; }
  uint32_t *device() const { return device_; }

  void set_input(uint64_t request) { fill_input(request, input_); }
  void copy_in(hipStream_t stream);
  void copy_out(hipStream_t stream);
  uint64_t checksum() const { return digest(output_, result_words(model_)); }

  // The first kBounceWords of the buffers, for variants that send data to the host and back in mid-request. More than
  // 8 KiB, since the runtime moves less with the CPU instead of on the stream.
  static constexpr size_t kBounceWords = 4096;

 private:
  const Model &model_;
  std::vector<Launch> launches_;
  std::vector<Arguments> arguments_;
  uint32_t *device_ = nullptr;
  uint32_t *input_ = nullptr;
  uint32_t *output_ = nullptr;
};

}  // namespace workloads

#include "lane.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace workloads {

void check(hipError_t status, const char *call) {
  if (status == hipSuccess) return;
  std::fprintf(stderr, "%s: %s\n", call, hipGetErrorString(status));
  std::_Exit(1);
}

namespace {

uint32_t *pinned(size_t words) {
  void *memory = nullptr;
  check(hipHostMalloc(&memory, words * sizeof(uint32_t), hipHostMallocDefault), "hipHostMalloc");
  return static_cast<uint32_t *>(memory);
}

}  // namespace

Lane::Lane(const Model &model, uint32_t batch) : model_(model), launches_(sequence(model, batch)) {
  std::vector<uint32_t> start(std::max(all_words(model), kBounceWords));
  fill_start(model, start.data());
  const size_t bytes = start.size() * sizeof(uint32_t);
  void *memory = nullptr;
  check(hipMalloc(&memory, bytes), "hipMalloc");
  device_ = static_cast<uint32_t *>(memory);
  check(hipMemcpy(device_, start.data(), bytes, hipMemcpyHostToDevice), "hipMemcpy");
  input_ = pinned(kInputWords);
  output_ = pinned(result_words(model));
  arguments_.reserve(launches_.size());
  for (const Launch &launch : launches_) arguments_.push_back(bound(launch, device_));
}

Lane::~Lane() {
  check(hipHostFree(input_), "hipHostFree");
  check(hipHostFree(output_), "hipHostFree");
  check(hipFree(device_), "hipFree");
}

void Lane::copy_in(hipStream_t stream) {
  check(hipMemcpyAsync(device_, input_, kInputWords * sizeof(uint32_t), hipMemcpyHostToDevice, stream),
        "hipMemcpyAsync to the device");
}

void Lane::copy_out(hipStream_t stream) {
  check(hipMemcpyAsync(output_, device_, result_words(model_) * sizeof(uint32_t), hipMemcpyDeviceToHost, stream),
        "hipMemcpyAsync to the host");
}

}  // namespace workloads

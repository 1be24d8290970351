// What a request's result must be: the same kernels, one after the other, on the host.
#pragma once

#include <vector>

#include "sequence.h"

namespace workloads {

class Reference {
 public:
  Reference(const Model &model, uint32_t batch);
  // Checksum of a request. For a stateful model requests must be asked for in order, each once.
  uint64_t checksum(uint64_t request);

 private:
  uint64_t run(uint64_t input);

  const Model &model_;
  std::vector<Launch> launches_;
  std::vector<uint32_t> words_;
  std::vector<uint64_t> known_;  // by input, for stateless models
};

// Inputs repeat after this many requests, so that a long run needs few references; a neighbour's never equals one's own.
constexpr uint64_t kInputs = 16;

}  // namespace workloads

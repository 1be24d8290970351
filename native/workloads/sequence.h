// A model's launches for a batch, and the words that its buffers hold.
#pragma once

#include <cstddef>
#include <vector>

#include "arguments.h"
#include "model.h"

namespace workloads {

struct Launch {
  Function function;
  uint32_t grid[3];     // workgroups
  Arguments arguments;  // pointers not set
  uint16_t in0, in1, out;
};

std::vector<Launch> sequence(const Model &model, uint32_t batch);

// The launch's arguments over buffers that begin at `base`, kWords each.
Arguments bound(const Launch &launch, uint32_t *base);

// What one request moves between host and device: it copies in journal and input, and out what it may have changed.
constexpr size_t kInputWords = 2 * kWords;
size_t all_words(const Model &model);
size_t result_words(const Model &model);

// First contents of all buffers, and what the host copies in for a request.
void fill_start(const Model &model, uint32_t *words);
void fill_input(uint64_t request, uint32_t *words);

uint64_t digest(const uint32_t *words, size_t count);

}  // namespace workloads

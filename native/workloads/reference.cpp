#include "reference.h"

namespace workloads {

Reference::Reference(const Model &model, uint32_t batch)
    : model_(model), launches_(sequence(model, batch)), words_(all_words(model)) {
  fill_start(model, words_.data());
}

uint64_t Reference::checksum(uint64_t request) {
  const uint64_t input = request % kInputs;
  if (!model_.stateful && input < known_.size()) return known_[input];
  fill_input(input, words_.data());
  for (const Launch &launch : launches_) apply(bound(launch, words_.data()), launch.function);
  const uint64_t sum = digest(words_.data(), result_words(model_));
  if (model_.stateful || input != known_.size()) return sum;
  known_.push_back(sum);
  return sum;
}

}  // namespace workloads

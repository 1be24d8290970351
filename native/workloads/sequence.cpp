#include "sequence.h"

#include "kernels.h"

namespace workloads {

namespace {

uint32_t quotient(uint32_t total, uint32_t part) { return (total + part - 1) / part; }

uint32_t scaled(uint32_t size, const Row &row, Scale axis, uint32_t batch) {
  return row.scales & axis ? size * batch : size;
}

Launch launch_of(const Row &row, uint32_t position, uint32_t batch) {
  const FunctionTraits &t = traits(row.function);
  Arguments a{};
  a.m = scaled(row.m, row, kScaleM, batch);
  a.n = scaled(row.n, row, kScaleN, batch);
  a.k = scaled(row.k, row, kScaleK, batch);
  a.z = scaled(row.z, row, kScaleZ, batch);
  a.taps = row.taps;
  a.stride = row.stride;
  a.launch = position;
  a.accumulates = row.accumulates;
  const uint32_t columns = t.tile_n ? quotient(a.n, t.tile_n) : 1;
  return {row.function, {quotient(a.m, t.tile_m), columns, a.z}, a, row.in0, row.in1, row.out};
}

}  // namespace

std::vector<Launch> sequence(const Model &model, uint32_t batch) {
  std::vector<Launch> launches;
  launches.reserve(model.count);
  for (uint32_t i = 0; i < model.count; ++i) launches.push_back(launch_of(model.rows[i], i, batch));
  return launches;
}

Arguments bound(const Launch &launch, uint32_t *base) {
  Arguments a = launch.arguments;
  a.in0 = base + launch.in0 * kWords;
  a.in1 = base + launch.in1 * kWords;
  a.out = base + launch.out * kWords;
  a.journal = base;
  return a;
}

size_t all_words(const Model &model) { return size_t{kWords} * (model.activations + model.parameters); }

size_t result_words(const Model &model) {
  return model.stateful ? all_words(model) : size_t{kWords} * model.activations;
}

void fill_start(const Model &model, uint32_t *words) {
  for (size_t i = 0; i < all_words(model); ++i) words[i] = mix(0x5eedu, static_cast<uint32_t>(i));
}

void fill_input(uint64_t request, uint32_t *words) {
  for (uint32_t i = 0; i < kInputWords; ++i) words[i] = mix(static_cast<uint32_t>(request), i);
}

uint64_t digest(const uint32_t *words, size_t count) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a over words
  for (size_t i = 0; i < count; ++i) hash = (hash ^ words[i]) * 0x100000001b3u;
  return hash;
}

}  // namespace workloads

#include "dealing.h"

#include <algorithm>

namespace emulator {
namespace {

/* The driver walks one XCC at a time: CU position outermost, then array, engine innermost. */
std::vector<Seat> deal_xcc(const std::vector<std::vector<uint32_t>> &engines, uint32_t xcc, uint32_t step) {
  uint32_t deepest = 0;
  for (const auto &engine : engines) deepest = std::max(deepest, *std::max_element(engine.begin(), engine.end()));
  std::vector<Seat> seats;
  for (uint32_t cu = 0; cu < deepest; cu += step)
    for (uint32_t array = 0; array < engines.front().size(); array++)
      for (uint32_t engine = 0; engine < engines.size(); engine++)
        for (uint32_t k = cu; k < std::min(cu + step, engines[engine][array]); k++)
          seats.push_back({xcc, engine, array, k});
  return seats;
}

}  // namespace

std::vector<Seat> deal(const Active &active, bool pairs) {
  const uint32_t step = pairs ? 2 : 1;
  std::vector<std::vector<Seat>> hands;
  size_t longest = 0;
  for (uint32_t xcc = 0; xcc < active.size(); xcc++) {
    hands.push_back(deal_xcc(active[xcc], xcc, step));
    longest = std::max(longest, hands.back().size());
  }
  /* XCC i looks at bits i, i + n, i + 2n, ... */
  std::vector<Seat> seats;
  for (size_t position = 0; position < longest; position++)
    for (const auto &hand : hands)
      if (position < hand.size()) seats.push_back(hand[position]);
  return seats;
}

void fill_chip(const GpuConfig &gpu, eclip_chip &chip) {
  const std::vector<Seat> seats = deal(gpu.active, gpu.gfx_major >= 10);
  chip.compute_units = static_cast<uint32_t>(seats.size());
  chip.engines = gpu.xccs() * gpu.engines();
  for (size_t bit = 0; bit < seats.size(); bit++)
    chip.engine_of[bit] = static_cast<uint16_t>(seats[bit].xcc * gpu.engines() + seats[bit].engine);
  const Costs &costs = gpu.costs;
  chip.bytes_per_micro = costs.bytes_per_micro;
  chip.cu_bytes_per_micro = costs.cu_bytes_per_micro;
  chip.launch_micros = costs.launch_micros;
  chip.barrier_micros = costs.barrier_micros;
  chip.stream_micros = costs.stream_micros;
  chip.queue_slots = costs.queue_slots;
  chip.quantum_micros = costs.quantum_micros;
  chip.idle_watts = costs.idle_watts;
  chip.cu_watts = costs.cu_watts;
  chip.byte_microjoules = costs.byte_microjoules;
}

eclip_cu_set clip_mask(const uint32_t *words, uint32_t count, uint32_t compute_units) {
  const eclip_cu_set all = full_mask(compute_units);
  eclip_cu_set mask{};
  for (uint32_t word = 0; word < std::min<uint32_t>(count, ECLIP_CU_WORDS); word++)
    mask.words[word] = words[word] & all.words[word];
  return mask;
}

eclip_cu_set full_mask(uint32_t compute_units) {
  eclip_cu_set mask{};
  for (uint32_t cu = 0; cu < compute_units; cu++) mask.words[cu / 32] |= 1U << (cu % 32);
  return mask;
}

uint32_t count_cus(const eclip_cu_set &mask) {
  uint32_t count = 0;
  for (uint32_t word : mask.words) count += static_cast<uint32_t>(__builtin_popcount(word));
  return count;
}

}  // namespace emulator

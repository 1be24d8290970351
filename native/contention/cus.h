/* Sets of CUs as 64-bit words, cut to the chip. */
#pragma once

#include <cstdint>

#include "eclip/contention.h"

namespace eclip::contention {

/* Without the calls that fmin and fmax need for the sake of NaN. */
inline double smaller(double a, double b) { return b < a ? b : a; }
inline double larger(double a, double b) { return b > a ? b : a; }

/* No kernel is shorter than a nanosecond, the resolution of the chip's clock. */
constexpr double shortest_micros = 1e-3;

inline uint32_t words_of(const eclip_chip &chip) { return (chip.compute_units + 63) / 64; }

inline bool usable(const eclip_chip &chip) {
  return chip.compute_units > 0 && chip.compute_units <= ECLIP_MAX_CUS && chip.engines > 0 &&
         chip.engines <= ECLIP_MAX_ENGINES;
}

/* Bits 64 * word .. 64 * word + 63 of a mask, those of the chip only. */
inline uint64_t word_of(const eclip_chip &chip, const eclip_cu_set &mask, uint32_t word) {
  const uint64_t bits = mask.words[2 * word] | static_cast<uint64_t>(mask.words[2 * word + 1]) << 32;
  const uint32_t valid = chip.compute_units - 64 * word;
  return valid >= 64 ? bits : bits & ((uint64_t{1} << valid) - 1);
}

inline uint32_t engine_of(const eclip_chip &chip, uint32_t cu) {
  const uint32_t engine = chip.engine_of[cu];
  return engine < chip.engines ? engine : 0;
}

template <typename Visit>
void for_each_bit(uint64_t bits, uint32_t base, Visit visit) {
  for (; bits != 0; bits &= bits - 1) visit(base + static_cast<uint32_t>(__builtin_ctzll(bits)));
}

/* Makes a mask that the chip can follow: no bit beyond it; all CUs if none is left. */
inline void normalise(const eclip_chip &chip, eclip_cu_set *mask) {
  uint64_t any = 0;
  for (uint32_t word = 0; word < ECLIP_CU_WORDS / 2; ++word) {
    const uint64_t bits = word < words_of(chip) ? word_of(chip, *mask, word) : 0;
    mask->words[2 * word] = static_cast<uint32_t>(bits);
    mask->words[2 * word + 1] = static_cast<uint32_t>(bits >> 32);
    any |= bits;
  }
  if (any != 0) return;
  for (uint32_t cu = 0; cu < chip.compute_units; ++cu) mask->words[cu / 32] |= uint32_t{1} << (cu % 32);
}

/* How a mask lies on the shader engines; never zero, for both are divided by. */
struct Spread {
  uint32_t engines;  /* that have a CU in the mask */
  uint32_t smallest; /* CUs of the mask on the engine that has the fewest, but not none */
};

inline Spread spread_of(const eclip_chip &chip, const eclip_cu_set &mask) {
  uint16_t cus[ECLIP_MAX_ENGINES] = {};
  for (uint32_t word = 0; word < words_of(chip); ++word)
    for_each_bit(word_of(chip, mask, word), 64 * word, [&](uint32_t cu) { ++cus[engine_of(chip, cu)]; });
  Spread spread{0, ECLIP_MAX_CUS};
  for (uint32_t engine = 0; engine < chip.engines; ++engine) {
    if (cus[engine] == 0) continue;
    ++spread.engines;
    if (cus[engine] < spread.smallest) spread.smallest = cus[engine];
  }
  /* Only a chip without CUs or engines has no engine in the mask. */
  return spread.engines > 0 ? spread : Spread{1, 1};
}

}  // namespace eclip::contention

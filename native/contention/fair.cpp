#include "fair.h"

#include <cmath>

#include "cus.h"

namespace eclip::contention {
namespace {

constexpr double least_growth = 1e-9;
constexpr double tie = 1e-9;
constexpr int most_rounds = 100;
constexpr uint32_t member_words = ECLIP_MAX_RUNNING / 64;

/* CUs of one shader engine that the same kernels may use. */
struct Class {
  uint64_t cus[ECLIP_CU_WORDS / 2];
  uint64_t members[member_words];
  uint32_t engine;
  double size;
  double left;  /* of each CU, not given to anybody yet */
  double level; /* most that a kernel gets of each CU in this round */
};

/* A kernel while the chip is being shared out. */
struct Claim {
  double engine_cus;
  double memory;
  double speed;
  double growth;
  bool growing;
};

/* Lives on the stack; the constructor leaves the arrays alone, since clearing
 * them would cost more than sharing. */
struct Table {
  Table(const eclip_chip &of, uint32_t kernels) : chip(of), count(kernels) {}

  const eclip_chip &chip;
  uint32_t count;
  uint32_t classes = 0;
  double memory_left = 1;
  double memory_level = 0;
  Claim claims[ECLIP_MAX_RUNNING];
  Class parts[ECLIP_MAX_CUS + ECLIP_MAX_ENGINES];
};

bool has(const Class &part, uint32_t kernel) { return (part.members[kernel / 64] >> (kernel % 64) & 1) != 0; }

uint32_t bits_in(const Class &part, uint32_t words) {
  uint32_t bits = 0;
  for (uint32_t word = 0; word < words; ++word) bits += static_cast<uint32_t>(__builtin_popcountll(part.cus[word]));
  return bits;
}

void one_class_per_engine(Table *table) {
  const eclip_chip &chip = table->chip;
  table->classes = chip.engines;
  for (uint32_t engine = 0; engine < chip.engines; ++engine) table->parts[engine] = Class{{}, {}, engine, 0, 1, 0};
  for (uint32_t cu = 0; cu < chip.compute_units; ++cu)
    table->parts[engine_of(chip, cu)].cus[cu / 64] |= uint64_t{1} << (cu % 64);
}

/* Splits the classes by the mask of one kernel, and enters the kernel where it
 * may run. */
void split_by(Table *table, uint32_t kernel, const eclip_cu_set &mask) {
  const uint32_t words = words_of(table->chip);
  uint64_t allowed[ECLIP_CU_WORDS / 2];
  for (uint32_t word = 0; word < words; ++word) allowed[word] = word_of(table->chip, mask, word);
  const uint32_t before = table->classes;
  for (uint32_t index = 0; index < before; ++index) {
    Class &part = table->parts[index];
    uint64_t inside = 0;
    uint64_t outside = 0;
    for (uint32_t word = 0; word < words; ++word) {
      inside |= part.cus[word] & allowed[word];
      outside |= part.cus[word] & ~allowed[word];
    }
    if (inside == 0) continue;
    if (outside != 0) {
      Class &rest = table->parts[table->classes++];
      rest = part;
      for (uint32_t word = 0; word < words; ++word) {
        rest.cus[word] &= ~allowed[word];
        part.cus[word] &= allowed[word];
      }
    }
    part.members[kernel / 64] |= uint64_t{1} << (kernel % 64);
  }
}

void measure_classes(Table *table) {
  const uint32_t words = words_of(table->chip);
  for (uint32_t index = 0; index < table->classes; ++index)
    table->parts[index].size = bits_in(table->parts[index], words);
}

/* What a kernel would like to have of each CU of a class. */
double claim_on(const Claim &claim, const Class &part) { return (1 - claim.speed) * claim.engine_cus / part.size; }

double memory_claim(const Claim &claim) { return (1 - claim.speed) * claim.memory; }

/* The level at which `left` is used up if everybody takes the smaller of his
 * claim and the level; infinite if all claims fit. */
double water_level(double left, const double *claims, uint32_t count) {
  double level = left / count;
  for (uint32_t round = 0; round <= count; ++round) {
    double rest = left;
    uint32_t above = 0;
    for (uint32_t i = 0; i < count; ++i) {
      if (claims[i] <= level)
        rest -= claims[i];
      else
        ++above;
    }
    if (above == 0) return INFINITY;
    const double next = rest / above;
    if (next <= level) return level;
    level = next;
  }
  return level;
}

template <typename Visit>
void for_each_growing(const Table &table, const Class &part, Visit visit) {
  for (uint32_t word = 0; 64 * word < table.count; ++word)
    for_each_bit(part.members[word], 64 * word, [&](uint32_t kernel) {
      if (table.claims[kernel].growing) visit(table.claims[kernel]);
    });
}

void set_levels(Table *table) {
  double claims[ECLIP_MAX_RUNNING];
  for (uint32_t index = 0; index < table->classes; ++index) {
    Class &part = table->parts[index];
    uint32_t count = 0;
    for_each_growing(*table, part, [&](const Claim &claim) { claims[count++] = claim_on(claim, part); });
    part.level = count == 0 ? 0 : water_level(part.left, claims, count);
  }
  uint32_t count = 0;
  for (uint32_t kernel = 0; kernel < table->count; ++kernel)
    if (table->claims[kernel].growing && table->claims[kernel].memory > 0)
      claims[count++] = memory_claim(table->claims[kernel]);
  table->memory_level = count == 0 ? 0 : water_level(table->memory_left, claims, count);
}

double offer_of(const Claim &claim, const Class &part) { return smaller(part.level, claim_on(claim, part)); }

double growth_of(const Table &table, uint32_t kernel) {
  const Claim &claim = table.claims[kernel];
  double offered[ECLIP_MAX_ENGINES];
  bool used[ECLIP_MAX_ENGINES];
  for (uint32_t engine = 0; engine < table.chip.engines; ++engine) {
    offered[engine] = 0;
    used[engine] = false;
  }
  for (uint32_t index = 0; index < table.classes; ++index) {
    const Class &part = table.parts[index];
    if (!has(part, kernel)) continue;
    offered[part.engine] += part.size * offer_of(claim, part);
    used[part.engine] = true;
  }
  double growth = 1 - claim.speed;
  for (uint32_t engine = 0; engine < table.chip.engines; ++engine)
    if (used[engine]) growth = smaller(growth, offered[engine] / claim.engine_cus);
  if (claim.memory > 0) growth = smaller(growth, smaller(table.memory_level, memory_claim(claim)) / claim.memory);
  return growth;
}

/* Takes `cus` CUs on one engine from what the kernel was offered there, the
 * least contested CUs first. */
void take_on(Table *table, uint32_t kernel, uint32_t engine, double cus) {
  const Claim &claim = table->claims[kernel];
  double below = INFINITY;
  while (cus > 0) {
    double best = 0;
    for (uint32_t index = 0; index < table->classes; ++index) {
      const Class &part = table->parts[index];
      if (part.engine != engine || !has(part, kernel)) continue;
      const double offer = offer_of(claim, part);
      if (offer < below && offer > best) best = offer;
    }
    if (best <= 0) return;
    double amount = 0;
    const double least = best * (1 - tie);
    const auto tied = [&](const Class &part) {
      if (part.engine != engine || !has(part, kernel)) return false;
      const double offer = offer_of(claim, part);
      return offer >= least && offer < below;
    };
    for (uint32_t index = 0; index < table->classes; ++index)
      if (tied(table->parts[index])) amount += table->parts[index].size * offer_of(claim, table->parts[index]);
    const double fraction = smaller(1, cus / amount);
    for (uint32_t index = 0; index < table->classes; ++index) {
      Class &part = table->parts[index];
      if (tied(part)) part.left = larger(0, part.left - fraction * offer_of(claim, part));
    }
    if (amount >= cus) return;
    cus -= amount;
    below = least;
  }
}

void take(Table *table, uint32_t kernel) {
  Claim &claim = table->claims[kernel];
  bool done[ECLIP_MAX_ENGINES] = {};
  for (uint32_t index = 0; index < table->classes; ++index) {
    const Class &part = table->parts[index];
    if (!has(part, kernel) || done[part.engine]) continue;
    done[part.engine] = true;
    take_on(table, kernel, part.engine, claim.growth * claim.engine_cus);
  }
  table->memory_left = larger(0, table->memory_left - claim.growth * claim.memory);
  claim.speed += claim.growth;
}

/* One round: everything that is left is offered, every kernel grows as far as
 * its tightest offer lets it. */
bool grow(Table *table) {
  set_levels(table);
  bool any = false;
  for (uint32_t kernel = 0; kernel < table->count; ++kernel) {
    Claim &claim = table->claims[kernel];
    if (!claim.growing) continue;
    claim.growth = growth_of(*table, kernel);
    if (claim.growth <= least_growth) {
      claim.growing = false;
      continue;
    }
    take(table, kernel);
    if (1 - claim.speed <= least_growth) {
      claim.speed = 1;
      claim.growing = false;
    }
    any = any || claim.growing;
  }
  return any;
}

void write_busy(const Table &table, double *busy) {
  for (uint32_t index = 0; index < table.classes; ++index)
    for (uint32_t word = 0; word < words_of(table.chip); ++word)
      for_each_bit(table.parts[index].cus[word], 64 * word,
                   [&](uint32_t cu) { busy[cu] = 1 - table.parts[index].left; });
}

}  // namespace

void share(const eclip_chip &chip, eclip_running *running, uint32_t count, double *busy) {
  if (count <= 1 && busy == nullptr) { /* alone it has what it asks for: that was cut to the chip */
    if (count == 1) running->speed = 1;
    if (count == 1) running->rate = 1 / running->load.solo_micros;
    return;
  }
  Table table(chip, count);
  one_class_per_engine(&table);
  for (uint32_t kernel = 0; kernel < count; ++kernel) {
    split_by(&table, kernel, running[kernel].load.mask);
    table.claims[kernel] = {running[kernel].engine_cus, running[kernel].memory, 0, 0, true};
  }
  measure_classes(&table);
  for (int round = 0; round < most_rounds && grow(&table); ++round) continue;
  for (uint32_t kernel = 0; kernel < count; ++kernel) {
    running[kernel].speed = table.claims[kernel].speed;
    running[kernel].rate = table.claims[kernel].speed / running[kernel].load.solo_micros;
  }
  if (busy != nullptr) write_busy(table, busy);
}

}  // namespace eclip::contention

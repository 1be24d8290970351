// Sets of CUs and the words that HIP takes for them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace eclip {

// Bit b % 32 of word b / 32 is CU b in the kernel driver's order. No trailing zero words.
struct CuSet {
  std::vector<uint32_t> words;

  bool has(uint32_t cu) const { return cu / 32 < words.size() && (words[cu / 32] >> (cu % 32) & 1); }
  void add(uint32_t cu);
  uint32_t count() const;
  uint32_t end() const;  // 1 + the highest CU; 0 when empty
  bool operator==(const CuSet &other) const { return words == other.words; }
};

CuSet cu_set(const uint32_t *words, size_t count);
CuSet all_cus(uint32_t count);
CuSet intersection(const CuSet &one, const CuSet &other);

// How this runtime counts on this device.
struct MaskUnits {
  uint32_t compute_units = 0;  // of the whole GPU
  bool wgp_bits = false;       // RDNA from ROCm 5.7 on: one bit is one pair of CUs
};

// `reported`: hipDeviceAttributeMultiprocessorCount (WGPs on RDNA); `version`: hipRuntimeGetVersion.
MaskUnits mask_units(uint32_t compute_units, uint32_t reported, int version);

// HIP's words of a set; as many as the runtime asks for. Half a WGP becomes none.
std::vector<uint32_t> hip_words(const CuSet &set, const MaskUnits &units);
CuSet from_hip_words(const std::vector<uint32_t> &words, const MaskUnits &units);

// The CUs that the environment leaves to this process; all of them where a variable is unset or not understood.
// HSA_CU_MASK = "gpus:cus[;gpus:cus]", cus = 0x<hex> or a list such as 0-3,8 (device index after filtering), read as ROCr
// reads it: up to the first set with a fault (Flag::parse_masks, core/util/flag.cpp).
CuSet clip_by_hsa_cu_mask(const char *value, uint32_t device, uint32_t compute_units);
// ROC_GLOBAL_CU_MASK = 0x<hex>, in HIP's bits.
CuSet clip_by_global_mask(const char *value, const MaskUnits &units);

}  // namespace eclip

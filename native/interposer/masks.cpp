#include "masks.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <string>

namespace eclip {

namespace {

// Of ROCr's reading of HSA_CU_MASK (Flag::parse_masks).
constexpr uint32_t max_gpu = 255;
constexpr uint32_t max_bit = 1023;

CuSet trimmed(CuSet set) {
  while (!set.words.empty() && set.words.back() == 0) {
    set.words.pop_back();
  }
  return set;
}

// "0x..." of any length. False if there is no digit or anything else than digits.
bool parse_hex(const std::string &text, CuSet &set) {
  if (text.size() < 3 || text[0] != '0' || (text[1] != 'x' && text[1] != 'X')) {
    return false;
  }
  uint32_t bit = 0;
  for (size_t at = text.size(); at-- > 2; bit += 4) {
    if (!isxdigit(static_cast<unsigned char>(text[at]))) {
      return false;
    }
    const auto digit = static_cast<uint32_t>(strtoul(std::string(1, text[at]).c_str(), nullptr, 16));
    for (uint32_t offset = 0; offset < 4; ++offset) {
      if (digit >> offset & 1) {
        set.add(bit + offset);
      }
    }
  }
  return true;
}

// As strtoul reads it, for which nothing is 0. False if there is anything else than digits after a plus sign.
bool parse_number(const std::string &text, uint32_t &number) {
  const size_t digits = !text.empty() && text[0] == '+' ? 1 : 0;
  if (text == "+" || text.find_first_not_of("0123456789", digits) != std::string::npos) {
    return false;
  }
  number = static_cast<uint32_t>(strtoul(text.c_str(), nullptr, 10));
  return true;
}

// "3", "0-4,9"; what is beyond `limit` is dropped. False if it is no list, names a number twice or leaves none.
bool parse_list(const std::string &text, uint32_t limit, CuSet &set) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string range = text.substr(at, end - at);
    at = end + 1;
    const size_t dash = range.find('-');
    const std::string to = dash == std::string::npos ? "" : range.substr(dash + 1);
    uint32_t first = 0;
    uint32_t last = 0;
    if (range.empty() || !parse_number(range.substr(0, dash), first) || !parse_number(to, last)) {
      return false;
    }
    if (dash == std::string::npos || dash + 1 == range.size()) {
      last = first;
    }
    if (last < first) {
      return false;
    }
    for (uint32_t number = first; number <= std::min(last, limit); ++number) {
      if (set.has(number)) {
        return false;
      }
      set.add(number);
    }
  }
  return set.count() != 0;
}

// One set of HSA_CU_MASK.
bool parse_set(const std::string &text, CuSet &gpus, CuSet &cus) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos || text.find(':', colon + 1) != std::string::npos) {
    return false;
  }
  const std::string list = text.substr(colon + 1);
  const bool hex = list.size() > 1 && toupper(list[1]) == 'X';
  const bool read = hex ? parse_hex(list, cus) : parse_list(list, max_bit, cus);
  return read && cus.count() != 0 && parse_list(text.substr(0, colon), max_gpu, gpus);
}

std::string without_spaces(const char *text) {
  std::string result;
  for (; *text; ++text) {
    if (!isspace(static_cast<unsigned char>(*text))) {
      result += *text;
    }
  }
  return result;
}

}  // namespace

void CuSet::add(uint32_t cu) {
  if (cu / 32 >= words.size()) {
    words.resize(cu / 32 + 1, 0);
  }
  words[cu / 32] |= 1u << (cu % 32);
}

uint32_t CuSet::count() const {
  uint32_t sum = 0;
  for (uint32_t word : words) {
    sum += static_cast<uint32_t>(__builtin_popcount(word));
  }
  return sum;
}

uint32_t CuSet::end() const {
  if (words.empty()) {
    return 0;
  }
  return static_cast<uint32_t>(words.size()) * 32 - static_cast<uint32_t>(__builtin_clz(words.back()));
}

CuSet cu_set(const uint32_t *words, size_t count) {
  return trimmed(CuSet{std::vector<uint32_t>(words, words + count)});
}

CuSet all_cus(uint32_t count) {
  CuSet set;
  for (uint32_t cu = 0; cu < count; ++cu) {
    set.add(cu);
  }
  return set;
}

CuSet intersection(const CuSet &one, const CuSet &other) {
  CuSet both;
  for (size_t word = 0; word < one.words.size() && word < other.words.size(); ++word) {
    both.words.push_back(one.words[word] & other.words[word]);
  }
  return trimmed(both);
}

MaskUnits mask_units(uint32_t compute_units, uint32_t reported, int version) {
  // HIP's version number is major * 10^7 + minor * 10^5 + patch.
  const bool pairs_reported = reported != 0 && reported * 2 <= compute_units;
  return {compute_units, pairs_reported && version >= 50700000};
}

std::vector<uint32_t> hip_words(const CuSet &set, const MaskUnits &units) {
  const uint32_t bits = units.wgp_bits ? units.compute_units / 2 : units.compute_units;
  std::vector<uint32_t> words((bits + 31) / 32, 0);
  for (uint32_t bit = 0; bit < bits; ++bit) {
    const bool in = units.wgp_bits ? set.has(2 * bit) && set.has(2 * bit + 1) : set.has(bit);
    if (in) {
      words[bit / 32] |= 1u << (bit % 32);
    }
  }
  return words;
}

CuSet from_hip_words(const std::vector<uint32_t> &words, const MaskUnits &units) {
  if (!units.wgp_bits) {
    return intersection(cu_set(words.data(), words.size()), all_cus(units.compute_units));
  }
  CuSet set;
  for (uint32_t cu = 0; cu < units.compute_units; ++cu) {
    if (cu / 2 / 32 < words.size() && (words[cu / 2 / 32] >> (cu / 2 % 32) & 1)) {
      set.add(cu);
    }
  }
  return set;
}

CuSet clip_by_hsa_cu_mask(const char *value, uint32_t device, uint32_t compute_units) {
  CuSet everything = all_cus(compute_units);
  const std::string text = without_spaces(value ? value : "");
  CuSet seen;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(';', at), text.size());
    CuSet gpus;
    CuSet cus;
    // ROCr stops at the first set with a fault; what came before it holds.
    if (!parse_set(text.substr(at, end - at), gpus, cus) || intersection(gpus, seen).count() != 0) {
      return everything;
    }
    if (gpus.has(device)) {
      return intersection(cus, everything);
    }
    for (uint32_t gpu = 0; gpu < gpus.end(); ++gpu) {
      if (gpus.has(gpu)) {
        seen.add(gpu);
      }
    }
    at = end + 1;
  }
  return everything;
}

CuSet clip_by_global_mask(const char *value, const MaskUnits &units) {
  CuSet bits;
  if (!value || !parse_hex(without_spaces(value), bits) || bits.words.empty()) {
    return all_cus(units.compute_units);
  }
  return from_hip_words(bits.words, units);
}

}  // namespace eclip

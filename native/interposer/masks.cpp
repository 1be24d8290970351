#include "masks.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <string>

namespace eclip {

namespace {

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

// "3", "0-4,9": numbers up to `limit`.
bool parse_list(const std::string &text, uint32_t limit, CuSet &set) {
  const char *at = text.c_str();
  while (true) {
    char *end = nullptr;
    if (!isdigit(static_cast<unsigned char>(*at))) {
      return false;
    }
    const unsigned long first = strtoul(at, &end, 10);
    unsigned long last = first;
    if (*end == '-') {
      at = end + 1;
      if (!isdigit(static_cast<unsigned char>(*at))) {
        return false;
      }
      last = strtoul(at, &end, 10);
    }
    for (unsigned long number = first; number <= last && number < limit; ++number) {
      set.add(static_cast<uint32_t>(number));
    }
    if (*end == '\0') {
      return true;
    }
    if (*end != ',') {
      return false;
    }
    at = end + 1;
  }
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
  if (!value) {
    return everything;
  }
  CuSet allowed;
  bool named = false;
  const std::string text = without_spaces(value);
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(';', at), text.size());
    const std::string entry = text.substr(at, end - at);
    at = end + 1;
    const size_t colon = entry.find(':');
    CuSet gpus;
    CuSet cus;
    // ROCr drops the whole variable when any part of it is wrong.
    if (colon == std::string::npos || !parse_list(entry.substr(0, colon), 1024, gpus)) {
      return everything;
    }
    const std::string list = entry.substr(colon + 1);
    if (!parse_hex(list, cus) && !parse_list(list, compute_units, cus)) {
      return everything;
    }
    if (gpus.has(device)) {
      allowed = cus;
      named = true;
    }
  }
  return named ? intersection(allowed, everything) : everything;
}

CuSet clip_by_global_mask(const char *value, const MaskUnits &units) {
  CuSet bits;
  if (!value || !parse_hex(without_spaces(value), bits) || bits.words.empty()) {
    return all_cus(units.compute_units);
  }
  return from_hip_words(bits.words, units);
}

}  // namespace eclip

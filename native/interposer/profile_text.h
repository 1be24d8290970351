// The KernelProfile document that profile mode writes. Pure.
#pragma once

#include <string>
#include <vector>

#include "plan.h"

namespace eclip {

struct ProfiledKernel {
  uint32_t symbol = 0;  // index into ProfileText::symbols
  KernelKey key;
  uint32_t stream = 0;         // index into ProfileText::streams
  std::vector<double> micros;  // one per size
};

struct ProfileText {
  std::string name;
  std::string product;
  uint32_t compute_units = 0;
  std::vector<uint32_t> sizes;  // CUs, ascending; the last is the whole GPU
  std::vector<StreamKind> streams;
  std::vector<std::string> symbols;
  std::vector<ProfiledKernel> kernels;
};

double median(std::vector<double> values);  // of at least one

std::string write_profile(const ProfileText &profile);

}  // namespace eclip

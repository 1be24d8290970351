// What the kernels after a given one cost at least, at a price: the bound that cuts a front.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "eclip/planner.h"

namespace eclip {

class Future {
 public:
  Future(const eclip_paths &paths, double price);

  // Prepares the answers for paths that begin with this size (-1: any).
  void run(int first);

  // Least time + hop_micros * hops + price * area of the kernels after `kernel`, from this size on, with `level`
  // switches spent.
  double after(uint32_t kernel, uint32_t size, std::size_t level) const { return cost_[at(kernel, size, level)]; }

 private:
  std::size_t at(std::size_t kernel, std::size_t size, std::size_t level) const {
    return (kernel * paths_.sizes + size) * levels_ + level;
  }
  double cheapest(uint32_t kernel, std::size_t level) const;

  const eclip_paths &paths_;
  double price_;
  std::size_t levels_;
  std::vector<double> cost_;  // [kernels][sizes][levels]
};

}  // namespace eclip

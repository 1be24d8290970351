// What a program says at its end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace workloads {

struct Outcome {
  double seconds = 0;
  uint64_t missed_periods = 0;
  uint64_t mismatches = 0;
  uint64_t checksum = 0;          // of all requests, in whatever order they were served
  std::vector<double> latencies;  // micros

  void add(const Outcome &other);
};

// Folds one request's checksum in: a sum, so that the order of serving threads does not matter.
uint64_t folded(uint64_t request, uint64_t checksum);

// One line of JSON.
std::string json(const std::string &model, Outcome outcome);

}  // namespace workloads

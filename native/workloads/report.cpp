#include "report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace workloads {

void Outcome::add(const Outcome &other) {
  seconds = std::max(seconds, other.seconds);
  missed_periods += other.missed_periods;
  mismatches += other.mismatches;
  checksum += other.checksum;
  latencies.insert(latencies.end(), other.latencies.begin(), other.latencies.end());
}

uint64_t folded(uint64_t request, uint64_t checksum) {
  uint64_t hash = checksum + 0x9e3779b97f4a7c15u * (request + 1);  // finaliser of SplitMix64
  hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ hash >> 27) * 0x94d049bb133111ebu;
  return hash ^ hash >> 31;
}

namespace {

// The smallest latency that `share` of all requests did not exceed.
double percentile(const std::vector<double> &sorted, double share) {
  if (sorted.empty()) return 0;
  const auto rank = size_t(std::ceil(share * double(sorted.size())));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

}  // namespace

std::string json(const std::string &model, Outcome outcome) {
  std::sort(outcome.latencies.begin(), outcome.latencies.end());
  const size_t requests = outcome.latencies.size();
  char line[512];
  std::snprintf(line, sizeof line,
                "{\"model\": \"%s\", \"requests\": %zu, \"seconds\": %.6f, \"requestsPerSecond\": %.3f, "
                "\"p50Micros\": %.1f, \"p95Micros\": %.1f, \"p99Micros\": %.1f, \"missedPeriods\": %llu, "
                "\"checksum\": \"%016llx\", \"checksumMismatches\": %llu}",
                model.c_str(), requests, outcome.seconds,
                outcome.seconds > 0 ? double(requests) / outcome.seconds : 0.0, percentile(outcome.latencies, 0.50),
                percentile(outcome.latencies, 0.95), percentile(outcome.latencies, 0.99),
                static_cast<unsigned long long>(outcome.missed_periods),
                static_cast<unsigned long long>(outcome.checksum), static_cast<unsigned long long>(outcome.mismatches));
  return line;
}

}  // namespace workloads

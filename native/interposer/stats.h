// This process's record in the slot's stats file (native/include/eclip/slot.h). Without a file, or without a free
// record, the same counters in private memory, so that nobody has to ask.
#pragma once

#include <cstdint>
#include <string>

#include "eclip/slot.h"

namespace eclip {

inline void bump(uint64_t &counter, uint64_t by = 1) { __atomic_fetch_add(&counter, by, __ATOMIC_RELAXED); }
inline void put(uint64_t &field, uint64_t value) { __atomic_store_n(&field, value, __ATOMIC_RELAXED); }
inline void put(uint32_t &field, uint32_t value) { __atomic_store_n(&field, value, __ATOMIC_RELAXED); }

uint64_t now_ns();         // CLOCK_MONOTONIC
uint64_t now_ns_coarse();  // the same clock by its last tick: a few nanoseconds to read

// Bucket b of eclip_model_counters.request_micros holds times from 2^(b/8) us on; the first one all below, too.
uint32_t bucket_of(uint64_t nanoseconds);

class Stats {
 public:
  // Claims a record of the file; `why` says what kept it from doing so, if anything.
  void open(const std::string &path, std::string &why);
  eclip_client &client() { return *client_; }
  bool shared() const { return shared_; }

  // The counters of a table generation. A new generation takes the block of the one before the last.
  eclip_counters &begin_generation(uint64_t generation);
  eclip_counters &counters_of(uint64_t generation);
  void refuse(uint64_t generation, eclip_refusal why, const std::string &text);

 private:
  eclip_client *client_ = nullptr;
  bool shared_ = false;
};

void count_request(eclip_model_counters &model, uint64_t nanoseconds, bool marked);

// Times of requests one after the other, from start to start. Those of a kind are counted at once.
class RequestTimes {
 public:
  explicit RequestTimes(eclip_model_counters &model) : model_(model) {}
  ~RequestTimes();
  RequestTimes(const RequestTimes &) = delete;
  RequestTimes &operator=(const RequestTimes &) = delete;
  void add(uint64_t nanoseconds);

 private:
  void flush();

  eclip_model_counters &model_;
  uint64_t micros_ = 0;
  uint32_t bucket_ = 0;
  uint32_t count_ = 0;  // in that bucket
};

}  // namespace eclip

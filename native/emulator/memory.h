/* Memory as the GPU sees it. Allocations have one address for host and GPU; host memory that is registered gets an
 * address of its own on the GPU, as HIP 5.2 relies on it, so every pointer a kernel uses is translated. */
#pragma once

#include <hsakmttypes.h>

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <shared_mutex>
#include <vector>

namespace emulator {

struct Allocation {
  uint64_t base = 0;
  uint64_t size = 0; /* whole pages */
  uint32_t node = 0;
  HsaMemFlags flags{};
  void *user_data = nullptr;
  std::vector<uint32_t> mapped;
};

struct Registration {
  uint64_t host = 0;
  uint64_t size = 0;
  uint64_t gpu = 0;      /* same offset within the page */
  uint64_t reserved = 0; /* start of the address range */
  uint64_t reserved_size = 0;
  uint32_t references = 1;
  HsaMemFlags flags{};
  void *user_data = nullptr;
  std::vector<uint32_t> mapped;
};

class Memory {
 public:
  /* nullptr when the host has no address range left. */
  void *allocate(uint64_t size, uint32_t node, HsaMemFlags flags);
  /* The size that was freed, 0 if `address` starts no allocation. */
  uint64_t free(void *address, uint32_t &node, HsaMemFlags &flags);
  bool attach(void *address, uint64_t size, HsaMemFlags flags); /* register host memory */
  bool detach(void *address);
  /* `alternate` is the GPU's address if it differs from the host's, else 0. */
  bool map(void *address, const uint32_t *nodes, uint64_t count, uint64_t &alternate);
  void unmap(void *address);
  bool query(const void *pointer, HsaPointerInfo &info);
  bool set_user_data(const void *pointer, void *data);

  void *host(uint64_t device_address) const;
  /* Base of the allocation that holds the address, 0 if none does. */
  uint64_t block(uint64_t address, uint64_t &size) const;
  bool on_gpu(uint64_t address) const;

 private:
  const Allocation *find(uint64_t address) const;
  Allocation *find(uint64_t address);
  Registration *find_registration(uint64_t address); /* host or GPU address */

  mutable std::shared_mutex mutex_;
  std::map<uint64_t, Allocation> allocations_;
  std::list<Registration> registrations_; /* newest first */
  std::atomic<uint32_t> registered_{0};
};

}  // namespace emulator

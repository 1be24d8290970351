/* Kernels by the object that a dispatch packet names: their name, their work on the chip, their effect on memory. */
#pragma once

#include <hsa/hsa.h>

#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "config.h"
#include "eclip/emulator.h"
#include "memory.h"
#include "trace.h"

namespace emulator {

struct Kernel {
  std::string name;
  const eclip_kernel *known = nullptr; /* of a library, or a blit */
  bool blit = false;                   /* one of the runtime's own */
  bool wait = false;                   /* blocks its queue until a value in memory is right */
  uint32_t number = 0;                 /* in the trace */
};

/* One launch: what the kernel libraries see, and where its arguments are. */
struct Dispatch {
  eclip_dispatch view{};
  const Kernel *kernel = nullptr;
  const Memory *memory = nullptr;

  static const Dispatch &of(const eclip_dispatch *view);
};

class Kernels {
 public:
  /* Throws std::runtime_error if a library cannot be loaded or exports no kernels. */
  Kernels(const Config &config, const Memory &memory, Trace &trace);

  const Kernel &resolve(uint64_t kernel_object);
  void forget(uint64_t base, uint64_t size); /* the code there is gone */

  Dispatch dispatch_of(const hsa_kernel_dispatch_packet_t &packet);
  /* False if the kernel takes no time at all. */
  bool load_of(const Dispatch &dispatch, const eclip_chip &chip, double host_bytes_per_micro, const eclip_cu_set &mask,
               eclip_load &load) const;

 private:
  void open_library(const std::string &path);
  Kernel make(uint64_t kernel_object);
  void note_name(const Kernel &kernel);

  const Memory &memory_;
  Trace &trace_;
  double unknown_wave_micros_;
  std::mutex mutex_;
  std::unordered_map<std::string, const eclip_kernel *> library_;
  std::unordered_map<uint64_t, const Kernel *> cache_;
  std::unordered_map<std::string, Kernel> kernels_; /* never shrinks: dispatches and the trace refer to them */
};

}  // namespace emulator

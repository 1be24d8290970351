/* What the hardware did, as records of one process in a mapped file that is whole at any moment, however the process
 * ends. core/eclip/emulated/__init__.py reads it. */
#pragma once

#include <cstdint>
#include <string>

#include "eclip/contention.h"

namespace emulator {

enum class TraceKind : uint16_t {
  end = 0,
  name = 1,
  queue = 2,
  mask = 3,
  kernel = 4,
  barrier = 5,
  other = 6,
  queue_gone = 7
};

struct TraceRecord {
  TraceKind kind;
  uint16_t gpu;
  uint32_t size; /* in bytes, of the record and what follows it */
  uint32_t queue;
  uint32_t detail; /* kernel: number of its name; barrier, other: PacketKind; queue: ring size in packets */
  double arrived;  /* GPU micros: when the packet was first seen */
  double begin;
  double end;
  uint64_t packet; /* index in its queue */
};
static_assert(sizeof(TraceRecord) == 48);

class Trace {
 public:
  /* No trace if `folder` is empty. */
  Trace(const std::string &folder, double time_scale);
  Trace(const Trace &) = delete;
  Trace &operator=(const Trace &) = delete;

  bool on() const { return base_ != nullptr; }
  /* From one thread at a time. `extra` follows the record, padded to 8 bytes. */
  void write(TraceRecord record, const void *extra = nullptr, uint32_t extra_size = 0);

 private:
  bool grow(uint64_t size);

  int fd_ = -1;
  char *base_ = nullptr;
  uint64_t size_ = 0;
  uint64_t used_ = 0;
};

}  // namespace emulator

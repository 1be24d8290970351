/* One emulated GPU of this process: its chip and its queues. */
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "host.h"
#include "queue.h"

namespace emulator {

class Device {
 public:
  Device(const Config &config, uint16_t index, Kernels &kernels, Events &events, Waits &waits, Trace &trace);

  Chip &chip() { return chip_; }
  const GpuConfig &gpu() const { return gpu_; }

  /* nullptr if the chip has no place for a further queue. */
  Queue *open_queue(uint32_t number, const Ring &ring);
  void close_queue(Queue *queue);
  Queue *find_queue(uint32_t number);
  /* Sets a queue's mask, as the ioctl does: `micros` is how long the driver has the chip's queues unmapped, and the
   * caller stands. Returns when it goes on. */
  double set_mask(Queue &queue, const eclip_cu_set &mask, double micros);

  /* Looks at all queues and plays the chip forward; true if anything happened. `visited`: a thread of the program
   * waits for the queues, and for nothing else. */
  bool round(bool visited);
  /* When the next thing happens by itself, in CLOCK_BOOTTIME ns. */
  int64_t due_ns() const;
  bool idle() const { return queues_.empty(); }
  /* GPU time waits for the program, which has to be looked at. */
  bool held_by_host() const;
  void describe(FILE *to) const;

 private:
  bool play();
  bool has_unfinished() const;
  bool watch_host(const Host::Look &look);
  void note_signals(double now);
  double next_end(double now);
  bool serve(Chip::Turn &turn);
  void complete();

  const GpuConfig &gpu_;
  Chip chip_;
  Surroundings around_;
  std::vector<std::unique_ptr<Queue>> queues_;
  std::vector<Queue *> of_ticket_;
  std::vector<Finished> finished_;
  std::vector<uint32_t> launched_;
  double due_;
  std::optional<Host> host_; /* only in virtual time */
  double host_horizon_;      /* the program may act at this moment; +infinity while it waits, or time is not virtual */
  uint64_t signals_ = 0;     /* as of the last note */
  std::vector<double> ends_; /* of ioctls that a thread of the program stands in */
};

}  // namespace emulator

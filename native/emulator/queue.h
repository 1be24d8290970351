/* A queue of the chip: its ring of packets, played in order at GPU time. */
#pragma once

#include <deque>
#include <vector>

#include "chip.h"
#include "events.h"
#include "kernels.h"
#include "packets.h"
#include "trace.h"
#include "waits.h"

namespace emulator {

/* Where ROCr keeps a queue. */
struct Ring {
  Packet *packets = nullptr;
  uint64_t size = 0; /* in packets */
  uint64_t *read_index = nullptr;
  uint64_t *write_index = nullptr;
  uint64_t *doorbell = nullptr;
};

/* What all queues of one GPU work with. */
struct Surroundings {
  Chip &chip;
  Kernels &kernels;
  Events &events;
  Waits &waits;
  Trace &trace;
  const GpuConfig &gpu;
  uint16_t index;       /* of the GPU */
  uint64_t signals = 0; /* completed so far: each may be what the program waits for */
};

class Queue {
 public:
  Queue(uint32_t number, uint32_t use, const Ring &ring, Surroundings &around);
  Queue(const Queue &) = delete;
  Queue &operator=(const Queue &) = delete;

  uint32_t number() const { return number_; }
  uint32_t use() const { return use_; }
  const Ring &ring() const { return ring_; }
  void set_mask(const eclip_cu_set &mask, double now);

  /* Looks at the doorbell and at what the head waits for; true if there may be something to do. */
  bool poll(double now);
  /* Processes packets at the chip's time; true if any moved. Launched kernels are named in `launched`. */
  bool serve(Chip::Turn &turn, double now, std::vector<uint32_t> &launched);
  /* A kernel of this queue is done: its effect, its signal. */
  void complete(const Finished &finished);
  bool has_unfinished() const { return next_ < seen_ || !in_flight_.empty(); }
  /* When the head, which waits for nothing else, is over. */
  double due() const { return due_; }
  void describe(FILE *to) const;

 private:
  struct Arrival {
    uint64_t end; /* packets below this index */
    double at;
  };
  struct InFlight {
    uint32_t ticket;
    Dispatch dispatch;
    uint64_t signal;
    double arrived;
    uint64_t packet;
  };
  enum class Step { blocked, moved };

  bool head_is_published() const;
  double arrival();
  Step step(Chip::Turn &turn, double now, std::vector<uint32_t> &launched);
  Step dispatch(Chip::Turn &turn, double now, std::vector<uint32_t> &launched);
  Step barrier(Chip::Turn &turn, double now);
  bool dependencies_met(const Packet &packet) const;
  bool is_over(double now, double cost);
  void finish_at_once(Chip::Turn &turn, double now, PacketKind kind, uint64_t signal);
  void consume();
  void signal(uint64_t handle, double begin, double end);
  void note(TraceKind kind, uint32_t detail, double begin, double end);

  uint32_t number_;
  uint32_t use_;
  Ring ring_;
  Surroundings &around_;
  eclip_cu_set mask_;
  uint32_t mask_cus_;

  uint64_t next_; /* index of the head */
  uint64_t seen_; /* packets below this index have been written, or reserved */
  uint64_t last_doorbell_;
  std::deque<Arrival> arrivals_;
  std::vector<InFlight> in_flight_;
  double head_since_;             /* NaN: the head has not been looked at */
  double due_;                    /* +infinity: not known */
  double front_free_ = 0;         /* the front end is busy with this queue until then */
  bool waits_for_memory_ = false; /* the head: a signal or a value */
};

}  // namespace emulator

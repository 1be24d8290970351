/* The state of one chip as all processes share it: a mapped file. What lies before `lock` is read by core/eclip/emulated,
 * so its offsets are fixed; a change of any of them raises `chip_version`. What comes after it is guarded by it. */
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "chip_lock.h"
#include "eclip/contention.h"

namespace emulator {

constexpr char chip_magic[8] = {'E', 'C', 'L', 'C', 'H', 'I', 'P', '\0'};
constexpr uint32_t chip_version = 4;
constexpr uint32_t max_clients = 64;
constexpr uint32_t max_queues = 1024; /* of one chip, over all processes */
constexpr uint32_t max_tickets = 2048;
constexpr uint32_t no_ticket = UINT32_MAX;
constexpr size_t allocation_bytes = 64;

/* Packets as the chip saw them. A blit is a dispatch of one of the runtime's own kernels. */
enum PacketKind : uint32_t { dispatch, blit, barrier_and, barrier_or, barrier_value, vendor, other, packet_kinds = 8 };

struct ChipSummary {
  char magic[8];
  uint32_t version;
  std::atomic<uint32_t> ready;
  int64_t epoch_ns; /* CLOCK_BOOTTIME at GPU time 0 */
  double time_scale;
  uint32_t compute_units;
  uint32_t clients; /* processes that use the chip now */
  double now;       /* GPU time up to which the chip has been played */
  double microjoules;
  double busy_cu_micros;
  double bytes;
  double idle_watts;
  double most_behind;  /* the furthest that the chip lagged behind the wall clock, in GPU micros */
  uint64_t dead;       /* processes that ended without saying so */
  uint64_t rotations;  /* changes of the resident queues, because more were busy than there are slots */
  uint64_t mask_calls; /* ioctls that set a queue's mask */
  uint64_t vram_used;
  uint64_t packets[packet_kinds];
  uint64_t virtual_time; /* 1: GPU time does not follow the wall clock, it waits for the programs */
  uint64_t passed_over;  /* times that the chip went on without a process that did not act in time */
};
static_assert(offsetof(ChipSummary, epoch_ns) == 16 && offsetof(ChipSummary, now) == 40);
static_assert(offsetof(ChipSummary, dead) == 88 && offsetof(ChipSummary, packets) == 120);
static_assert(sizeof(ChipSummary) == 200);

struct Client {
  uint32_t used;
  uint32_t absent;            /* did not act in time: the others go on without it until it is back */
  std::atomic<uint32_t> wake; /* futex */
  std::atomic<uint32_t> asleep;
  double horizon;        /* the chip may not be played beyond this moment before the client has acted */
  double wake_at;        /* when it means to wake by itself */
  int64_t held_since_ns; /* when another client first found it holding the chip; 0: nobody did */
  uint32_t finished;     /* tickets that wait for it */
  uint64_t vram;
};

/* A queue. Its place is taken again only after its client is gone or has destroyed it; the counts stay till then. */
struct QueueUse {
  uint32_t client; /* index + 1; 0: free */
  uint32_t number;
  uint32_t busy;
  uint32_t resident;
  double last_active;
  uint64_t packets[packet_kinds];
};

enum TicketState : uint32_t { ticket_free, ticket_pending, ticket_running, ticket_paused, ticket_finished };

/* A kernel between its launch and the moment when its process has learned that it is done. */
struct Ticket {
  TicketState state;
  uint32_t client;
  uint32_t use;
  uint32_t position; /* in `active` */
  uint64_t fluid_id;
  double begin; /* pending: when it is due to start; later: when it first ran */
  double end;
  double remaining; /* of 1, as of the last pause */
  eclip_load load;
};

struct ChipFile {
  ChipSummary summary;
  char allocations[max_clients][allocation_bytes]; /* ECLIP_ALLOCATION of every client, ends with a zero */
  alignas(4096) ChipLock lock;
  eclip_chip parameters;
  eclip_fluid fluid;
  Client clients[max_clients];
  QueueUse uses[max_queues];
  uint32_t uses_end; /* none in use from here on */
  uint32_t active_count;
  uint32_t active[max_tickets]; /* tickets that are not free */
  Ticket tickets[max_tickets];
  uint32_t busy_uses;
  uint32_t next_turn;     /* use that comes first in the next rotation */
  double next_rotation;   /* +infinity while every busy queue has a slot */
  double stalled_until;   /* nothing runs until then: a mask is being set */
  uint32_t queues_in_use; /* as of `in_use_at`, with the processes that they belong to */
  uint32_t processes_in_use;
  double in_use_at;
};
static_assert(offsetof(ChipFile, allocations) == 200 && offsetof(ChipFile, lock) == 8192);

}  // namespace emulator

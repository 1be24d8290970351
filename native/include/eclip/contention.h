/* How kernels that run at one time share a chip: one fluid model, used by the emulated GPU and, through ctypes, by
 * core/eclip/contention/__init__.py. C ABI, no allocation, no globals, plain data: the state may live in shared memory.
 *
 * Time is in GPU microseconds (double), sets of CUs in the kernel driver's bit order. A kernel that runs alone on
 * its mask finishes in `solo_micros`. With others present every kernel has a speed in (0, 1] of that:
 * work-conserving max-min fairness on every CU (equal split, what a kernel cannot use goes to the others) and on
 * memory bandwidth. A kernel's work is dealt in equal parts to the shader engines that have a CU in its mask
 * (Otterness & Anderson, RTNS'21), so that its slowest engine sets its rate. The exact rules:
 * native/contention/README.md.
 */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define ECLIP_MAX_CUS 1024
#define ECLIP_CU_WORDS (ECLIP_MAX_CUS / 32)
#define ECLIP_MAX_ENGINES 128
#define ECLIP_MAX_RUNNING 256     /* kernels on the chip at one time */
#define ECLIP_MAX_WORKERS 32      /* of a closed loop */
#define ECLIP_MAX_LOOP_STREAMS 32 /* of one worker of a closed loop */

typedef struct eclip_cu_set {
  uint32_t words[ECLIP_CU_WORDS];
} eclip_cu_set;

/* The chip, as far as sharing is concerned. Sources of the numbers: core/eclip/gpu/products.yaml. */
typedef struct eclip_chip {
  uint32_t compute_units;
  uint32_t engines;                  /* shader engines over all XCCs */
  uint16_t engine_of[ECLIP_MAX_CUS]; /* by driver bit */
  double bytes_per_micro;            /* memory bandwidth of the chip */
  double cu_bytes_per_micro;         /* what one CU can draw at most */
  double launch_micros;              /* front end: per dispatch packet, on an otherwise idle chip */
  double barrier_micros;             /* per barrier packet */
  double stream_micros;              /* added per dispatch for each further queue in use, beyond one a process */
  uint32_t queue_slots;              /* queues with unfinished packets that are resident at one time */
  double quantum_micros;             /* time slice of the run list when more queues are busy than there are slots */
  double idle_watts;
  double cu_watts;         /* per busy CU */
  double byte_microjoules; /* per byte of memory traffic */
} eclip_chip;

/* A kernel on one mask, alone. */
typedef struct eclip_load {
  eclip_cu_set mask;
  double solo_micros;     /* > 0 */
  double busy_cus;        /* CUs kept busy while it runs alone, in (0, |mask|] */
  double bytes_per_micro; /* memory traffic while it runs alone */
} eclip_load;

/* What a kernel is made of, independent of any mask. */
typedef struct eclip_shape {
  double workgroups;
  double workgroups_per_cu; /* resident at one time on one CU */
  double wave_micros;       /* time of one full wave of workgroups on a CU, without memory limits */
  double bytes;             /* memory traffic in all */
} eclip_shape;

/* Solo time of a kernel on a mask: the largest of ceil(workgroups per engine / resident on the smallest engine)
 * waves, the time that the chip's memory needs, and the time that the smallest engine's CUs need to move its part.
 * An empty mask means all CUs. */
void eclip_load_of(const eclip_chip *chip, const eclip_shape *shape, const eclip_cu_set *mask, eclip_load *load);

/* Front-end time of one dispatch while `queues` queues with unfinished packets, of `processes` processes, are in
 * use. */
double eclip_dispatch_micros(const eclip_chip *chip, uint32_t queues, uint32_t processes);

typedef struct eclip_running {
  eclip_load load;
  double engine_cus; /* CUs that it keeps busy on each of its shader engines while it runs alone */
  double memory;     /* part of the chip's bandwidth that it takes while it runs alone, in [0, 1] */
  double remaining;  /* of 1 */
  double speed;      /* of that alone, now: in (0, 1] */
  double rate;       /* progress per micro now: speed / solo_micros */
  uint64_t id;       /* 0: not in use */
} eclip_running;

typedef struct eclip_fluid {
  double now;
  uint64_t next_id;
  uint32_t count;        /* running[0 .. count) are in use, in no order */
  double joules_micro;   /* energy since the start, in microjoules, idle power included */
  double busy_cu_micros; /* integral of busy CUs */
  double bytes;
  double busy_cus;        /* now */
  double bytes_per_micro; /* now */
  eclip_running running[ECLIP_MAX_RUNNING];
} eclip_fluid;

void eclip_fluid_init(eclip_fluid *fluid, double now);
/* Starts a kernel at fluid->now and returns its id; 0 if the chip is full. Bits of the mask beyond the chip are
 * ignored; a mask without any CU of the chip means all CUs. */
uint64_t eclip_fluid_start(const eclip_chip *chip, eclip_fluid *fluid, const eclip_load *load);
/* Takes a kernel away before it is done (its process died). */
void eclip_fluid_remove(const eclip_chip *chip, eclip_fluid *fluid, uint64_t id);
/* When the next kernel finishes at the present rates; +infinity if none runs. */
double eclip_fluid_next_finish(const eclip_fluid *fluid);
/* Advances to `until`, or to the first finish before it. Returns the id of the kernel that finished (its place is
 * free then), or 0 when `until` was reached. Call again until 0. Of kernels that finish together the oldest comes
 * first. */
uint64_t eclip_fluid_advance(const eclip_chip *chip, eclip_fluid *fluid, double until);
/* The part of every CU that is busy now, in [0, 1]; `busy` has chip->compute_units places. */
void eclip_fluid_busy(const eclip_chip *chip, const eclip_fluid *fluid, double *busy);

/* Sizes of eclip_chip, eclip_load, eclip_fluid and eclip_outcome: what a caller in another language was written for. */
void eclip_contention_layout(uint32_t sizes[4]);

/* One worker of a closed loop: it sends its next request when the last one is done, kernels in order. */
typedef struct eclip_step {
  eclip_load load;
  uint32_t stream; /* of this worker, below ECLIP_MAX_LOOP_STREAMS; each is one hardware queue */
  double
      lead_micros; /* barriers before it: what its queue waits beyond the end of the step before, front end excluded */
} eclip_step;

typedef struct eclip_worker {
  const eclip_step *steps;
  uint32_t count;
  double start_micros;       /* when its first request is sent; workers that start together may stay in step */
  double request_gap_micros; /* between a request's last kernel and the next request's first dispatch: the host */
} eclip_worker;

/* What a closed loop came to while all workers were active. */
typedef struct eclip_outcome {
  double period_micros[ECLIP_MAX_WORKERS];  /* mean time of one request */
  double slowest_micros[ECLIP_MAX_WORKERS]; /* the slowest request */
  double requests[ECLIP_MAX_WORKERS];       /* done, fractions of the last one included */
  double micros;                            /* length of the time looked at */
  double busy_cus;                          /* mean */
  double bytes_per_micro;                   /* mean */
  double watts;                             /* mean, idle power included */
} eclip_outcome;

/* Runs the workers side by side until each has finished `requests` requests; all keep running until the last one
 * has. The first request of every worker is not counted. Returns 0, or -1 if the input is no good. */
int eclip_closed_loop(const eclip_chip *chip, const eclip_worker *workers, uint32_t count, uint32_t requests,
                      eclip_fluid *scratch, eclip_outcome *outcome);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

/* Workers side by side, each sending its next request when the last one is
 * done. */
#include <cmath>

#include "cus.h"
#include "eclip/contention.h"

namespace {

using eclip::contention::larger;

/* A worker waits for its queue (until `ready`), or runs kernel `id`. */
struct Seat {
  uint32_t step;
  uint64_t id; /* 0: waiting */
  double ready;
  uint32_t done;
  double counted_from; /* end of the first request */
  double last_end;
  double slowest;
};

struct Loop {
  const eclip_chip &chip;
  const eclip_worker *workers;
  uint32_t count;
  eclip_fluid *fluid;
  double dispatch_micros;
  Seat seats[ECLIP_MAX_WORKERS];
};

bool valid(const eclip_chip &chip, const eclip_worker *workers, uint32_t count, uint32_t requests) {
  if (!eclip::contention::usable(chip) || count == 0 || count > ECLIP_MAX_WORKERS || requests == 0) return false;
  for (uint32_t w = 0; w < count; ++w) {
    if (workers[w].count == 0 || !(workers[w].request_gap_micros >= 0) || !(workers[w].start_micros >= 0)) return false;
    for (uint32_t k = 0; k < workers[w].count; ++k) {
      const eclip_step &step = workers[w].steps[k];
      if (step.stream >= ECLIP_MAX_LOOP_STREAMS || !(step.load.solo_micros > 0) || !(step.lead_micros >= 0))
        return false;
    }
  }
  return true;
}

/* Queues that one request of a worker uses. */
uint32_t streams_of(const eclip_worker &worker) {
  bool seen[ECLIP_MAX_LOOP_STREAMS] = {};
  uint32_t streams = 0;
  for (uint32_t k = 0; k < worker.count; ++k) {
    bool &known = seen[worker.steps[k].stream];
    streams += known ? 0 : 1;
    known = true;
  }
  return streams;
}

double dispatch_micros(const eclip_chip &chip, const eclip_worker *workers, uint32_t count) {
  uint32_t queues = 0;
  for (uint32_t w = 0; w < count; ++w) queues += streams_of(workers[w]);
  return eclip_dispatch_micros(&chip, queues, count);
}

void queue_step(Loop *loop, uint32_t w, double extra) {
  Seat &seat = loop->seats[w];
  seat.id = 0;
  seat.ready = loop->fluid->now + extra + loop->workers[w].steps[seat.step].lead_micros + loop->dispatch_micros;
}

bool start_step(Loop *loop, uint32_t w) {
  Seat &seat = loop->seats[w];
  seat.ready = INFINITY;
  seat.id = eclip_fluid_start(&loop->chip, loop->fluid, &loop->workers[w].steps[seat.step].load);
  return seat.id != 0;
}

/* The kernel of worker `w` is done. */
void finish_step(Loop *loop, uint32_t w) {
  Seat &seat = loop->seats[w];
  const double now = loop->fluid->now;
  if (++seat.step < loop->workers[w].count) return queue_step(loop, w, 0);
  seat.step = 0;
  if (seat.done++ == 0)
    seat.counted_from = now;
  else
    seat.slowest = larger(seat.slowest, now - seat.last_end);
  seat.last_end = now;
  queue_step(loop, w, loop->workers[w].request_gap_micros);
}

bool all_have(const Loop &loop, uint32_t requests) {
  for (uint32_t w = 0; w < loop.count; ++w)
    if (loop.seats[w].done < requests) return false;
  return true;
}

uint32_t first_ready(const Loop &loop) {
  uint32_t first = 0;
  for (uint32_t w = 1; w < loop.count; ++w)
    if (loop.seats[w].ready < loop.seats[first].ready) first = w;
  return first;
}

/* One event: a kernel finishes or starts. */
bool advance(Loop *loop) {
  const uint32_t waiting = first_ready(*loop);
  const double ready = loop->seats[waiting].ready;
  const uint64_t id = eclip_fluid_advance(&loop->chip, loop->fluid, ready);
  if (id == 0) return start_step(loop, waiting);
  for (uint32_t w = 0; w < loop->count; ++w) {
    if (loop->seats[w].id != id) continue;
    finish_step(loop, w);
    return true;
  }
  return false;
}

/* What the chip had done at one moment. */
struct Reading {
  double now;
  double joules_micro;
  double busy_cu_micros;
  double bytes;
};

Reading read(const eclip_fluid &fluid) { return {fluid.now, fluid.joules_micro, fluid.busy_cu_micros, fluid.bytes}; }

void report(const Loop &loop, const Reading &begin, eclip_outcome *outcome) {
  const Reading end = read(*loop.fluid);
  *outcome = eclip_outcome{};
  outcome->micros = end.now - begin.now;
  outcome->busy_cus = (end.busy_cu_micros - begin.busy_cu_micros) / outcome->micros;
  outcome->bytes_per_micro = (end.bytes - begin.bytes) / outcome->micros;
  outcome->watts = (end.joules_micro - begin.joules_micro) / outcome->micros;
  for (uint32_t w = 0; w < loop.count; ++w) {
    const Seat &seat = loop.seats[w];
    outcome->period_micros[w] = (seat.last_end - seat.counted_from) / (seat.done - 1);
    outcome->slowest_micros[w] = seat.slowest;
    outcome->requests[w] = outcome->micros / outcome->period_micros[w];
  }
}

bool run_until_all_have(Loop *loop, uint32_t requests) {
  while (!all_have(*loop, requests))
    if (!advance(loop)) return false;
  return true;
}

}  // namespace

int eclip_closed_loop(const eclip_chip *chip, const eclip_worker *workers, uint32_t count, uint32_t requests,
                      eclip_fluid *scratch, eclip_outcome *outcome) {
  if (!valid(*chip, workers, count, requests)) return -1;
  eclip_fluid_init(scratch, 0);
  Loop loop{*chip, workers, count, scratch, dispatch_micros(*chip, workers, count), {}};
  for (uint32_t w = 0; w < count; ++w) queue_step(&loop, w, workers[w].start_micros);
  if (!run_until_all_have(&loop, 1)) return -1;
  const Reading begin = read(*scratch);
  if (!run_until_all_have(&loop, requests + 1)) return -1;
  report(loop, begin, outcome);
  return 0;
}

#include "device.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace emulator {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();
/* Rounds before other threads of the process get at the queues. */
constexpr int most_rounds = 64;
/* CPU time that a program takes between two launches, or to go on after a wait. */
constexpr double most_quiet_micros = 100;

}  // namespace

Device::Device(const Config &config, uint16_t index, Kernels &kernels, Events &events, Trace &trace)
    : gpu_(config.gpus[index]),
      chip_(gpu_, config.time_scale, config.virtual_time),
      around_{chip_, kernels, events, trace, gpu_, index},
      of_ticket_(max_tickets),
      due_(never),
      host_horizon_(never) {}

Queue *Device::open_queue(uint32_t number, const Ring &ring) {
  uint32_t use;
  {
    Chip::Turn turn(chip_);
    use = turn.open_queue(number);
  }
  if (use == UINT32_MAX) return nullptr;
  queues_.push_back(std::make_unique<Queue>(number, use, ring, around_));
  return queues_.back().get();
}

void Device::close_queue(Queue *queue) {
  {
    Chip::Turn turn(chip_);
    turn.close_queue(queue->use());
  }
  around_.trace.write({TraceKind::queue_gone, around_.index, 0, queue->number(), 0, chip_.micros(), 0, 0, 0});
  queues_.erase(std::find_if(queues_.begin(), queues_.end(), [&](const auto &entry) { return entry.get() == queue; }));
}

Queue *Device::find_queue(uint32_t number) {
  for (const auto &queue : queues_)
    if (queue->number() == number) return queue.get();
  return nullptr;
}

void Device::set_mask(Queue &queue, const eclip_cu_set &mask, double micros) {
  Chip::Turn turn(chip_);
  turn.advance();
  queue.set_mask(mask, turn.now());
  turn.stall(micros);
  due_ = std::min(due_, turn.now());
}

bool Device::round() {
  const double now = chip_.micros();
  /* Before the doorbells: a program that waits has rung them. */
  const Host::Look look = chip_.virtual_time() ? host_.look() : Host::Look{Host::State::waiting, 0};
  bool rang = false;
  for (const auto &queue : queues_) rang |= queue->poll(now);
  const bool news = rang | chip_.has_news();
  const bool host_moved = chip_.virtual_time() && watch_host(look, rang);
  /* In virtual time nobody else says when the chip may go on. */
  const bool due = chip_.virtual_time() ? host_moved || has_unfinished() : now >= due_;
  if (!news && !due && !chip_.burial_is_due()) return false;
  return play() || news;
}

bool Device::has_unfinished() const {
  return std::any_of(queues_.begin(), queues_.end(), [](const auto &queue) { return queue->has_unfinished(); });
}

bool Device::held_by_host() const { return chip_.virtual_time() && host_horizon_ < never; }

/* True if the chip may go on further than before. A program that computes while the chip has work of its, but launches
 * nothing, is taken to wait for it: HIP waits in a loop. */
bool Device::watch_host(const Host::Look &look, bool rang) {
  host_quiet_ = rang || !has_unfinished() ? 0 : host_quiet_ + look.micros;
  const bool spins = look.state == Host::State::running && host_quiet_ > most_quiet_micros;
  const double before = host_horizon_;
  if (look.state == Host::State::waiting || spins)
    host_horizon_ = never;
  else if (before == never)
    host_horizon_ = chip_.micros();
  else
    host_horizon_ = before + look.micros / chip_.clock().scale();
  return host_horizon_ != before;
}

/* What the program may have waited for has come: it has to be given the time to act. */
void Device::note_signals(double now) {
  if (around_.signals == signals_) return;
  signals_ = around_.signals;
  host_quiet_ = 0;
  if (host_horizon_ < never) return;
  host_horizon_ = now;
  host_.restart();
}

bool Device::play() {
  bool moved = false;
  for (int round = 0; round < most_rounds; round++) {
    bool more;
    bool went_on = false;
    {
      Chip::Turn turn(chip_);
      turn.advance();
      finished_.clear();
      turn.take_finished(finished_);
      more = !finished_.empty() || serve(turn);
      if (!more && chip_.virtual_time()) { /* the program may have let go */
        const double before = turn.now();
        went_on = turn.advance() > before;
      }
      due_ = turn.due();
      turn.sleep_until(due_);
    }
    if (!more && !went_on) break;
    complete();
    moved |= more;
  }
  return moved;
}

/* Until no packet of any queue moves at this moment of GPU time: one queue's signal is another one's dependency. */
bool Device::serve(Chip::Turn &turn) {
  const double now = turn.now();
  bool any = false, moved = true;
  while (moved) {
    moved = false;
    for (const auto &queue : queues_) {
      launched_.clear();
      moved |= queue->serve(turn, now, launched_);
      for (uint32_t ticket : launched_) of_ticket_[ticket] = queue.get();
    }
    any |= moved;
  }
  /* A queue without a slot cannot act: were the chip to wait for it, a stall would never end. */
  double due = never;
  for (const auto &queue : queues_)
    if (turn.resident(queue->use())) due = std::min(due, queue->due());
  note_signals(now);
  turn.hold(chip_.virtual_time() ? std::min(due, host_horizon_) : due);
  return any;
}

/* Without the chip's lock: effects take real time. The chip stands still for this process's sake until its next turn. */
void Device::complete() {
  for (const Finished &finished : finished_) {
    Queue *queue = of_ticket_[finished.ticket];
    if (queue != nullptr) queue->complete(finished);
  }
  finished_.clear();
}

int64_t Device::due_ns() const {
  return due_ == never || chip_.virtual_time() ? INT64_MAX : chip_.clock().wall_of(due_);
}

void Device::describe(FILE *to) const {
  for (const auto &queue : queues_) queue->describe(to);
}

}  // namespace emulator

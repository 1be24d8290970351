#include "device.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace emulator {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();
/* Rounds before other threads of the process get at the queues. */
constexpr int most_rounds = 64;

}  // namespace

Device::Device(const Config &config, uint16_t index, Kernels &kernels, Events &events, Trace &trace)
    : gpu_(config.gpus[index]),
      chip_(gpu_, config.time_scale),
      around_{chip_, kernels, events, trace, gpu_, index},
      of_ticket_(max_tickets),
      due_(never) {}

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
  around_.trace.write({TraceKind::queue_gone, around_.index, 0, queue->number(), 0, chip_.clock().micros(), 0, 0, 0});
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
  const double now = chip_.clock().micros();
  bool news = chip_.has_news();
  for (const auto &queue : queues_) news |= queue->poll(now);
  if (!news && now < due_ && !chip_.burial_is_due()) return false;
  return play() || news;
}

bool Device::play() {
  bool moved = false;
  for (int round = 0; round < most_rounds; round++) {
    bool more;
    {
      Chip::Turn turn(chip_);
      turn.advance();
      finished_.clear();
      turn.take_finished(finished_);
      more = !finished_.empty() || serve(turn);
      due_ = turn.due();
      turn.sleep_until(due_);
    }
    if (!more) break;
    complete();
    moved = true;
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
  turn.hold(due);
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

int64_t Device::due_ns() const { return due_ == never ? INT64_MAX : chip_.clock().wall_of(due_); }

void Device::describe(FILE *to) const {
  for (const auto &queue : queues_) queue->describe(to);
}

}  // namespace emulator

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

Device::Device(const Config &config, uint16_t index, Kernels &kernels, Events &events, Waits &waits, Trace &trace)
    : gpu_(config.gpus[index]),
      chip_(gpu_, config.time_scale, config.virtual_time),
      around_{chip_, kernels, events, waits, trace, gpu_, index},
      of_ticket_(max_tickets),
      due_(never),
      host_horizon_(never) {
  if (chip_.virtual_time()) host_.emplace();
}

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

double Device::set_mask(Queue &queue, const eclip_cu_set &mask, double micros) {
  Chip::Turn turn(chip_);
  turn.advance();
  queue.set_mask(mask, turn.now());
  turn.stall(micros);
  due_ = std::min(due_, turn.now());
  const double end = turn.now() + micros;
  if (host_) ends_.push_back(end);
  return end;
}

bool Device::round(bool visited) {
  const double now = chip_.micros();
  /* Before the doorbells: a program that waits has rung them. */
  Host::Look look{Host::State::waiting, 0};
  if (host_) look = host_->look();
  if (visited && look.state == Host::State::waiting) look.state = Host::State::running;
  bool rang = false;
  for (const auto &queue : queues_) rang |= queue->poll(now);
  const bool news = rang | chip_.has_news();
  const bool host_moved = watch_host(look);
  /* In virtual time nobody else says when the chip may go on. */
  const bool due = host_ ? host_moved || has_unfinished() : now >= due_;
  if (!news && !due && !chip_.burial_is_due()) return false;
  return play() || news;
}

bool Device::has_unfinished() const {
  return std::any_of(queues_.begin(), queues_.end(), [](const auto &queue) { return queue->has_unfinished(); });
}

bool Device::held_by_host() const { return host_horizon_ < never; }

/* True if the chip may go on further than before. Nothing tells a program that waits in a loop from one that is about to
 * launch: both take the CPU time that they take. */
bool Device::watch_host(const Host::Look &look) {
  const double before = host_horizon_;
  if (look.state == Host::State::waiting)
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
  if (!host_ || host_horizon_ < never) return;
  host_horizon_ = now;
  host_->restart();
}

/* Of an ioctl; those that are over by now let their threads go. */
double Device::next_end(double now) {
  const auto first_over = std::partition(ends_.begin(), ends_.end(), [&](double end) { return end > now; });
  if (first_over != ends_.end()) {
    ends_.erase(first_over, ends_.end());
    around_.signals++;
    around_.waits.note();
  }
  const auto next = std::min_element(ends_.begin(), ends_.end());
  return next == ends_.end() ? static_cast<double>(never) : *next;
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
  due = std::min(due, next_end(now));
  note_signals(now);
  turn.hold(std::min(due, host_horizon_));
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

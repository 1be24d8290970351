#include "queue.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "blits.h"
#include "dealing.h"
#include "signals.h"

namespace emulator {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();
constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

uint16_t load_header(const Packet &packet) { return __atomic_load_n(&packet.header, __ATOMIC_ACQUIRE); }

bool holds(const BarrierValuePacket &packet) {
  const int64_t value = signal_value(packet.signal) & packet.mask;
  switch (packet.condition) {
    case HSA_SIGNAL_CONDITION_EQ: return value == packet.value;
    case HSA_SIGNAL_CONDITION_NE: return value != packet.value;
    case HSA_SIGNAL_CONDITION_LT: return value < packet.value;
    default: return value >= packet.value;
  }
}

PacketKind kind_of(const Packet &packet) {
  switch (type_of(load_header(packet))) {
    case HSA_PACKET_TYPE_KERNEL_DISPATCH: return PacketKind::dispatch;
    case HSA_PACKET_TYPE_BARRIER_AND: return barrier_and;
    case HSA_PACKET_TYPE_BARRIER_OR: return barrier_or;
    case HSA_PACKET_TYPE_VENDOR_SPECIFIC: return packet.value.format == format_barrier_value ? barrier_value : vendor;
    default: return other;
  }
}

}  // namespace

Queue::Queue(uint32_t number, uint32_t use, const Ring &ring, Surroundings &around)
    : number_(number),
      use_(use),
      ring_(ring),
      around_(around),
      mask_(full_mask(around.chip.compute_units())),
      mask_cus_(around.chip.compute_units()),
      next_(*ring.read_index),
      seen_(next_),
      last_doorbell_(*ring.doorbell),
      head_since_(unknown),
      due_(never) {
  note(TraceKind::queue, static_cast<uint32_t>(ring.size), around.chip.micros(), 0);
}

void Queue::set_mask(const eclip_cu_set &mask, double now) {
  mask_ = mask;
  mask_cus_ = count_cus(mask);
  TraceRecord record{TraceKind::mask, around_.index, 0, number_, mask_cus_, now, now, now, 0};
  around_.trace.write(record, mask.words, sizeof mask.words);
}

bool Queue::head_is_published() const {
  return next_ < seen_ && type_of(load_header(ring_.packets[next_ % ring_.size])) != HSA_PACKET_TYPE_INVALID;
}

/* The doorbell is only a kick: streams share queues, so its values go backwards. How far to read is told by the write
 * index, and by each packet's header, since a place may be reserved before it is filled. */
bool Queue::poll(double now) {
  const uint64_t doorbell = __atomic_load_n(ring_.doorbell, __ATOMIC_ACQUIRE);
  if (doorbell != last_doorbell_) {
    last_doorbell_ = doorbell;
    const uint64_t written = __atomic_load_n(ring_.write_index, __ATOMIC_ACQUIRE);
    if (written > seen_) {
      if (arrivals_.empty() || arrivals_.back().end < written) arrivals_.push_back({written, now});
      seen_ = written;
    }
    return next_ < seen_;
  }
  if (!in_flight_.empty() || next_ >= seen_ || due_ != never) return false;
  if (!waits_for_memory_) return std::isnan(head_since_) && head_is_published();
  const Packet &head = ring_.packets[next_ % ring_.size];
  return dependencies_met(head);
}

double Queue::arrival() {
  while (arrivals_.size() > 1 && arrivals_.front().end <= next_) arrivals_.pop_front();
  return arrivals_.empty() ? 0 : arrivals_.front().at;
}

bool Queue::serve(Chip::Turn &turn, double now, std::vector<uint32_t> &launched) {
  turn.set_busy(use_, has_unfinished());
  bool moved = false;
  while (head_is_published() && turn.resident(use_) && step(turn, now, launched) == Step::moved) moved = true;
  turn.set_busy(use_, has_unfinished());
  return moved;
}

Queue::Step Queue::step(Chip::Turn &turn, double now, std::vector<uint32_t> &launched) {
  const Packet &packet = ring_.packets[next_ % ring_.size];
  if (has_barrier_bit(load_header(packet)) && !in_flight_.empty()) return Step::blocked;
  if (std::isnan(head_since_)) head_since_ = std::max(now, arrival());
  switch (kind_of(packet)) {
    case PacketKind::dispatch: return dispatch(turn, now, launched);
    case barrier_and:
    case barrier_or:
    case barrier_value: return barrier(turn, now);
    default: finish_at_once(turn, now, kind_of(packet), packet.barrier.completion_signal.handle); return Step::moved;
  }
}

/* The front end's time for a head that waits for nothing any more; true when it has passed. */
bool Queue::is_over(double now, double cost) {
  if (due_ == never) due_ = std::max({now, head_since_, front_free_}) + cost;
  return due_ <= now;
}

Queue::Step Queue::dispatch(Chip::Turn &turn, double now, std::vector<uint32_t> &launched) {
  const Packet &packet = ring_.packets[next_ % ring_.size];
  const Dispatch dispatch = around_.kernels.dispatch_of(packet.dispatch);
  const uint64_t signal = packet.dispatch.completion_signal.handle;
  const PacketKind kind = dispatch.kernel->blit ? blit : PacketKind::dispatch;
  waits_for_memory_ = dispatch.kernel->wait;
  if (dispatch.kernel->wait && !wait_is_over(dispatch.view)) return Step::blocked;
  eclip_load load;
  const double cost = due_ == never ? turn.launch_cost(use_) : 0;
  if (!around_.kernels.load_of(dispatch, around_.chip.parameters(), around_.gpu.costs.host_bytes_per_micro, mask_,
                               load)) {
    if (!is_over(now, cost)) return Step::blocked;
    if (dispatch.kernel->known != nullptr && dispatch.kernel->known->effect != nullptr)
      dispatch.kernel->known->effect(&dispatch.view);
    finish_at_once(turn, now, kind, signal);
    return Step::moved;
  }
  const double begin = std::max({now, head_since_, front_free_}) + cost;
  const uint32_t ticket = turn.launch(use_, load, begin);
  if (ticket == no_ticket) return Step::blocked;
  front_free_ = begin;
  in_flight_.push_back({ticket, dispatch, signal, arrival(), next_});
  launched.push_back(ticket);
  turn.count(use_, kind);
  consume();
  return Step::moved;
}

Queue::Step Queue::barrier(Chip::Turn &turn, double now) {
  const Packet &packet = ring_.packets[next_ % ring_.size];
  waits_for_memory_ = !dependencies_met(packet);
  if (waits_for_memory_ || !is_over(now, around_.chip.parameters().barrier_micros)) return Step::blocked;
  finish_at_once(turn, now, kind_of(packet), packet.barrier.completion_signal.handle);
  return Step::moved;
}

bool Queue::dependencies_met(const Packet &packet) const {
  const auto is_done = [](hsa_signal_t signal) { return signal_value(signal.handle) == 0; };
  const auto is_given = [](hsa_signal_t signal) { return signal.handle != 0; };
  const auto *first = packet.barrier.dep_signal, *last = first + 5;
  switch (kind_of(packet)) {
    case PacketKind::dispatch: return wait_is_over(around_.kernels.dispatch_of(packet.dispatch).view);
    case barrier_and: return std::all_of(first, last, is_done);
    case barrier_or:
      return std::none_of(first, last, is_given) ||
             std::any_of(first, last, [&](hsa_signal_t signal) { return is_given(signal) && is_done(signal); });
    case barrier_value: return holds(packet.value);
    default: return true;
  }
}

void Queue::finish_at_once(Chip::Turn &turn, double now, PacketKind kind, uint64_t signal) {
  const double end = due_ == never ? std::max(now, head_since_) : due_;
  turn.count(use_, kind);
  note(kind == barrier_and || kind == barrier_or || kind == barrier_value ? TraceKind::barrier : TraceKind::other, kind,
       head_since_, end);
  front_free_ = end;
  consume();
  this->signal(signal, end, end);
}

void Queue::consume() {
  Packet &packet = ring_.packets[next_ % ring_.size];
  __atomic_store_n(&packet.header, static_cast<uint16_t>(HSA_PACKET_TYPE_INVALID), __ATOMIC_RELEASE);
  next_++;
  __atomic_store_n(ring_.read_index, next_, __ATOMIC_RELEASE);
  head_since_ = unknown;
  due_ = never;
  waits_for_memory_ = false;
}

void Queue::complete(const Finished &finished) {
  const auto done = std::find_if(in_flight_.begin(), in_flight_.end(),
                                 [&](const InFlight &kernel) { return kernel.ticket == finished.ticket; });
  if (done == in_flight_.end()) return;
  const InFlight kernel = *done;
  in_flight_.erase(done);
  const eclip_kernel *known = kernel.dispatch.kernel->known;
  if (known != nullptr && known->effect != nullptr) known->effect(&kernel.dispatch.view);
  if (around_.trace.on()) {
    const Kernel &named = *kernel.dispatch.kernel;
    TraceRecord record{TraceKind::kernel, around_.index, 0, number_, named.number, kernel.arrived, finished.begin,
                       finished.end,      kernel.packet};
    struct {
      uint32_t workgroups[3], block[3], cus, blit;
    } extra{{}, {}, mask_cus_, named.blit};
    std::copy_n(kernel.dispatch.view.workgroups, 3, extra.workgroups);
    std::copy_n(kernel.dispatch.view.block, 3, extra.block);
    around_.trace.write(record, &extra, sizeof extra);
  }
  signal(kernel.signal, finished.begin, finished.end);
}

void Queue::signal(uint64_t handle, double begin, double end) {
  const GpuClock &clock = around_.chip.clock();
  around_.signals += handle != 0;
  complete_signal(handle, clock.counter(begin), clock.counter(end), around_.events);
  around_.waits.note();
}

void Queue::note(TraceKind kind, uint32_t detail, double begin, double end) {
  around_.trace.write({kind, around_.index, 0, number_, detail, arrival(), begin, end, next_});
}

void Queue::describe(FILE *to) const {
  std::fprintf(to,
               "queue %u: doorbell %lu (last %lu), next %lu, seen %lu, read %lu, written %lu, in flight %zu, due %g",
               number_, *ring_.doorbell, last_doorbell_, next_, seen_, *ring_.read_index, *ring_.write_index,
               in_flight_.size(), due_);
  const Packet &head = ring_.packets[next_ % ring_.size];
  std::fprintf(to, ", head 0x%04x", load_header(head));
  if (kind_of(head) == barrier_and)
    for (hsa_signal_t signal : head.barrier.dep_signal)
      if (signal.handle != 0) std::fprintf(to, " dep %ld", signal_value(signal.handle));
  std::fputc('\n', to);
}

}  // namespace emulator

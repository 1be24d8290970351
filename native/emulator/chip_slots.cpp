/* Queues and their slots: more busy queues than slots take turns by the quantum, over all processes of the chip. */
#include <algorithm>
#include <limits>

#include "chip.h"

namespace emulator {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();
/* A queue counts as in use by its process for this long after its last packet: longer than a request, so that a stream
 * that has one kernel in every request counts all the time. */
constexpr double in_use_micros = 100'000;
constexpr double in_use_interval_micros = 500;

}  // namespace

uint32_t Chip::Turn::open_queue(uint32_t number) {
  for (uint32_t use = 0; use < max_queues; use++) {
    QueueUse &place = file_.uses[use];
    if (place.client != 0) continue;
    place = QueueUse{};
    place.number = number;
    place.last_active = -never;
    place.client = chip_.self_ + 1;
    file_.uses_end = std::max(file_.uses_end, use + 1);
    return use;
  }
  return UINT32_MAX;
}

void Chip::Turn::close_queue(uint32_t use) {
  for (uint32_t i = file_.active_count; i-- > 0;) {
    const Ticket &ticket = file_.tickets[file_.active[i]];
    if (ticket.use != use) continue;
    if (ticket.state == ticket_finished) file_.clients[chip_.self_].finished--;
    chip_.drop(file_.active[i]);
  }
  chip_.release_queue(use);
}

void Chip::release_queue(uint32_t use) {
  QueueUse &place = file_->uses[use];
  const bool was_busy = place.busy != 0;
  place.client = 0;
  place.busy = 0;
  place.resident = 0;
  if (was_busy) {
    file_->busy_uses--;
    reside();
  }
}

void Chip::Turn::set_busy(uint32_t use, bool busy) {
  QueueUse &place = file_.uses[use];
  if ((place.busy != 0) == busy) return;
  place.busy = busy;
  file_.busy_uses += busy ? 1 : -1;
  const bool plenty = file_.busy_uses <= file_.parameters.queue_slots && file_.next_rotation == never &&
                      file_.stalled_until <= file_.fluid.now;
  if (!plenty) return chip_.reside();
  place.resident = busy;
  if (busy) file_.next_turn = use + 1;
}

bool Chip::Turn::resident(uint32_t use) const { return file_.uses[use].resident != 0; }

/* Fills free slots with busy queues, those that come next in turn first. */
void Chip::reside() {
  ChipFile &file = *file_;
  const bool stalled = file.stalled_until > file.fluid.now;
  uint32_t free_slots = stalled ? 0 : file.parameters.queue_slots;
  for (uint32_t use = 0; use < file.uses_end; use++) {
    QueueUse &place = file.uses[use];
    if (place.client == 0) continue;
    const bool keeps = place.resident && place.busy && free_slots > 0;
    free_slots -= keeps;
    place.resident = keeps;
  }
  const uint32_t first = file.next_turn; /* maybe one behind the last */
  for (uint32_t i = 0; i < file.uses_end && free_slots > 0; i++) {
    const uint32_t use = (first + i) % file.uses_end;
    QueueUse &place = file.uses[use];
    if (place.client == 0 || !place.busy || place.resident) continue;
    place.resident = 1;
    free_slots--;
    Client &owner = file.clients[place.client - 1]; /* has packets to look at */
    owner.horizon = std::min(owner.horizon, file.fluid.now);
    if (place.client - 1 != self_) wakes_ |= 1ULL << (place.client - 1);
    file.next_turn = use + 1;
  }
  const bool crowded = file.busy_uses > file.parameters.queue_slots;
  if (!crowded)
    file.next_rotation = never;
  else if (file.next_rotation == never)
    file.next_rotation = file.fluid.now + file.parameters.quantum_micros;
  move_tickets();
}

/* Kernels of queues that lost their slot stop where they are, those of queues that gained one go on. */
void Chip::move_tickets() {
  ChipFile &file = *file_;
  for (uint32_t i = 0; i < file.active_count; i++) {
    Ticket &ticket = file.tickets[file.active[i]];
    const bool resident = file.uses[ticket.use].resident != 0;
    if (ticket.state == ticket_running && !resident) {
      pause(ticket);
    } else if (ticket.state == ticket_paused && resident) {
      run(ticket);
    }
  }
}

bool Chip::rotate() {
  ChipFile &file = *file_;
  const bool stall_over = file.stalled_until != -never && file.stalled_until <= file.fluid.now;
  const bool quantum_over = file.next_rotation <= file.fluid.now;
  if (!stall_over && !quantum_over) return false;
  if (stall_over) file.stalled_until = -never;
  if (quantum_over) {
    file.summary.rotations++;
    file.next_rotation = never;
    for (uint32_t use = 0; use < file.uses_end; use++) file.uses[use].resident = 0;
  }
  reside();
  return true;
}

void Chip::Turn::stall(double micros) {
  file_.summary.mask_calls++;
  if (micros <= 0) return;
  file_.stalled_until = std::max(file_.stalled_until, file_.fluid.now + micros);
  chip_.reside();
}

double Chip::Turn::launch_cost(uint32_t use) {
  file_.uses[use].last_active = file_.fluid.now;
  if (file_.fluid.now - file_.in_use_at > in_use_interval_micros) chip_.count_in_use();
  return eclip_dispatch_micros(&file_.parameters, file_.queues_in_use, file_.processes_in_use);
}

void Chip::count_in_use() {
  uint64_t processes = 0;
  file_->queues_in_use = 0;
  for (uint32_t i = 0; i < file_->uses_end; i++) {
    const QueueUse &place = file_->uses[i];
    if (place.client == 0 || file_->fluid.now - place.last_active > in_use_micros) continue;
    file_->queues_in_use++;
    processes |= 1ULL << (place.client - 1);
  }
  file_->processes_in_use = static_cast<uint32_t>(__builtin_popcountll(processes));
  file_->in_use_at = file_->fluid.now;
}

void Chip::Turn::count(uint32_t use, PacketKind kind) {
  file_.uses[use].packets[kind]++;
  file_.summary.packets[kind]++;
}

}  // namespace emulator

/* How the chip is played forward. */
#include <algorithm>
#include <limits>

#include "chip.h"

namespace emulator {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();
/* How long the chip waits, in wall time, for a process that has to act: long beside the delays of a loaded host, short
 * beside the patience of a user whose neighbour stands in a debugger. Virtual time is worth nothing once somebody was
 * passed over, and need not hurry. */
constexpr int64_t patience_ns = 200'000'000, virtual_patience_ns = 5'000'000'000;

const eclip_running *find_running(const eclip_fluid &fluid, uint64_t id) {
  for (uint32_t i = 0; i < fluid.count; i++)
    if (fluid.running[i].id == id) return &fluid.running[i];
  return nullptr;
}

}  // namespace

double Chip::Turn::now() const { return file_.fluid.now; }

double Chip::Turn::advance() {
  ChipSummary &summary = file_.summary;
  const double until = chip_.virtual_time() ? never : chip_.clock_.micros();
  if (until < never) summary.most_behind = std::max(summary.most_behind, until - file_.fluid.now);
  for (;;) {
    uint32_t holder = max_clients;
    const double held = chip_.holding(holder);
    double bound = std::min({until, held, chip_.next_pending(), file_.next_rotation});
    if (file_.stalled_until > file_.fluid.now) bound = std::min(bound, file_.stalled_until);
    if (bound == never && file_.fluid.count == 0) break; /* nothing will happen by itself */
    bound = std::max(bound, file_.fluid.now);
    if (const uint64_t id = eclip_fluid_advance(&file_.parameters, &file_.fluid, bound)) {
      chip_.finish(id);
      continue;
    }
    if (chip_.start_pending() || chip_.rotate()) continue;
    if (file_.fluid.now >= until) break;
    if (held <= file_.fluid.now && (holder == chip_.self_ || !chip_.pass_over(holder))) break;
  }
  chip_.bury_dead();
  __atomic_store(&summary.now, &file_.fluid.now, __ATOMIC_RELAXED);
  summary.microjoules = file_.fluid.joules_micro;
  summary.busy_cu_micros = file_.fluid.busy_cu_micros;
  summary.bytes = file_.fluid.bytes;
  return file_.fluid.now;
}

double Chip::holding(uint32_t &holder) const {
  double earliest = never;
  uint32_t left = file_->summary.clients;
  for (uint32_t client = 0; client < max_clients && left > 0; client++) {
    const Client &other = file_->clients[client];
    left -= other.used;
    if (!other.used || other.absent || other.horizon >= earliest) continue;
    earliest = other.horizon;
    holder = client;
  }
  return earliest;
}

/* Another process has to act before the chip can go on. Wakes it; true if the chip goes on without it. */
bool Chip::pass_over(uint32_t holder) {
  Client &other = file_->clients[holder];
  wakes_ |= 1ULL << holder;
  const int64_t now = wall_ns();
  if (other.held_since_ns == 0) other.held_since_ns = now;
  if (now - other.held_since_ns < (virtual_time() ? virtual_patience_ns : patience_ns)) return false;
  if (!is_alive(holder)) {
    bury(holder);
  } else {
    other.absent = 1;
    file_->summary.passed_over++;
  }
  return true;
}

uint32_t Chip::Turn::launch(uint32_t use, const eclip_load &load, double begin) {
  if (file_.active_count == max_tickets) return no_ticket;
  /* Tickets in use lie dense at the front nearly always. */
  uint32_t index = 0;
  while (file_.tickets[index].state != ticket_free) index++;
  Ticket &ticket = file_.tickets[index];
  ticket.client = chip_.self_;
  ticket.use = use;
  ticket.fluid_id = 0;
  ticket.begin = std::max(begin, file_.fluid.now);
  ticket.end = 0;
  ticket.remaining = 1;
  ticket.load = load;
  ticket.position = file_.active_count;
  file_.active[file_.active_count++] = index;
  ticket.state = ticket_pending;
  return index;
}

double Chip::next_pending() const {
  double next = never;
  if (file_->fluid.count >= ECLIP_MAX_RUNNING) return next;
  for (uint32_t i = 0; i < file_->active_count; i++) {
    const Ticket &ticket = file_->tickets[file_->active[i]];
    if (ticket.state == ticket_pending) next = std::min(next, ticket.begin);
  }
  return next;
}

bool Chip::start_pending() {
  bool moved = false;
  for (uint32_t i = 0; i < file_->active_count; i++) {
    Ticket &ticket = file_->tickets[file_->active[i]];
    if (ticket.state != ticket_pending || ticket.begin > file_->fluid.now) continue;
    if (file_->fluid.count >= ECLIP_MAX_RUNNING) break;
    if (ticket.remaining == 1) ticket.begin = file_->fluid.now;
    if (file_->uses[ticket.use].resident)
      run(ticket);
    else
      ticket.state = ticket_paused;
    moved = true;
  }
  return moved;
}

void Chip::run(Ticket &ticket) {
  eclip_load rest = ticket.load;
  rest.solo_micros *= ticket.remaining;
  ticket.fluid_id = eclip_fluid_start(&file_->parameters, &file_->fluid, &rest);
  ticket.state = ticket.fluid_id != 0 ? ticket_running : ticket_pending;
  changed_ = true;
}

void Chip::keep_remaining(Ticket &ticket) {
  if (const eclip_running *running = find_running(file_->fluid, ticket.fluid_id))
    ticket.remaining *= std::clamp(running->remaining, 1e-9, 1.0);
}

void Chip::pause(Ticket &ticket) {
  keep_remaining(ticket);
  eclip_fluid_remove(&file_->parameters, &file_->fluid, ticket.fluid_id);
  ticket.fluid_id = 0;
  ticket.state = ticket_paused;
  changed_ = true;
}

void Chip::finish(uint64_t fluid_id) {
  changed_ = true;
  for (uint32_t i = 0; i < file_->active_count; i++) {
    Ticket &ticket = file_->tickets[file_->active[i]];
    if (ticket.state != ticket_running || ticket.fluid_id != fluid_id) continue;
    ticket.state = ticket_finished;
    ticket.end = file_->fluid.now;
    Client &owner = file_->clients[ticket.client];
    owner.finished++;
    owner.horizon = std::min(owner.horizon, ticket.end);
    if (ticket.client != self_) wakes_ |= 1ULL << ticket.client;
    return;
  }
}

void Chip::Turn::take_finished(std::vector<Finished> &into) {
  Client &self = file_.clients[chip_.self_];
  for (uint32_t i = file_.active_count; self.finished > 0 && i-- > 0;) {
    const uint32_t index = file_.active[i];
    const Ticket &ticket = file_.tickets[index];
    if (ticket.state != ticket_finished || ticket.client != chip_.self_) continue;
    into.push_back({index, ticket.begin, ticket.end});
    self.finished--;
    chip_.free_ticket(index);
  }
  std::sort(into.begin(), into.end(), [](const Finished &a, const Finished &b) { return a.end < b.end; });
}

void Chip::free_ticket(uint32_t index) {
  Ticket &ticket = file_->tickets[index];
  const uint32_t last = file_->active[--file_->active_count];
  file_->active[ticket.position] = last;
  file_->tickets[last].position = ticket.position;
  ticket.state = ticket_free;
}

void Chip::drop(uint32_t index) {
  Ticket &ticket = file_->tickets[index];
  if (ticket.state == ticket_running) {
    eclip_fluid_remove(&file_->parameters, &file_->fluid, ticket.fluid_id);
    changed_ = true;
  }
  free_ticket(index);
}

void Chip::Turn::hold(double moment) {
  Client &self = file_.clients[chip_.self_];
  self.horizon = self.finished > 0 ? file_.fluid.now : moment;
}

/* A queue of this client has packets, maybe no kernel yet, and its turn comes by the clock alone. */
bool Chip::waits_for_slot(uint32_t client) const {
  if (file_->next_rotation == never && file_->stalled_until <= file_->fluid.now) return false;
  return std::any_of(file_->uses, file_->uses + file_->uses_end,
                     [&](const QueueUse &use) { return use.client == client + 1 && use.busy && !use.resident; });
}

double Chip::due_of(uint32_t client) const {
  double due = std::min(file_->clients[client].horizon, never);
  bool concerned = waits_for_slot(client);
  for (uint32_t i = 0; i < file_->active_count; i++) {
    const Ticket &ticket = file_->tickets[file_->active[i]];
    if (ticket.client != client) continue;
    concerned = true;
    if (ticket.state == ticket_pending) due = std::min(due, ticket.begin + ticket.load.solo_micros * ticket.remaining);
    if (ticket.state != ticket_running) continue;
    const eclip_running *running = find_running(file_->fluid, ticket.fluid_id);
    if (running != nullptr && running->rate > 0)
      due = std::min(due, file_->fluid.now + running->remaining / running->rate);
  }
  if (!concerned) return due;
  if (file_->stalled_until > file_->fluid.now) due = std::min(due, file_->stalled_until);
  return std::min(due, file_->next_rotation);
}

double Chip::Turn::due() const { return chip_.due_of(chip_.self_); }

void Chip::Turn::sleep_until(double moment) { file_.clients[chip_.self_].wake_at = moment; }

/* Others that sleep longer than is right after what changed in this turn. */
void Chip::note_wakes() {
  uint32_t left = file_->summary.clients;
  if (left < 2) return;
  for (uint32_t client = 0; client < max_clients && left > 0; client++) {
    const Client &other = file_->clients[client];
    left -= other.used;
    if (!other.used || client == self_ || !other.asleep.load()) continue;
    if (due_of(client) < other.wake_at) wakes_ |= 1ULL << client;
  }
}

}  // namespace emulator

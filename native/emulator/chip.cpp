#include "chip.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>

#include "dealing.h"
#include "futex.h"

namespace emulator {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();
constexpr int64_t burial_interval_ns = 1'000'000;
void *map_shared(int fd) {
  const int flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);
  void *address = mmap(nullptr, sizeof(ChipFile), PROT_READ | PROT_WRITE, flags, fd, 0);
  if (address == MAP_FAILED) throw std::runtime_error(std::string("cannot map the chip: ") + std::strerror(errno));
  return address;
}

}  // namespace

Chip::Chip(const GpuConfig &gpu, double time_scale, bool virtual_time) {
  if (gpu.chip_path.empty()) {
    file_ = static_cast<ChipFile *>(map_shared(-1));
    prepare(gpu, time_scale, virtual_time);
    claim_client();
  } else {
    open_file(gpu.chip_path);
    const LifeLock::Maker maker(life_);
    move_in(gpu, time_scale, virtual_time);
  }
  clock_ = GpuClock(file_->summary.epoch_ns, time_scale);
}

double Chip::micros() const {
  if (!virtual_time()) return clock_.micros();
  double now;
  __atomic_load(&file_->summary.now, &now, __ATOMIC_RELAXED);
  return now;
}

void Chip::move_in(const GpuConfig &gpu, double time_scale, bool virtual_time) {
  bool inhabited = false;
  for (uint32_t client = 0; client < max_clients; client++) inhabited |= life_.marked(client);
  /* A file that nobody lives in may hold a lock of a boot long past: start it anew. */
  if (!inhabited) prepare(gpu, time_scale, virtual_time);
  const ChipSummary &summary = file_->summary;
  if (summary.version != chip_version || summary.compute_units != gpu.compute_units() ||
      summary.time_scale != time_scale || (summary.virtual_time != 0) != virtual_time)
    throw std::runtime_error(gpu.chip_path + ": in use by programs with another configuration");
  claim_client();
}

void Chip::open_file(const std::string &path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) throw std::runtime_error(path + ": " + std::strerror(errno));
  struct stat info {};
  const bool fits = fstat(fd, &info) == 0 &&
                    (info.st_size >= static_cast<off_t>(sizeof(ChipFile)) || ftruncate(fd, sizeof(ChipFile)) == 0);
  if (!fits) {
    const std::string why = std::strerror(errno);
    close(fd);
    throw std::runtime_error(path + ": cannot make the chip's file: " + why);
  }
  file_ = static_cast<ChipFile *>(map_shared(fd));
  close(fd);
  life_.open(path);
}

void Chip::prepare(const GpuConfig &gpu, double time_scale, bool virtual_time) {
  /* Totals outlive the processes that made them; the clock goes on, so that traces of one chip have one time. */
  ChipSummary &summary = file_->summary;
  const bool known = std::memcmp(summary.magic, chip_magic, sizeof chip_magic) == 0 &&
                     summary.version == chip_version && summary.compute_units == gpu.compute_units() &&
                     summary.time_scale == time_scale && (summary.virtual_time != 0) == virtual_time &&
                     summary.epoch_ns <= wall_ns();
  if (!known) std::memset(static_cast<void *>(&summary), 0, sizeof summary);
  std::memset(reinterpret_cast<char *>(file_) + sizeof summary, 0, sizeof *file_ - sizeof summary);
  summary.version = chip_version;
  if (!known) summary.epoch_ns = wall_ns();
  summary.time_scale = time_scale;
  summary.virtual_time = virtual_time;
  summary.compute_units = gpu.compute_units();
  summary.idle_watts = gpu.costs.idle_watts;
  summary.clients = 0;
  summary.vram_used = 0;
  fill_chip(gpu, file_->parameters);
  /* From where it was left, so that the idle time since then is counted, too. */
  eclip_fluid_init(&file_->fluid, summary.now);
  file_->fluid.joules_micro = summary.microjoules;
  file_->fluid.busy_cu_micros = summary.busy_cu_micros;
  file_->fluid.bytes = summary.bytes;
  file_->next_rotation = never;
  file_->stalled_until = -never;
  file_->in_use_at = -never;
  std::memcpy(summary.magic, chip_magic, sizeof chip_magic);
  summary.ready.store(1, std::memory_order_release);
}

void Chip::claim_client() {
  self_ = 0;
  while (life_.is_open() && !life_.mark(self_))
    if (++self_ == max_clients) throw std::runtime_error("more than 64 processes on one chip");
  if (file_->lock.take_from_predecessor(self_))
    repair();
  else
    lock();
  bury(self_);
  Client &self = file_->clients[self_];
  self.used = 1;
  self.absent = 0;
  self.horizon = never;
  self.wake_at = never;
  self.held_since_ns = 0;
  self.finished = 0;
  self.vram = 0;
  const char *allocation = std::getenv("ECLIP_ALLOCATION");
  std::memset(file_->allocations[self_], 0, allocation_bytes);
  if (allocation != nullptr) std::strncpy(file_->allocations[self_], allocation, allocation_bytes - 1);
  file_->summary.clients++;
  unlock();
}

bool Chip::is_alive(uint32_t client) const { return life_.is_open() && (client == self_ || life_.marked(client)); }

bool Chip::burial_is_due() const {
  return life_.is_open() && file_->summary.clients > 1 && wall_ns() - last_burial_ > burial_interval_ns;
}

/* What has been played up to now happened while they lived. */
void Chip::bury_dead() {
  if (!burial_is_due()) return;
  last_burial_ = wall_ns();
  for (uint32_t client = 0; client < max_clients; client++)
    if (client != self_ && file_->clients[client].used && !is_alive(client)) bury(client);
}

void Chip::bury(uint32_t client) {
  if (!file_->clients[client].used) return;
  for (uint32_t i = file_->active_count; i-- > 0;)
    if (file_->tickets[file_->active[i]].client == client) drop(file_->active[i]);
  for (uint32_t use = 0; use < file_->uses_end; use++)
    if (file_->uses[use].client == client + 1) release_queue(use);
  file_->summary.vram_used -= file_->clients[client].vram;
  file_->clients[client].used = 0;
  file_->summary.clients--;
  file_->summary.dead++;
}

void Chip::lock() {
  const auto lives = [this](uint32_t client) { return client == self_ || is_alive(client); };
  if (file_->lock.take(self_, lives) == ChipLock::Taken::from_dead) repair();
}

/* The holder died between two stores. What a kernel had left may be off by one step; everything that is counted is
 * counted again. */
void Chip::repair() {
  ChipFile &file = *file_;
  file.active_count = 0;
  for (uint32_t i = 0; i < max_tickets; i++) {
    if (file.tickets[i].state == ticket_free) continue;
    file.tickets[i].position = file.active_count;
    file.active[file.active_count++] = i;
  }
  file.summary.clients = 0;
  for (const Client &client : file.clients) file.summary.clients += client.used;
  file.busy_uses = 0;
  for (const QueueUse &use : file.uses) file.busy_uses += use.client != 0 && use.busy;
  for (uint32_t i = 0; i < file.active_count; i++) {
    Ticket &ticket = file.tickets[file.active[i]];
    if (ticket.state != ticket_running) continue;
    keep_remaining(ticket);
    ticket.state = ticket_pending;
    ticket.fluid_id = 0;
  }
  file.fluid.count = 0;
  changed_ = true;
  last_burial_ = 0;
}

void Chip::unlock() {
  if (changed_) note_wakes();
  changed_ = false;
  const uint64_t wakes = wakes_;
  wakes_ = 0;
  file_->lock.give();
  for (uint64_t left = wakes & ~(1ULL << self_); left != 0; left &= left - 1) {
    Client &other = file_->clients[__builtin_ctzll(left)];
    other.wake.fetch_add(1);
    if (other.asleep.load()) futex_wake(other.wake);
  }
}

void Chip::sleep(int64_t until_ns) {
  Client &self = file_->clients[self_];
  self.asleep.store(1);
  futex_wait(self.wake, seen_wake_, until_ns - wall_ns());
  self.asleep.store(0);
}

void Chip::wake() {
  Client &self = file_->clients[self_];
  self.wake.fetch_add(1);
  if (self.asleep.load()) futex_wake(self.wake);
}

Chip::Turn::Turn(Chip &chip) : chip_(chip), file_(*chip.file_) {
  chip.lock();
  Client &self = file_.clients[chip.self_];
  chip.seen_wake_ = self.wake.load();
  self.absent = 0;
  self.held_since_ns = 0;
}

Chip::Turn::~Turn() { chip_.unlock(); }

bool Chip::Turn::take_vram(uint64_t bytes, uint64_t limit) {
  if (file_.summary.vram_used + bytes > limit) return false;
  file_.summary.vram_used += bytes;
  file_.clients[chip_.self_].vram += bytes;
  return true;
}

void Chip::Turn::give_vram(uint64_t bytes) {
  file_.summary.vram_used -= bytes;
  file_.clients[chip_.self_].vram -= bytes;
}

}  // namespace emulator

#include "chip.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>

#include "dealing.h"

namespace emulator {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();
constexpr int64_t burial_interval_ns = 1'000'000;
/* Byte 0 of the lock range guards the making of the file, byte 1 + i says that client i lives. Far behind the end of
 * the file, so that no reader of its content meets them. */
constexpr off_t lock_base = 1LL << 40;

/* Locks of the process, not of the descriptor: a child of a fork does not keep its parent's alive. */
bool lock_byte(int fd, off_t byte, short type, int command) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = lock_base + byte;
  range.l_len = 1;
  int result;
  do result = fcntl(fd, command, &range);
  while (result != 0 && errno == EINTR);
  return command == F_GETLK ? result == 0 && range.l_type == F_UNLCK : result == 0;
}

/* One process at a time makes the file or moves in. */
class Maker {
 public:
  explicit Maker(int fd) : fd_(fd) { lock_byte(fd_, 0, F_WRLCK, F_SETLKW); }
  ~Maker() { lock_byte(fd_, 0, F_UNLCK, F_SETLK); }
  Maker(const Maker &) = delete;
  Maker &operator=(const Maker &) = delete;

 private:
  int fd_;
};

void futex_wait(std::atomic<uint32_t> &word, uint32_t expected, int64_t ns) {
  if (ns <= 0) return;
  timespec timeout{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  syscall(SYS_futex, &word, FUTEX_WAIT, expected, &timeout, nullptr, 0);
}

void futex_wake(std::atomic<uint32_t> &word) { syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0); }

void make_lock(pthread_mutex_t &lock) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&lock, &attributes);
  pthread_mutexattr_destroy(&attributes);
}

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
    const Maker maker(fd_);
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
  for (uint32_t client = 0; client < max_clients; client++) inhabited |= is_alive(client);
  /* A file that nobody lives in may hold a lock of a boot long past: start it anew. */
  if (!inhabited) prepare(gpu, time_scale, virtual_time);
  const ChipSummary &summary = file_->summary;
  if (summary.version != chip_version || summary.compute_units != gpu.compute_units() ||
      summary.time_scale != time_scale || (summary.virtual_time != 0) != virtual_time)
    throw std::runtime_error(gpu.chip_path + ": in use by programs with another configuration");
  claim_client();
}

void Chip::open_file(const std::string &path) {
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0) throw std::runtime_error(path + ": " + std::strerror(errno));
  struct stat info {};
  if (fstat(fd_, &info) != 0 ||
      (info.st_size < static_cast<off_t>(sizeof(ChipFile)) && ftruncate(fd_, sizeof(ChipFile)) != 0))
    throw std::runtime_error(path + ": cannot make the chip's file: " + std::strerror(errno));
  file_ = static_cast<ChipFile *>(map_shared(fd_));
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
  make_lock(file_->lock);
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
  lock();
  for (uint32_t client = 0; client < max_clients; client++) {
    if (fd_ >= 0 && !lock_byte(fd_, 1 + client, F_WRLCK, F_SETLK)) continue;
    bury(client);
    self_ = client;
    Client &self = file_->clients[client];
    self.used = 1;
    self.absent = 0;
    self.horizon = never;
    self.wake_at = never;
    self.held_since_ns = 0;
    self.finished = 0;
    self.vram = 0;
    file_->summary.clients++;
    unlock();
    return;
  }
  unlock();
  throw std::runtime_error("more than 64 processes on one chip");
}

bool Chip::is_alive(uint32_t client) const { return fd_ >= 0 && !lock_byte(fd_, 1 + client, F_WRLCK, F_GETLK); }

bool Chip::burial_is_due() const {
  return fd_ >= 0 && file_->summary.clients > 1 && wall_ns() - last_burial_ > burial_interval_ns;
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
  for (int tries = 0; tries < 200; tries++) {
    const int result = pthread_mutex_trylock(&file_->lock);
    if (result == 0) return;
    if (result == EOWNERDEAD) return repair();
    __builtin_ia32_pause();
  }
  if (pthread_mutex_lock(&file_->lock) == EOWNERDEAD) repair();
}

/* The holder died between two stores. What a kernel had left may be off by one step; everything that is counted is
 * counted again. */
void Chip::repair() {
  pthread_mutex_consistent(&file_->lock);
  ChipFile &file = *file_;
  file.active_count = 0;
  for (uint32_t i = 0; i < max_tickets; i++) {
    if (file.tickets[i].state == ticket_free) continue;
    file.tickets[i].position = file.active_count;
    file.active[file.active_count++] = i;
  }
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
  pthread_mutex_unlock(&file_->lock);
  for (uint32_t client = 0; client < max_clients; client++) {
    if (!(wakes >> client & 1) || client == self_) continue;
    file_->clients[client].wake.fetch_add(1);
    if (file_->clients[client].asleep.load()) futex_wake(file_->clients[client].wake);
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

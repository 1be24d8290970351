#include "stats.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace eclip {

namespace {

static_assert(sizeof(eclip_client) <= ECLIP_CLIENT_BYTES);
static_assert(sizeof(eclip_stats_header) <= ECLIP_STATS_HEADER_BYTES);

constexpr off_t file_bytes = ECLIP_STATS_HEADER_BYTES + static_cast<off_t>(ECLIP_CLIENTS) * ECLIP_CLIENT_BYTES;

uint64_t read_clock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000000000u + static_cast<uint64_t>(time.tv_nsec);
}

// The lock lives as long as the process or until any descriptor of the file is closed: so this one never is.
int claim(int descriptor) {
  for (int index = 0; index < static_cast<int>(ECLIP_CLIENTS); ++index) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = ECLIP_STATS_HEADER_BYTES + static_cast<off_t>(index) * ECLIP_CLIENT_BYTES;
    lock.l_len = ECLIP_CLIENT_BYTES;
    if (fcntl(descriptor, F_SETLK, &lock) == 0) {
      return index;
    }
  }
  return -1;
}

bool header_fits(const void *file) {
  const auto *header = static_cast<const eclip_stats_header *>(file);
  return header->magic == ECLIP_STATS_MAGIC && header->version == ECLIP_SLOT_VERSION &&
         header->clients == ECLIP_CLIENTS && header->record_bytes == ECLIP_CLIENT_BYTES;
}

void introduce(eclip_client &client) {
  memset(&client, 0, sizeof client);
  client.started_ns = now_ns();
  client.pid = static_cast<uint32_t>(getpid());
  const int comm = ::open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
  if (comm >= 0) {
    const ssize_t length = read(comm, client.executable, sizeof client.executable - 1);
    if (length > 0 && client.executable[length - 1] == '\n') {
      client.executable[length - 1] = '\0';
    }
    close(comm);
  }
}

}  // namespace

uint64_t now_ns() { return read_clock(CLOCK_MONOTONIC); }
uint64_t now_ns_coarse() { return read_clock(CLOCK_MONOTONIC_COARSE); }

uint32_t bucket_of(uint64_t nanoseconds) {
  const double micros = static_cast<double>(nanoseconds) / 1000.0;
  if (micros < 1.0) {
    return 0;
  }
  const auto octave = 63 - static_cast<uint32_t>(__builtin_clzll(static_cast<uint64_t>(micros)));
  // 2^(k/8) for k = 1..7; not log2(), whose symbol version is younger than the glibc we build for.
  constexpr double steps[] = {1.0905077326652577, 1.1892071150027210, 1.2968395546510096, 1.4142135623730951,
                              1.5422108254079407, 1.6817928305074290, 1.8340080864093424};
  const double fraction = micros / static_cast<double>(1ull << octave);
  uint32_t bucket = octave * 8;
  for (double step : steps) {
    bucket += fraction >= step ? 1 : 0;
  }
  return bucket < ECLIP_BUCKETS ? bucket : ECLIP_BUCKETS - 1;
}

void Stats::open(const std::string &path, std::string &why) {
  const int descriptor = path.empty() ? -1 : ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  struct stat status {};
  if (path.empty() || descriptor < 0) {
    why = path.empty() ? "" : path + ": " + strerror(errno);
  } else if (fstat(descriptor, &status) != 0 || status.st_size < file_bytes) {
    why = path + ": " + std::to_string(status.st_size) + " bytes, should be " + std::to_string(file_bytes);
  } else {
    void *file = mmap(nullptr, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (file == MAP_FAILED || !header_fits(file)) {
      why = path + ": not a stats file of version " + std::to_string(ECLIP_SLOT_VERSION);
    } else {
      const int index = claim(descriptor);
      if (index < 0) {
        why = path + ": all " + std::to_string(ECLIP_CLIENTS) + " records are taken";
      } else {
        client_ = reinterpret_cast<eclip_client *>(static_cast<char *>(file) + ECLIP_STATS_HEADER_BYTES +
                                                   static_cast<size_t>(index) * ECLIP_CLIENT_BYTES);
        shared_ = true;
      }
    }
  }
  if (!client_) {
    client_ = static_cast<eclip_client *>(calloc(1, sizeof(eclip_client)));
  }
  introduce(*client_);
}

eclip_counters &Stats::begin_generation(uint64_t generation) {
  eclip_counters *blocks = client_->counters;
  eclip_counters &older = blocks[0].generation <= blocks[1].generation ? blocks[0] : blocks[1];
  // Generation 0, the time before any table, starts in block 0 and must not be the first to go.
  eclip_counters &block = blocks[0].generation == blocks[1].generation ? blocks[1] : older;
  __atomic_fetch_add(&client_->sequence, 1, __ATOMIC_ACQ_REL);
  memset(&block, 0, sizeof block);
  put(block.generation, generation);
  __atomic_fetch_add(&client_->sequence, 1, __ATOMIC_ACQ_REL);
  return block;
}

eclip_counters &Stats::counters_of(uint64_t generation) {
  eclip_counters *blocks = client_->counters;
  return blocks[1].generation == generation && generation != 0 ? blocks[1] : blocks[0];
}

void Stats::refuse(uint64_t generation, eclip_refusal why, const std::string &text) {
  put(client_->refused_generation, generation);
  put(client_->refused_why, why);
  strncpy(client_->refused_text, text.c_str(), sizeof client_->refused_text - 1);
  bump(client_->tables_refused);
}

void count_request(eclip_model_counters &model, uint64_t nanoseconds, bool marked) {
  put(model.marked, marked ? 1 : 0);
  bump(model.request_micros_sum, nanoseconds / 1000);
  __atomic_fetch_add(&model.request_micros[bucket_of(nanoseconds)], 1, __ATOMIC_RELAXED);
}

void RequestTimes::add(uint64_t nanoseconds) {
  const uint32_t bucket = bucket_of(nanoseconds);
  if (bucket != bucket_) {
    flush();
    bucket_ = bucket;
  }
  ++count_;
  micros_ += nanoseconds / 1000;
}

void RequestTimes::flush() {
  if (count_ != 0) {
    __atomic_fetch_add(&model_.request_micros[bucket_], count_, __ATOMIC_RELAXED);
  }
  count_ = 0;
}

RequestTimes::~RequestTimes() {
  flush();
  put(model_.marked, 0);
  bump(model_.request_micros_sum, micros_);
}

}  // namespace eclip

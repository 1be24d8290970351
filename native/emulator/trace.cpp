#include "trace.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>

#include "clock.h"

namespace emulator {
namespace {

constexpr uint64_t step = 4ULL << 20;
constexpr uint32_t trace_version = 1;

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t record_size;
  double time_scale;
  int64_t pid;
  char command[32];
};
static_assert(sizeof(Header) == 64);

void read_command(char (&into)[32]) {
  if (FILE *file = std::fopen("/proc/self/comm", "re")) {
    if (std::fgets(into, sizeof into, file) != nullptr) into[std::strcspn(into, "\n")] = '\0';
    std::fclose(file);
  }
}

}  // namespace

Trace::Trace(const std::string &folder, double time_scale) {
  if (folder.empty()) return;
  /* Pids repeat between containers; the clock tells such files apart. */
  const std::string path = folder + "/" + std::to_string(getpid()) + "-" + std::to_string(wall_ns()) + ".trace";
  mkdir(folder.c_str(), 0777);
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0 || !grow(step)) {
    std::fprintf(stderr, "eclip emulator: no trace: cannot write %s\n", path.c_str());
    return;
  }
  Header header{{'E', 'C', 'L', 'T', 'R', 'A', 'C', 'E'}, trace_version, sizeof(TraceRecord), time_scale, getpid(), {}};
  read_command(header.command);
  std::memcpy(base_, &header, sizeof header);
  used_ = sizeof header;
}

bool Trace::grow(uint64_t size) {
  if (ftruncate(fd_, static_cast<off_t>(size)) != 0) return false;
  void *address = base_ == nullptr ? mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0)
                                   : mremap(base_, size_, size, MREMAP_MAYMOVE);
  if (address == MAP_FAILED) return false;
  base_ = static_cast<char *>(address);
  size_ = size;
  return true;
}

void Trace::write(TraceRecord record, const void *extra, uint32_t extra_size) {
  if (!on()) return;
  record.size = static_cast<uint32_t>(sizeof record + (extra_size + 7) / 8 * 8);
  /* One empty record always follows: it is the end. */
  if (used_ + record.size + sizeof record > size_ && !grow(size_ + step)) return;
  char *place = base_ + used_;
  if (extra_size > 0) std::memcpy(place + sizeof record, extra, extra_size);
  const TraceKind kind = record.kind;
  record.kind = TraceKind::end;
  std::memcpy(place, &record, sizeof record);
  __atomic_store_n(reinterpret_cast<uint16_t *>(place), static_cast<uint16_t>(kind), __ATOMIC_RELEASE);
  used_ += record.size;
}

}  // namespace emulator

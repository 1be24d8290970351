#include "host.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "clock.h"

namespace emulator {
namespace {

constexpr int64_t resolution_ns = 2000; /* two clocks cannot be read at one moment */

int64_t read_ns(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

/* CPU time of all threads but the one that asks. */
int64_t others_cpu_ns() {
  const int64_t own = read_ns(CLOCK_THREAD_CPUTIME_ID);
  return read_ns(CLOCK_PROCESS_CPUTIME_ID) - own;
}

/* By the system call that it sleeps in; the kernel writes "running" for one that has or wants a core. */
Host::State state_of(int threads, const char *thread) {
  const std::string path = std::string(thread) + "/syscall";
  char text[32] = "";
  const int fd = openat(threads, path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Host::State::waiting; /* it has just ended */
  const ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  if (size > 0 && std::strncmp(text, "running", 7) == 0) return Host::State::running;
  const long call = size > 0 ? std::strtol(text, nullptr, 10) : -1;
  return call == SYS_nanosleep || call == SYS_clock_nanosleep ? Host::State::timed : Host::State::waiting;
}

Host::State state_of_others() {
  DIR *threads = opendir("/proc/self/task");
  if (threads == nullptr) return Host::State::running;
  const long own = syscall(SYS_gettid);
  Host::State state = Host::State::waiting;
  while (const dirent *entry = readdir(threads)) {
    if (entry->d_name[0] == '.' || std::strtol(entry->d_name, nullptr, 10) == own) continue;
    const Host::State one = state_of(dirfd(threads), entry->d_name);
    if (one < state) state = one;
    if (state == Host::State::running) break;
  }
  closedir(threads);
  return state;
}

}  // namespace

Host::Host() : cpu_ns_(others_cpu_ns()), wall_ns_(wall_ns()) {}

void Host::restart() {
  cpu_ns_ = others_cpu_ns();
  wall_ns_ = wall_ns();
}

/* All sleep only if none has computed while they were looked at one after the other: a thread may wake the next one. */
Host::Look Host::look() {
  const int64_t before = cpu_ns_, slept_from = wall_ns_;
  restart();
  const double computed = static_cast<double>(cpu_ns_ - before) / 1000;
  if (cpu_ns_ - before > resolution_ns) return {State::running, computed};
  const State state = state_of_others();
  if (state == State::running || others_cpu_ns() - cpu_ns_ > resolution_ns) return {State::running, computed};
  if (state == State::timed) return {state, static_cast<double>(wall_ns_ - slept_from) / 1000};
  return {state, 0};
}

}  // namespace emulator

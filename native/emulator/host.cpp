#include "host.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "clock.h"

namespace emulator {
namespace {

/* The clock of a process is brought up to date at ticks and switches only, those of its threads at every look: a thread
 * that computes on another core would seem to stand, and then to have computed for milliseconds at once. */
clockid_t cpu_clock_of(pid_t thread) { return static_cast<clockid_t>(~static_cast<unsigned>(thread) << 3 | 6U); }

/* False: there is no such thread any more. */
bool read_ns(clockid_t clock, int64_t &ns) {
  timespec now;
  if (clock_gettime(clock, &now) != 0) return false;
  ns = now.tv_sec * 1'000'000'000LL + now.tv_nsec;
  return true;
}

/* By the system call that it sleeps in. The kernel writes "running" for one that has or wants a core, and no call for
 * one that waits for its memory: neither chose to wait. */
Host::State state_of(int call_file) {
  char text[32] = "";
  const ssize_t size = pread(call_file, text, sizeof text - 1, 0);
  if (size <= 0) return Host::State::waiting; /* it has just ended */
  if (std::strncmp(text, "running", 7) == 0) return Host::State::running;
  const long call = std::strtol(text, nullptr, 10);
  if (call < 0) return Host::State::running;
  return call == SYS_nanosleep || call == SYS_clock_nanosleep ? Host::State::timed : Host::State::waiting;
}

}  // namespace

Host::Host() : folder_(open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (folder_ < 0) throw std::runtime_error(std::string("virtualTime needs /proc/self/task: ") + std::strerror(errno));
}

Host::~Host() {
  for (const Thread &thread : threads_) close(thread.call);
  close(folder_);
}

/* Lists the threads anew if there is one more, or one less; true if so. */
bool Host::follow_threads() {
  struct stat info {};
  if (fstat(folder_, &info) == 0 && info.st_nlink == links_) return false;
  links_ = info.st_nlink;
  std::vector<Thread> known;
  known.swap(threads_);
  const pid_t own = static_cast<pid_t>(syscall(SYS_gettid));
  DIR *list = fdopendir(openat(folder_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (list == nullptr) return true;
  while (const dirent *entry = readdir(list)) {
    const auto id = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (id == 0 || id == own) continue;
    const auto before = std::find_if(known.begin(), known.end(), [&](const Thread &thread) { return thread.id == id; });
    if (before != known.end()) {
      threads_.push_back(*before);
      before->call = -1;
      continue;
    }
    const int call = openat(folder_, (std::string(entry->d_name) + "/syscall").c_str(), O_RDONLY | O_CLOEXEC);
    if (call >= 0) threads_.push_back({id, cpu_clock_of(id), call, 0});
  }
  closedir(list);
  for (const Thread &gone : known)
    if (gone.call >= 0) close(gone.call);
  return true;
}

/* CPU time of all threads since the last time this was asked. */
int64_t Host::computed_ns() {
  follow_threads();
  int64_t computed = 0;
  for (Thread &thread : threads_) {
    int64_t now = 0;
    if (!read_ns(thread.clock, now)) {
      links_ = 0; /* another may have come for it: list them next time */
      continue;
    }
    computed += now - thread.cpu_ns;
    thread.cpu_ns = now;
  }
  return computed;
}

Host::State Host::state() const {
  State state = State::waiting;
  for (const Thread &thread : threads_) {
    state = std::min(state, state_of(thread.call));
    if (state == State::running) break;
  }
  return state;
}

void Host::restart() {
  computed_ns();
  wall_ns_ = wall_ns();
}

/* All sleep only if none has computed while they were looked at one after the other: a thread may wake the next one.
 * The clock of a thread that sleeps does not move at all. */
Host::Look Host::look() {
  const int64_t slept_from = wall_ns_;
  wall_ns_ = wall_ns();
  int64_t computed = computed_ns();
  if (computed == 0) {
    const State found = state();
    computed = computed_ns();
    if (computed == 0 && found == State::timed) return {found, static_cast<double>(wall_ns_ - slept_from) / 1000};
    if (computed == 0 && found == State::waiting) return {found, 0};
  }
  return {State::running, static_cast<double>(computed) / 1000};
}

}  // namespace emulator

#include "life_lock.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace emulator {
namespace {

/* Byte 0 of the lock range guards the making of the file, byte 1 + i says that client i lives. Far behind the end of
 * the file, so that no reader of its content meets them. */
constexpr off_t lock_base = 1LL << 40;
constexpr size_t most_files = 16; /* of one process: one for every GPU */

std::array<std::atomic<int>, most_files> open_files;

/* A child of a fork is no client; with its parent's description it would keep a dead one alive. */
void let_go_in_child() {
  for (auto &file : open_files) {
    const int fd = file.exchange(0);
    if (fd > 0) close(fd);
  }
}

void remember(int fd) {
  static const int once = pthread_atfork(nullptr, nullptr, let_go_in_child);
  static_cast<void>(once);
  for (auto &file : open_files) {
    int none = 0;
    if (file.compare_exchange_strong(none, fd)) return;
  }
}

/* True if it was forgotten here: not in a child of a fork, which has closed it. */
bool forget(int fd) {
  return std::any_of(open_files.begin(), open_files.end(), [&](auto &file) {
    int known = fd;
    return file.compare_exchange_strong(known, 0);
  });
}

/* For F_OFD_GETLK true if somebody else has the byte, else if the command was carried out. */
bool lock_byte(int fd, off_t byte, short type, int command) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = lock_base + byte;
  range.l_len = 1;
  int result;
  do result = fcntl(fd, command, &range);
  while (result != 0 && errno == EINTR);
  return command == F_OFD_GETLK ? result == 0 && range.l_type != F_UNLCK : result == 0;
}

}  // namespace

LifeLock::~LifeLock() {
  if (fd_ >= 0 && forget(fd_)) close(fd_);
}

void LifeLock::open(const std::string &path) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd_ < 0) throw std::runtime_error(path + ": " + std::strerror(errno));
  remember(fd_);
}

bool LifeLock::mark(uint32_t client) const { return lock_byte(fd_, 1 + client, F_WRLCK, F_OFD_SETLK); }

bool LifeLock::marked(uint32_t client) const { return lock_byte(fd_, 1 + client, F_WRLCK, F_OFD_GETLK); }

LifeLock::Maker::Maker(const LifeLock &lock) : lock_(lock) { lock_byte(lock_.fd_, 0, F_WRLCK, F_OFD_SETLKW); }

LifeLock::Maker::~Maker() { lock_byte(lock_.fd_, 0, F_UNLCK, F_OFD_SETLK); }

}  // namespace emulator

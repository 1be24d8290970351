#include "profile_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "options.h"

namespace eclip {

void ProfileFile::begin(const std::string &path) {
  if (header_) {
    munmap(header_, ECLIP_PROFILE_BYTES);
    header_ = nullptr;
  }
  const int descriptor = open(path.c_str(), O_RDWR | O_CLOEXEC);
  struct stat status {};
  if (descriptor >= 0 && fstat(descriptor, &status) == 0 && status.st_size >= static_cast<off_t>(ECLIP_PROFILE_BYTES)) {
    void *file = mmap(nullptr, ECLIP_PROFILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    header_ = file == MAP_FAILED ? nullptr : static_cast<eclip_profile_header *>(file);
  }
  if (descriptor >= 0) {
    close(descriptor);
  }
  if (header_ && (header_->magic != ECLIP_PROFILE_MAGIC || header_->version != ECLIP_SLOT_VERSION)) {
    header_ = nullptr;
  }
  if (!header_) {
    say(path + ": no profile file of version " + std::to_string(ECLIP_SLOT_VERSION) + "; no profile will be written");
  }
  progress(0);
}

void ProfileFile::progress(uint32_t percent) {
  if (header_) {
    __atomic_store_n(&header_->percent, percent, __ATOMIC_RELAXED);
    __atomic_store_n(&header_->state, static_cast<uint32_t>(Measuring), __ATOMIC_RELAXED);
  }
}

void ProfileFile::finish(State state, const std::string &text) {
  if (!header_) {
    return;
  }
  const size_t room = ECLIP_PROFILE_BYTES - sizeof(eclip_profile_header);
  if (text.size() > room) {
    finish(Failed, "the profile has " + std::to_string(text.size()) + " bytes, the file holds " + std::to_string(room));
    return;
  }
  memcpy(header_ + 1, text.data(), text.size());
  header_->bytes = text.size();
  header_->percent = state == Complete ? 100 : header_->percent;
  __atomic_store_n(&header_->state, static_cast<uint32_t>(state), __ATOMIC_RELEASE);
}

}  // namespace eclip

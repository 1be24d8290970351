/* Preloaded under rocminfo, which opens /dev/kfd only to see that it may. */
#include <dlfcn.h>
#include <fcntl.h>

#include <cstdarg>
#include <cstring>

namespace {

using Open = int (*)(const char *, int, mode_t);

int open_instead(const char *name, const char *path, int flags, mode_t mode) {
  const auto original = reinterpret_cast<Open>(dlsym(RTLD_NEXT, name));
  return original(std::strcmp(path, "/dev/kfd") == 0 ? "/dev/null" : path, flags, mode);
}

}  // namespace

#define OPEN(name)                                                                               \
  extern "C" __attribute__((visibility("default"))) int name(const char *path, int flags, ...) { \
    va_list rest;                                                                                \
    va_start(rest, flags);                                                                       \
    const auto mode = static_cast<mode_t>(flags & O_CREAT ? va_arg(rest, unsigned) : 0);         \
    va_end(rest);                                                                                \
    return open_instead(#name, path, flags, mode);                                               \
  }

OPEN(open)
OPEN(open64)

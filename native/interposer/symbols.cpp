// The way in by symbols: exported functions that the dynamic linker finds before the runtime's own, because this library
// is preloaded. They have no symbol version on purpose: so they satisfy a reference to any version.
#include <dlfcn.h>
#include <link.h>

#include <atomic>
#include <cstring>

#include "handlers.h"
#include "launch.h"
#include "symbols.h"

namespace eclip {

// dlvsym never finds ours, which has no version.
FindSymbol real_dlsym() {
  static std::atomic<FindSymbol> found{nullptr};
  FindSymbol dlsym = found.load(std::memory_order_acquire);
  for (const char *version : {"GLIBC_2.2.5", "GLIBC_2.34", "GLIBC_2.17"}) {
    if (!dlsym) {
      dlsym = reinterpret_cast<FindSymbol>(dlvsym(RTLD_NEXT, "dlsym", version));
    }
  }
  found.store(dlsym, std::memory_order_release);
  return dlsym;
}

namespace {

struct Search {
  const char *part;
  char path[4096];
};

int first_mapped(dl_phdr_info *info, size_t, void *data) {
  auto *search = static_cast<Search *>(data);
  const char *name = info->dlpi_name ? info->dlpi_name : "";
  const char *slash = strrchr(name, '/');
  const char *file = slash ? slash + 1 : name;
  const size_t bytes = strlen(name) + 1;
  if (strncmp(file, search->part, strlen(search->part)) != 0 || bytes > sizeof search->path) {
    return 0;
  }
  memcpy(search->path, name, bytes);
  return 1;
}

}  // namespace

// Not by RTLD_NEXT: a runtime that Python has loaded with RTLD_LOCAL is out of its sight.
void *mapped_library(const char *prefix) {
  Search search{prefix, {}};
  return dl_iterate_phdr(first_mapped, &search) ? dlopen(search.path, RTLD_LAZY | RTLD_NOLOAD) : nullptr;
}

namespace {

struct Wrapper {
  const char *name;
  void *address;
};

// Sorted by nobody: the table is searched only where an address is asked for.
const Wrapper *wrappers(size_t &count);

template <class Pointer>
void find(Pointer &pointer, void *library, const char *name) {
  void *address = real_dlsym()(library ? library : RTLD_NEXT, name);
  // The search from RTLD_NEXT starts behind us; anything of ours would be called for ever.
  pointer = address == wrapper_of(name) ? nullptr : reinterpret_cast<Pointer>(address);
}

#define FIND(library, name)           \
  find(runtime.name, library, #name); \
  runtime.found += runtime.name ? 1 : 0;
#define CALL(ret, name, params)
#define REDIRECT(ret, name, params, args)
#define PASS(ret, name, params, args, reason)
#define OBSERVE(ret, name, params, args)
#define WATCH(ret, name, params, args, stream)
#define SYNC(ret, name, params, args)
#define MARK(ret, name, params, args) FIND(roctx, name)
#define LOADER(ret, name, params, args)
void find_marks(Runtime &runtime, void *roctx) {
#include "hooks.def"
}
#include "undef_hooks.h"

#define CALL(ret, name, params) find(runtime.name, hip, #name);
#define REDIRECT(ret, name, params, args) FIND(hip, name)
#define PASS(ret, name, params, args, reason) FIND(hip, name)
#define OBSERVE(ret, name, params, args) FIND(hip, name)
#define WATCH(ret, name, params, args, stream) FIND(hip, name)
#define SYNC(ret, name, params, args) FIND(hip, name)
#define MARK(ret, name, params, args)
#define LOADER(ret, name, params, args)
void find_calls(Runtime &runtime, void *hip) {
#include "calls.def"
#include "hooks.def"
}
#include "undef_hooks.h"
#undef FIND

}  // namespace

namespace {

std::atomic<const Runtime *> known_runtime{nullptr};

}  // namespace

bool exchange_runtime(const Runtime *known, const Runtime *fresh) {
  return known_runtime.compare_exchange_strong(known, fresh);
}

namespace {

bool has_marks(const Runtime &runtime) { return runtime.roctxRangePushA || runtime.roctxRangeStartA; }

bool serves(const Runtime *runtime, bool for_roctx) {
  return runtime && (for_roctx ? has_marks(*runtime) : runtime->hipLaunchKernel != nullptr);
}

const Runtime *search_runtime(const Runtime *known) {
  if (!real_dlsym()) {
    return nullptr;
  }
  void *hip = mapped_library("libamdhip64.so");
  void *roctx = mapped_library("libroctx64.so");
  if (!roctx) {
    roctx = mapped_library("librocprofiler-sdk-roctx.so");
  }
  auto *fresh = known ? new Runtime(*known) : new Runtime;
  if (hip && !fresh->hipLaunchKernel) {
    find_calls(*fresh, hip);
  }
  if (roctx && !has_marks(*fresh)) {
    find_marks(*fresh, roctx);
  }
  // With nothing new every later call would leave another one behind.
  if (fresh->found == (known ? known->found : 0)) {
    delete fresh;
    return known;
  }
  return exchange_runtime(known, fresh) ? fresh : known_runtime.load(std::memory_order_acquire);
}

// Found at the first call that needs it, again while there is none, and once more when roctx comes later.
inline const Runtime *find_runtime(bool for_roctx) {
  const Runtime *runtime = known_runtime.load(std::memory_order_acquire);
  return __builtin_expect(serves(runtime, for_roctx), 1) ? runtime : search_runtime(runtime);
}

}  // namespace

const Runtime *runtime_in_use() { return find_runtime(false); }

namespace {

template <class Result>
Result missing() {
  if constexpr (!std::is_void_v<Result>) {
    return static_cast<Result>(std::is_same_v<Result, hip::Error> ? hip::error_not_initialized : 0);
  }
}

}  // namespace
#define ECLIP_WRAPPER(ret, name, params, args, for_roctx)                        \
  namespace unforeseen {                                                         \
  __attribute__((noinline)) ret name params {                                    \
    const Runtime *runtime = find_runtime(for_roctx);                            \
    if (!runtime || !runtime->name) {                                            \
      return missing<ret>();                                                     \
    }                                                                            \
    const Entry entry;                                                           \
    Client *client = entry.outermost() ? Client::get(entry, *runtime) : nullptr; \
    if (!client) {                                                               \
      return runtime->name args;                                                 \
    }                                                                            \
    return Handlers{entry, *client, *runtime}.name args;                         \
  }                                                                              \
  }                                                                              \
  extern "C" ECLIP_EXPORT ret name params {                                      \
    if (Error error = 0; Again<&Runtime::name>{error}.by args) {                 \
      return static_cast<ret>(error);                                            \
    }                                                                            \
    return unforeseen::name args;                                                \
  }
#define CALL(ret, name, params)
#define REDIRECT(ret, name, params, args) ECLIP_WRAPPER(ret, name, params, args, false)
#define PASS(ret, name, params, args, reason) ECLIP_WRAPPER(ret, name, params, args, false)
#define OBSERVE(ret, name, params, args) ECLIP_WRAPPER(ret, name, params, args, false)
#define WATCH(ret, name, params, args, stream) ECLIP_WRAPPER(ret, name, params, args, false)
#define SYNC(ret, name, params, args) ECLIP_WRAPPER(ret, name, params, args, false)
#define MARK(ret, name, params, args) ECLIP_WRAPPER(ret, name, params, args, true)
#define LOADER(ret, name, params, args)
#include "hooks.def"
#include "undef_hooks.h"

namespace {

const Wrapper *wrappers(size_t &count) {
  static const Wrapper table[] = {
#define CALL(ret, name, params)
#define REDIRECT(ret, name, params, args) {#name, reinterpret_cast<void *>(&name)},
#define PASS(ret, name, params, args, reason) REDIRECT(ret, name, params, args)
#define OBSERVE(ret, name, params, args) REDIRECT(ret, name, params, args)
#define WATCH(ret, name, params, args, stream) REDIRECT(ret, name, params, args)
#define SYNC(ret, name, params, args) REDIRECT(ret, name, params, args)
#define MARK(ret, name, params, args) REDIRECT(ret, name, params, args)
#define LOADER(ret, name, params, args)
#include "hooks.def"
#include "undef_hooks.h"
  };
  count = sizeof table / sizeof table[0];
  return table;
}

}  // namespace

void *wrapper_of(const char *symbol) {
  size_t count = 0;
  const Wrapper *table = wrappers(count);
  for (size_t index = 0; index < count; ++index) {
    if (strcmp(table[index].name, symbol) == 0) {
      return table[index].address;
    }
  }
  return nullptr;
}

}  // namespace eclip

namespace {

// Without a call into libc: a sanitizer looks its own functions up through us before its strncmp works.
bool starts_with(const char *text, const char *prefix) {
  while (*prefix && *text == *prefix) {
    ++text;
    ++prefix;
  }
  return !*prefix;
}

}  // namespace

// What dlsym gives instead of the loader's answer; null: the loader's answer.
extern "C" __attribute__((used, visibility("hidden"))) void *eclip_instead_of_symbol(void *handle, const char *symbol) {
  const bool ours = symbol && (starts_with(symbol, "hip") || starts_with(symbol, "_Z24hip") ||
                               starts_with(symbol, "__hip") || starts_with(symbol, "roctx"));
  void *wrapper = ours ? eclip::wrapper_of(symbol) : nullptr;
  if (!wrapper || handle == RTLD_NEXT) {
    return nullptr;
  }
  void *answer = eclip::real_dlsym()(handle, symbol);
  const bool roctx = starts_with(symbol, "roctx");
  void *library = eclip::mapped_library(roctx ? "libroctx64.so" : "libamdhip64.so");
  if (!library && roctx) {
    library = eclip::mapped_library("librocprofiler-sdk-roctx.so");
  }
  void *original = library ? eclip::real_dlsym()(library, symbol) : nullptr;
  // A second copy of the runtime keeps its own functions: their originals are not ours to call.
  return answer && original && (answer == original || answer == wrapper) ? wrapper : nullptr;
}

extern "C" __attribute__((used, visibility("hidden"))) void *eclip_loader_dlsym() {
  return reinterpret_cast<void *>(eclip::real_dlsym());
}

// A jump, not a call, to the loader's dlsym: it finds out by the return address who asks, and RTLD_NEXT depends on it.
asm(R"(
.text
.globl dlsym
.type dlsym, @function
dlsym:
  push %rdi
  push %rsi
  sub $8, %rsp
  call eclip_instead_of_symbol
  test %rax, %rax
  jne 1f
  call eclip_loader_dlsym
  add $8, %rsp
  pop %rsi
  pop %rdi
  jmp *%rax
1:
  add $24, %rsp
  ret
.size dlsym, .-dlsym
)");

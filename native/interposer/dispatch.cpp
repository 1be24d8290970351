// The way in by the runtime's dispatch table, from HIP 6.1 on. rocprofiler-register hands the table to us, as it would to
// a profiler. The entries then lead to the exported functions of symbols.cpp, and what they led to becomes the original:
// whether a call comes by symbol or through the table, it meets a handler once.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "handlers.h"
#include "symbols.h"

namespace eclip {

namespace {

using TakeTable = int (*)(const char *, uint64_t, uint64_t, void **, uint64_t);

// The table only grows at its end, while the major version of HIP is the same.
constexpr uint64_t newest_major = 7;
// Up to hipGetStreamDeviceId: the part without which we cannot do our work, in HIP 6.1 already.
constexpr size_t least_slots = 428;

std::string variable(const char *name) {
  const char *value = getenv(name);
  return value ? value : "";
}

// As rocprofiler-register reads a yes or no.
bool is_on(const std::string &value) { return !value.empty() && !strchr("0nNfF", value[0]) && value != "off"; }

// The folder of rocprofiler-register, with a slash: where it looks itself.
std::string folder_of(const void *code) {
  Dl_info info{};
  const char *slash = dladdr(code, &info) && info.dli_fname ? strrchr(info.dli_fname, '/') : nullptr;
  return slash ? std::string(info.dli_fname, slash + 1) : "";
}

// Who would get the tables if we were not here; null: nobody.
TakeTable profiler(const void *caller) {
  const std::string named = variable("ROCPROFILER_REGISTER_LIBRARY");
  const bool wanted = !named.empty() || !variable("ROCP_TOOL_LIBRARIES").empty() ||
                      is_on(variable("ROCPROFILER_REGISTER_FORCE_LOAD")) ||
                      real_dlsym()(RTLD_NEXT, "rocprofiler_configure");
  if (!wanted) {
    return nullptr;
  }
  void *next = real_dlsym()(RTLD_NEXT, "rocprofiler_set_api_table");
  if (!next) {
    const std::string name = named.empty() ? "librocprofiler-sdk.so" : named;
    void *library = dlopen(name.c_str(), RTLD_NOLOAD | RTLD_LAZY);
    library = library ? library : dlopen(name.c_str(), RTLD_GLOBAL | RTLD_LAZY);
    library = library ? library : dlopen((folder_of(caller) + name).c_str(), RTLD_GLOBAL | RTLD_LAZY);
    next = library ? real_dlsym()(library, "rocprofiler_set_api_table") : nullptr;
  }
  return reinterpret_cast<TakeTable>(next);
}

// What lies at the entries becomes the originals.
void overlay(Runtime &runtime, void *const *slots, size_t count) {
#define SLOT(index, name)                                                  \
  if ((index) < count && slots[index]) {                                   \
    runtime.found += runtime.name ? 0 : 1;                                 \
    runtime.name = reinterpret_cast<decltype(runtime.name)>(slots[index]); \
  }
#include "dispatch_slots.def"
#undef SLOT
  // The C++ names have no entries of their own.
  runtime._Z24hipExtModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_j =
      runtime.hipExtModuleLaunchKernel;
  runtime._Z24hipHccModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_ =
      runtime.hipHccModuleLaunchKernel;
}

void lead_here(void **slots, size_t count) {
  const auto lead = [&](size_t index, const char *name) {
    void *wrapper = wrapper_of(name);  // null for what is only called by ourselves
    if (index < count && slots[index] && wrapper) {
      __atomic_store_n(&slots[index], wrapper, __ATOMIC_RELEASE);
    }
  };
#define SLOT(index, name) lead(index, #name);
#include "dispatch_slots.def"
#undef SLOT
}

enum class Owner { Runtime, SecondRuntime, Profiler };

// Who wrote the table's entries: the runtime whose symbols we take, a second copy of it, which keeps its own functions, or
// somebody who came before us.
Owner owner_of(const void *entry) {
  Dl_info table{}, symbol{};
  void *library = mapped_library("libamdhip64.so");
  void *original = library ? real_dlsym()(library, "hipLaunchKernel") : nullptr;
  if (!original || !dladdr(entry, &table) || !dladdr(original, &symbol) || table.dli_fbase == symbol.dli_fbase) {
    return Owner::Runtime;
  }
  return strstr(table.dli_fname ? table.dli_fname : "", "libamdhip64.so") ? Owner::SecondRuntime : Owner::Profiler;
}

constexpr size_t launch_slot() {
  size_t found = 0;
#define SLOT(index, name) found = std::string_view(#name) == "hipLaunchKernel" ? (index) : found;
#include "dispatch_slots.def"
#undef SLOT
  return found;
}

void take(uint64_t version, void *table) {
  const size_t bytes = *static_cast<const size_t *>(table);
  void **slots = static_cast<void **>(table) + 1;
  const size_t count = bytes / sizeof(void *) - (bytes < sizeof(void *) ? 0 : 1);
  if (version / 10000 > newest_major || count < least_slots) {
    Client::came_by(ECLIP_WAY_OTHER_LAYOUT, bytes);
    return;
  }
  switch (owner_of(slots[launch_slot()])) {
    case Owner::SecondRuntime: return;
    case Owner::Profiler: Client::came_by(ECLIP_WAY_PROFILER, bytes); return;
    case Owner::Runtime: break;
  }
  for (bool done = false; !done;) {
    const Runtime *known = runtime_in_use();
    auto *fresh = known ? new Runtime(*known) : new Runtime;
    overlay(*fresh, slots, count);
    done = exchange_runtime(known, fresh);
    if (!done) {
      delete fresh;
    }
  }
  // Only now: whoever comes by an entry finds the originals in place.
  lead_here(slots, count);
  Client::came_by(ECLIP_WAY_TABLE, bytes);
}

}  // namespace

}  // namespace eclip

// Its presence says that there is a tool. Called by a profiler that looks for tools of its own: we are none.
extern "C" ECLIP_EXPORT void *rocprofiler_configure(uint32_t, const char *, uint32_t, void *) { return nullptr; }

// Called by rocprofiler-register at the first use of a library that has tables. Nothing of HIP may be called here.
extern "C" ECLIP_EXPORT int rocprofiler_set_api_table(const char *name, uint64_t version, uint64_t instance,
                                                      void **tables, uint64_t count) {
  const bool hip = strcmp(name, "hip") == 0 && count > 0;
  if (eclip::TakeTable profiler = eclip::profiler(__builtin_return_address(0))) {
    if (hip) {
      eclip::Client::came_by(ECLIP_WAY_PROFILER, *static_cast<const size_t *>(tables[0]));
    }
    return profiler(name, version, instance, tables, count);
  }
  if (hip) {
    eclip::take(version, tables[0]);
  }
  // After a success for "hsa" its runtime leaves out the tools of HSA_TOOLS_LIB.
  return strcmp(name, "hsa") == 0 ? 1 : 0;
}

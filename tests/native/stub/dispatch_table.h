// How a stand-in for the HIP runtime hands its dispatch table over, as a real one does from HIP 6.1 on: at the first use,
// through rocprofiler-register, which asks the process for the two symbols of a tool.
#pragma once

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace eclip::stub {

// As a release has it: the version that it states, the entries of its table. HIP 7.4 is one that nobody knows yet.
struct Release {
  const char *name;
  uint32_t version;  // 10000 * major + 100 * minor + patch
  size_t slots;
};

constexpr size_t most_slots = 560;
constexpr Release releases[] = {
    {"6.1", 60100, 437}, {"6.2", 60200, 452}, {"6.4", 60400, 474}, {"7.0", 70000, 477}, {"7.4", 70400, most_slots},
};

inline const Release *release(const char *name) {
  for (const Release &known : releases) {
    if (strcmp(known.name, name) == 0) {
      return &known;
    }
  }
  return nullptr;
}

// The first member is its size in bytes; behind the entries of the release lies memory that is not the table's.
struct Table {
  size_t bytes;
  void *slots[most_slots];
};

// False: there is no tool.
inline bool hand_over(const char *library, uint32_t version, Table &table) {
  using Take = int (*)(const char *, uint64_t, uint64_t, void **, uint64_t);
  const auto take = reinterpret_cast<Take>(dlsym(RTLD_DEFAULT, "rocprofiler_set_api_table"));
  void *tables[] = {&table};
  return dlsym(RTLD_DEFAULT, "rocprofiler_configure") && take && take(library, version, 0, tables, 1) == 0;
}

}  // namespace eclip::stub

// A profiler, as far as the interposer sees it: it gets the table, and refuses any other.
#include <cstdint>
#include <cstring>

extern "C" __attribute__((visibility("default"))) int rocprofiler_set_api_table(const char *name, uint64_t, uint64_t,
                                                                                void **tables, uint64_t count) {
  return strcmp(name, "hip") == 0 && count == 1 && tables[0] ? 0 : 1;
}

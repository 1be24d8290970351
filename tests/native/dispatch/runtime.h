// A runtime that does nothing but count who calls it, with a dispatch table like HIP's.
#pragma once

#include <string>

#include "dispatch_table.h"

#define ECLIP_RUNTIME_EXPORT __attribute__((visibility("default")))

namespace eclip::stub {

// Before the first call. Null: a release that has no table.
ECLIP_RUNTIME_EXPORT void start(const Release *release);
// Puts another function at the entry of hipLaunchKernel before the table is handed over, as an earlier tool would.
ECLIP_RUNTIME_EXPORT void claim(void *function);
ECLIP_RUNTIME_EXPORT void count(const std::string &symbol);
// How often the function behind the entry, or behind the symbol where there is no table, was reached.
ECLIP_RUNTIME_EXPORT int reached(const std::string &symbol);
ECLIP_RUNTIME_EXPORT Table &table();
// The entries beyond the release's size were written to.
ECLIP_RUNTIME_EXPORT bool overrun();

}  // namespace eclip::stub

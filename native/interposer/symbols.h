// What the way in by symbols knows of this process, for the other way in.
#pragma once

#include "runtime.h"

#define ECLIP_EXPORT __attribute__((visibility("default")))

namespace eclip {

using FindSymbol = void *(*)(void *, const char *);

// The loader's own dlsym.
FindSymbol real_dlsym();

// A handle of the first mapped library whose file name starts so; null: none is mapped.
void *mapped_library(const char *prefix);

// The originals in use, those of symbols at first; null: there is no runtime yet.
const Runtime *runtime_in_use();

// Puts others in their place. False: somebody else did so before. Old ones are leaked: a thread may be using them.
bool exchange_runtime(const Runtime *known, const Runtime *fresh);

}  // namespace eclip

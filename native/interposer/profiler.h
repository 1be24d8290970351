#pragma once
#include <string>
#include "runtime.h"
#include "kernels.h"
#include "streams.h"
namespace eclip {
struct Thread; struct Track; struct Launch; class Issue;
class Profiler {
 public:
  Profiler(std::string, Kernels &, Streams &, Stats &) {}
  hip::Error launch(const Runtime &, Thread &, AppStream &, Track &, const Launch &, const Issue &, Kernels::Found) { return 0; }
};
}

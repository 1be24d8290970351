// Compares what became of a program's operations with and without the interposer. Pure.
#pragma once

#include <string>
#include <vector>

#include "run.h"

namespace eclip::order {

struct Count {
  uint64_t launches = 0, redirected = 0, masked_streams = 0;
};

// What to hand to the run that shows the most order that may be: the masked stream of each kernel that went to one, and
// where something may come before an operation.
std::map<size_t, uint64_t> placements(const Trace &interposed);
Extra extras(const Program &program, const Trace &interposed);

// What is wrong, one line each; empty: nothing.
std::vector<std::string> compare(const Program &program, const Trace &bare, const Trace &interposed, const Trace &most);

Count count(const Program &program, const Trace &interposed);

}  // namespace eclip::order

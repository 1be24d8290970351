// One program in a process of its own, so that each begins with an interposer that knows nothing, and none can take another
// one along.
#pragma once

#include <string>
#include <vector>

#include "check.h"

namespace eclip::order {

struct Verdict {
  std::vector<std::string> wrong;  // empty: order is as it must be
  Count count;
};

Verdict try_out(const Program &program, SlotFolder &slot);

// The shortest program that this finds on the way from a failing one which fails still.
Program shrink(Program program, SlotFolder &slot);

}  // namespace eclip::order

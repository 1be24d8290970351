// Runs a program over some HIP entries and says what became of each operation.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "program.h"
#include "stub.h"

namespace eclip::order {

class SlotFolder;

struct Answer {
  bool made = false;  // false: the operation had nothing to work on
  bool open = false;  // the answer may differ
  Error error = hip::success;
};

struct Trace {
  std::vector<Answer> answers;
  std::map<size_t, Outcome> outcomes;
  std::vector<std::string> complaints;
};

// Operations before which the interposer may put something on the null stream, or on the stream of a launch.
struct Extra {
  Ops null, own;
};

// The entries as the dynamic linker gives them to a program: the interposer's, where it has them.
const Hip &linked();

// As it stands, on host threads of their own; the node's tables come from `slot`.
Trace run_interposed(const Program &program, SlotFolder &slot);
// Past the interposer. `shadows`: by operation, the masked stream on which a kernel may sit beside its own.
Trace run_bare(const Program &program, const std::map<size_t, uint64_t> &shadows, const Extra &extra);

}  // namespace eclip::order

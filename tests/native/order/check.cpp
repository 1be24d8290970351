#include "check.h"

#include <set>

namespace eclip::order {

namespace {

const Outcome &outcome(const Trace &trace, size_t op) {
  static const Outcome none;
  const auto found = trace.outcomes.find(op);
  return found == trace.outcomes.end() ? none : found->second;
}

std::string named(const Program &program, size_t op) {
  return "operation " + std::to_string(op) + " (" + text_of(program.ops[op]) + ")";
}

void list(std::vector<std::string> &wrong, const Program &program, const Ops &ops, size_t after, const char *what) {
  for (size_t op = 0; op < program.ops.size(); ++op) {
    if (ops[op]) {
      wrong.push_back(std::string(what) + ": " + named(program, after) + " after " + named(program, op));
    }
  }
}

void compare_answers(std::vector<std::string> &wrong, const Program &program, size_t op, const Trace &bare,
                     const Trace &interposed) {
  const Answer &one = bare.answers[op];
  const Answer &other = interposed.answers[op];
  if (one.made != other.made || (!one.open && one.error != other.error)) {
    wrong.push_back("another answer: " + named(program, op) + " gives " + std::to_string(other.error) + ", not " +
                    std::to_string(one.error));
  }
  if (outcome(bare, op).graph != outcome(interposed, op).graph) {
    wrong.push_back("another graph: " + named(program, op) + " gives " + outcome(interposed, op).graph + ", not " +
                    outcome(bare, op).graph);
  }
  if (outcome(bare, op).happened != outcome(interposed, op).happened) {
    wrong.push_back("only with one of the two: " + named(program, op));
  }
}

}  // namespace

std::map<size_t, uint64_t> placements(const Trace &interposed) {
  std::map<size_t, uint64_t> placed;
  for (const auto &[op, outcome] : interposed.outcomes) {
    if (outcome.masked != 0) {
      placed[op] = outcome.masked;
    }
  }
  return placed;
}

// Where a stream appears that looks at the null stream: kernels of the null stream may have to be settled first.
Ops null_uses(const Program &program, const Trace &interposed) {
  Ops uses;
  for (const auto &[op, outcome] : interposed.outcomes) {
    uses[op] = outcome.on_null && (outcome.blocks || program.ops[op].stream == 1);
  }
  return uses;
}

std::vector<std::string> compare(const Program &program, const Trace &bare, const Trace &interposed,
                                 const Trace &most) {
  std::vector<std::string> wrong = interposed.complaints;
  bool faulted = false;
  for (size_t op = 0; op < program.ops.size(); ++op) {
    faulted |= outcome(interposed, op).faulted;
    // HIP 7 keeps an error until it is read; where one of ours had to be cleared, so was the application's.
    if (!faulted || program.ops[op].action != Action::last_error) {
      compare_answers(wrong, program, op, bare, interposed);
    }
    list(wrong, program, outcome(bare, op).after.known & ~outcome(interposed, op).after.known, op, "order lost");
    // Where a call of ours has failed the host may have waited instead.
    if (!faulted) {
      list(wrong, program, outcome(interposed, op).after.forced & ~outcome(most, op).after.forced, op, "order added");
    }
  }
  return wrong;
}

Count count(const Program &program, const Trace &interposed) {
  Count counted;
  std::set<uint64_t> streams;
  for (size_t op = 0; op < program.ops.size(); ++op) {
    const Outcome &of = outcome(interposed, op);
    counted.launches += program.ops[op].action == Action::launch && of.happened ? 1 : 0;
    counted.redirected += of.masked != 0 ? 1 : 0;
    if (of.masked != 0) {
      streams.insert(of.masked);
    }
  }
  counted.masked_streams = streams.size();
  return counted;
}

}  // namespace eclip::order

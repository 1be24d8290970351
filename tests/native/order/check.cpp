#include "check.h"

#include <algorithm>
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
    if (outcome.masked != 0 || (!outcome.happened && outcome.forked != 0)) {
      placed[op] = outcome.masked != 0 ? outcome.masked : outcome.forked;
    }
  }
  return placed;
}

// On the null stream: where a stream appears that looks at it, kernels of the null stream may have to be settled first. On
// the stream of a launch: where the runtime refused a kernel for which its masked stream waited already.
Extra extras(const Program &program, const Trace &interposed) {
  Extra extra;
  for (const auto &[op, outcome] : interposed.outcomes) {
    extra.null[op] = outcome.on_null && (outcome.blocks || program.ops[op].stream == 1);
    extra.own[op] = program.ops[op].action == Action::launch && !outcome.happened && outcome.forked != 0;
  }
  return extra;
}

namespace {

bool may_be_on(const Table &table, const Op &launch, uint32_t mask) {
  for (const PlannedModel &model : table.models) {
    for (const PlannedKernel &kernel : model.kernels) {
      const bool same = kernel.kernel + 8 * kernel.shape == launch.item;
      if (same && (mask == mask_of(kernel.choices[0]) || mask == mask_of(kernel.choices[1]))) {
        return true;
      }
    }
  }
  return false;
}

bool has_option(const Program &program, const std::string &name, const std::string &value) {
  for (const auto &option : program.options) {
    if (option.first == name && (value.empty() || option.second == value)) {
      return true;
    }
  }
  return false;
}

// A kernel is where some table that has been in force puts it, and never where it is denied.
void check_masks(std::vector<std::string> &wrong, const Program &program, const Trace &interposed) {
  std::vector<const Table *> known;
  for (size_t op = 0; op < program.ops.size(); ++op) {
    const Op &done = program.ops[op];
    if (done.action == Action::swap && done.item >= 0 && static_cast<size_t>(done.item) < program.tables.size()) {
      known.push_back(&program.tables[static_cast<size_t>(done.item)]);
    }
    const Outcome &of = outcome(interposed, op);
    if (of.masked == 0 || done.action != Action::launch) {
      continue;
    }
    bool allowed = has_option(program, "ECLIP_SINGLE_MASK", "");
    for (const Table *table : known) {
      allowed |= may_be_on(*table, done, of.mask);
    }
    if (!allowed || has_option(program, "ECLIP_DENY", "k" + std::to_string(done.item % 8))) {
      wrong.push_back("on a masked stream that no table names: " + named(program, op));
    }
  }
}

// A masked stream serves one application stream until that is gone.
void check_owners(std::vector<std::string> &wrong, const Program &program, const Trace &bare, const Trace &interposed) {
  std::map<uint64_t, std::vector<uint64_t>> owners;
  for (size_t op = 0; op < program.ops.size(); ++op) {
    const Outcome &of = outcome(interposed, op);
    if (of.masked == 0) {
      continue;
    }
    auto &seen = owners[of.masked];
    const uint64_t owner = outcome(bare, op).stream;
    if (seen.empty() || seen.back() != owner) {
      if (std::find(seen.begin(), seen.end(), owner) != seen.end()) {
        wrong.push_back("a masked stream of two application streams: " + named(program, op));
      }
      seen.push_back(owner);
    }
  }
}

// Of a steady program: tables are changed between requests, and each kernel is where its table puts it.
void check_places(std::vector<std::string> &wrong, const Program &program, const Trace &interposed) {
  int published = 0;
  int active = 0;
  int table = 0;
  int variant = 0;
  for (size_t op = 0; op < program.ops.size(); ++op) {
    const Op &done = program.ops[op];
    published = done.action == Action::swap ? done.item : published;
    active = done.action == Action::active ? done.item : active;
    if (done.action != Action::launch) {
      continue;
    }
    if (done.item == 0) {
      table = published;
      variant = active == 1 ? 1 : 0;
    }
    const int set =
        program.tables[static_cast<size_t>(table)].models[0].kernels[static_cast<size_t>(done.item)].choices[variant];
    if (outcome(interposed, op).mask != (set < 0 ? 0 : mask_of(set))) {
      wrong.push_back("not where its table puts it: " + named(program, op));
    }
  }
}

}  // namespace

std::vector<std::string> compare(const Program &program, const Trace &bare, const Trace &interposed,
                                 const Trace &most) {
  std::vector<std::string> wrong = interposed.complaints;
  check_masks(wrong, program, interposed);
  check_owners(wrong, program, bare, interposed);
  if (program.steady) {
    check_places(wrong, program, interposed);
  }
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

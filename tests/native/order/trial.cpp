#include "trial.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "slot_folder.h"

namespace eclip::order {

namespace {

constexpr unsigned most_seconds = 20;

struct Report {
  bool complete = false;
  Count count;
  char text[8192] = {};  // lines
};

Report *shared_report() {
  static void *page = mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) {
    throw std::runtime_error("no memory to share with a child");
  }
  return static_cast<Report *>(page);
}

void set_environment(const Program &program, const SlotFolder &slot) {
  for (const char *name : {"ECLIP_MODE", "ECLIP_NON_BLOCKING", "ECLIP_PRIORITY", "ECLIP_MAX_STREAMS", "ECLIP_DENY",
                           "ECLIP_SINGLE_MASK", "HSA_CU_MASK", "ROC_GLOBAL_CU_MASK"}) {
    unsetenv(name);
  }
  setenv("ECLIP_SLOT", slot.path().c_str(), 1);
  for (const auto &[name, value] : program.options) {
    setenv(name.c_str(), value.c_str(), 1);
  }
}

void report(const Program &program, SlotFolder &slot, Report &into) {
  const Trace interposed = run_interposed(program, slot);
  const Trace bare = run_bare(program, {}, {});
  const Trace most = run_bare(program, placements(interposed), extras(program, interposed));
  std::string text;
  for (const std::string &line : compare(program, bare, interposed, most)) {
    text += line + "\n";
  }
  strncpy(into.text, text.c_str(), sizeof into.text - 1);
  into.count = count(program, interposed);
  into.complete = true;
}

std::vector<std::string> lines(const std::string &text) {
  std::vector<std::string> all;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    all.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

// Without so many operations from `from` on.
Program without(const Program &program, size_t from, size_t many) {
  Program shorter = program;
  const auto begin = shorter.ops.begin() + static_cast<std::ptrdiff_t>(from);
  shorter.ops.erase(begin, begin + static_cast<std::ptrdiff_t>(std::min(many, program.ops.size() - from)));
  return shorter;
}

bool fails(const Program &program, SlotFolder &slot) { return !try_out(program, slot).wrong.empty(); }

// A steady program is one only while its launches are whole requests, up to the last one.
bool may_drop(const Program &program, size_t from, size_t many) {
  bool launch = false;
  for (size_t at = from; at < std::min(from + many, program.ops.size()); ++at) {
    launch |= program.ops[at].action == Action::launch;
  }
  return !program.steady || !launch || from + many >= program.ops.size();
}

bool drop_operations(Program &program, SlotFolder &slot) {
  bool any = false;
  for (size_t many = program.ops.size() / 2 + 1; many > 0; many /= 2) {
    for (size_t from = 0; from < program.ops.size();) {
      Program shorter = without(program, from, many);
      if (may_drop(program, from, many) && fails(shorter, slot)) {
        program = std::move(shorter);
        any = true;
      } else {
        from += many;
      }
    }
  }
  return any;
}

bool drop_settings(Program &program, SlotFolder &slot) {
  bool any = false;
  for (size_t option = program.options.size(); option-- > 0;) {
    Program simpler = program;
    simpler.options.erase(simpler.options.begin() + static_cast<std::ptrdiff_t>(option));
    if (fails(simpler, slot)) {
      program = std::move(simpler);
      any = true;
    }
  }
  Program simpler = program;
  simpler.faults = 0;
  if (program.faults != 0 && fails(simpler, slot)) {
    program = std::move(simpler);
    any = true;
  }
  return any;
}

}  // namespace

Verdict try_out(const Program &program, SlotFolder &slot) {
  Report &shared = *shared_report();
  shared = Report();
  const pid_t child = fork();
  if (child == 0) {
    alarm(most_seconds);
    set_environment(program, slot);
    report(program, slot, shared);
    _exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) {
    throw std::runtime_error("a program cannot be started");
  }
  Verdict verdict{lines(shared.text), shared.count};
  if (WIFSIGNALED(status)) {
    verdict.wrong.push_back(std::string("ended by signal: ") + strsignal(WTERMSIG(status)));
  } else if (!shared.complete) {
    verdict.wrong.push_back("ended with status " + std::to_string(WEXITSTATUS(status)));
  }
  return verdict;
}

Program shrink(Program program, SlotFolder &slot) {
  while (drop_operations(program, slot) || drop_settings(program, slot)) {
  }
  return program;
}

}  // namespace eclip::order

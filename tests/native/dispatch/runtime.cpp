#include "runtime.h"

#include <map>

#include "hip_abi.h"

namespace eclip {

namespace stub {

namespace {

const Release *made = nullptr;
bool handed_over = false;
std::map<std::string, int> counts;
Table live;
void *claimed = nullptr;
size_t claimed_slot = 0;
char beyond;

template <class Result>
Result reach(const char *symbol) {
  ++counts[symbol];
  return Result();
}

// What the entries lead to at first.
namespace inside {
#define CALL(ret, name, params) \
  ret name params { return reach<ret>(#name); }
#define REDIRECT(ret, name, params, args) CALL(ret, name, params)
#define PASS(ret, name, params, args, reason) CALL(ret, name, params)
#define OBSERVE(ret, name, params, args) CALL(ret, name, params)
#define WATCH(ret, name, params, args, stream) CALL(ret, name, params)
#define SYNC(ret, name, params, args) CALL(ret, name, params)
#define MARK(ret, name, params, args)
#define LOADER(ret, name, params, args)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "calls.def"
#include "hooks.def"
#include "undef_hooks.h"
#pragma GCC diagnostic pop
}  // namespace inside

// At the first use.
void register_table() {
  if (handed_over || !made) {
    return;
  }
  handed_over = true;
  live.bytes = (made->slots + 1) * sizeof(void *);
  const auto fill = [](size_t index, void *function) { live.slots[index] = index < made->slots ? function : &beyond; };
  for (size_t index = made->slots; index < most_slots; ++index) {
    live.slots[index] = &beyond;
  }
#define SLOT(index, name) fill(index, reinterpret_cast<void *>(&inside::name));
#include "dispatch_slots.def"
#undef SLOT
#define SLOT(index, name) claimed_slot = strcmp(#name, "hipLaunchKernel") == 0 ? (index) : claimed_slot;
#include "dispatch_slots.def"
#undef SLOT
  if (claimed) {
    live.slots[claimed_slot] = claimed;
  }
  hand_over("hip", made->version, live);
}

// The entry of a symbol, or what the symbol itself does where it has none.
void *entry(const char *symbol, void *direct) {
  register_table();
  void *found = direct;
#define SLOT(index, name)                                            \
  if (made && (index) < made->slots && strcmp(symbol, #name) == 0) { \
    found = live.slots[index];                                       \
  }
#include "dispatch_slots.def"
#undef SLOT
  return found;
}

}  // namespace

void start(const Release *release) { made = release; }

void claim(void *function) { claimed = function; }

void count(const std::string &symbol) { ++counts[symbol]; }

int reached(const std::string &symbol) { return counts[symbol]; }

Table &table() { return live; }

bool overrun() {
  for (size_t index = made ? made->slots : most_slots; index < most_slots; ++index) {
    if (live.slots[index] != &beyond) {
      return true;
    }
  }
  return false;
}

}  // namespace stub

// What the library exports: one call through the table each. Those without names of their parameters are ours alone.
#define CALL(ret, name, params) \
  extern "C" ECLIP_RUNTIME_EXPORT ret name params { return stub::reach<ret>(#name); }
#define THROUGH(ret, name, params, args)                                                                       \
  extern "C" ECLIP_RUNTIME_EXPORT ret name params {                                                            \
    using Function = ret(*) params;                                                                            \
    return reinterpret_cast<Function>(stub::entry(#name, reinterpret_cast<void *>(&stub::inside::name))) args; \
  }
#define REDIRECT(ret, name, params, args) THROUGH(ret, name, params, args)
#define PASS(ret, name, params, args, reason) THROUGH(ret, name, params, args)
#define OBSERVE(ret, name, params, args) THROUGH(ret, name, params, args)
#define WATCH(ret, name, params, args, stream) THROUGH(ret, name, params, args)
#define SYNC(ret, name, params, args) THROUGH(ret, name, params, args)
#define MARK(ret, name, params, args)
#define LOADER(ret, name, params, args)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "calls.def"
#include "hooks.def"
#include "undef_hooks.h"
#pragma GCC diagnostic pop

}  // namespace eclip

// What happens at each hook, whatever way in it came by: the exported symbols here, a dispatch table elsewhere.
#pragma once

#include "client.h"

namespace eclip {

struct Handlers {
  const Entry &entry;
  Client &client;
  const Runtime &runtime;

#define CALL(ret, name, params)
#define REDIRECT(ret, name, params, args) ret name params;
#define PASS(ret, name, params, args, reason) ret name params;
#define OBSERVE(ret, name, params, args) ret name params;
#define WATCH(ret, name, params, args, stream) ret name params;
#define SYNC(ret, name, params, args) ret name params;
#define MARK(ret, name, params, args) ret name params;
#define LOADER(ret, name, params, args)
#include "hooks.def"
#include "undef_hooks.h"

 private:
  void watch(Stream stream);
  void looked_at(Stream stream);
  Error waited(Error result);
  void functions_end();
  template <class Begin>
  Error begin_capture(Stream stream, const Begin &begin);
  Error end_capture(Stream stream, Error error);
  Error created(Error error, Stream *stream, bool blocking, bool prioritised, bool user_masked);
  Error work_items(Function function, Dim3 items, Dim3 block, Stream stream, Event start, Event stop,
                   const class Issue &issue);
  void mark_begins(const char *message);
  void mark_ends();
};

// The exported wrapper of a hooked symbol, null for any other name. Given by the installer.
void *wrapper_of(const char *symbol);

}  // namespace eclip

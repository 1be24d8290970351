// One kernel launch of the application, whatever the entry point, and the decision where it runs.
#pragma once

#include "client.h"
#include "kernel_key.h"

namespace eclip {

struct Launch {
  const void *function;
  bool by_pointer;  // function is a host pointer; else a hipFunction_t
  hip::Dim3 grid;   // workgroups
  hip::Dim3 block;  // work-items
  hip::Stream stream;
  hip::Event start;  // the application's own events, if the entry point takes any
  hip::Event stop;
  bool movable;  // the arguments have a form that can be launched with an event
};

// How the entry point launches: as the application asked for, but on `stream`; with_stop adds a stop event.
class Issue {
 public:
  virtual hip::Error plain(hip::Stream stream) const = 0;
  virtual hip::Error with_events(hip::Stream stream, hip::Event start, hip::Event stop) const = 0;

 protected:
  ~Issue() = default;
};

hip::Error launch(const Entry &entry, Client &client, const Runtime &runtime, const Launch &launch, const Issue &issue);

// A launch that is never moved, for a reason known beforehand.
void count_pass(Client &client, const Runtime &runtime, eclip_reason why);

KernelKey key_of(const Launch &launch, NameId name);

}  // namespace eclip

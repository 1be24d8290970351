// A program for the recording runtime: a list of operations, each of one host thread, in the order in which they come, and
// the tables that the node gives out meanwhile. As text, so that a failing one can be kept. Pure.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

namespace eclip::order {

// Operands not named are not used. `stream`: 0 null, 1 per-thread, 2 legacy, then the program's own.
#define ECLIP_ORDER_ACTIONS(X)                                                                  \
  X(create)      /* stream, way: how */                                                         \
  X(destroy)     /* stream */                                                                   \
  X(event)       /* item */                                                                     \
  X(drop)        /* item: event */                                                              \
  X(launch)      /* stream, item: kernel + 8 * shape (2, 3: refused), way, extra: stop event */ \
  X(pass)        /* stream: a cooperative launch */                                             \
  X(work)        /* stream, item: which entry */                                                \
  X(record)      /* stream, item: event, way: entry */                                          \
  X(wait)        /* stream, item: event, way: entry */                                          \
  X(sync)        /* stream, way: entry */                                                       \
  X(query)       /* stream, way: entry, extra: 1 finds all done */                              \
  X(sync_event)  /* item */                                                                     \
  X(query_event) /* item, extra */                                                              \
  X(sync_device) /* way: entry */                                                               \
  X(copy)        /* way: entry */                                                               \
  X(begin)       /* stream, way: mode, extra: entry */                                          \
  X(end)         /* stream, item: graph, extra: entry */                                        \
  X(instantiate) /* item: graph */                                                              \
  X(graph)       /* stream, item: graph, way: entry */                                          \
  X(reset)                                                                                      \
  X(load)   /* item: module, way: shift of its names */                                         \
  X(unload) /* item: module */                                                                  \
  X(last_error)                                                                                 \
  X(swap)   /* item: table, -1: none */                                                         \
  X(active) /* item: the set */                                                                 \
  X(leave)  /* the thread ends; its next operation begins another */

enum class Action {
#define X(name) name,
  ECLIP_ORDER_ACTIONS(X)
#undef X
};

struct Op {
  int thread = 0;
  Action action = Action::launch;
  int stream = 0, item = 0, way = 0, extra = -1;
};

constexpr int own_streams = 3;  // the first one that is the program's own
constexpr int most_streams = 10;
constexpr int most_events = 6;
constexpr int most_graphs = 3;
constexpr int most_modules = 3;
constexpr int most_threads = 4;

struct PlannedKernel {
  int kernel, shape, stream;
  int choices[2];  // of the two variants: masked stream, or -1
};

struct PlannedModel {
  std::vector<int> kinds;  // of its streams
  std::vector<PlannedKernel> kernels;
};

// The masks of a slot's tables: four CUs for each set; none for the whole GPU.
constexpr uint32_t mask_of(int set) { return set < 0 ? 0 : 0xfu << (4 * set); }

struct Table {
  int sets = 1;
  std::vector<PlannedModel> models;
};

struct Program {
  uint64_t seed = 0;
  int version = 50221153;
  uint32_t faults = 0;
  // Thread 0 launches whole requests of the one model that all tables have, on the null stream: where each kernel goes is
  // then known.
  bool steady = false;
  std::vector<std::pair<std::string, std::string>> options;
  std::vector<Table> tables;
  std::vector<Op> ops;
};

Program generate(uint64_t seed);
std::string text_of(const Program &program);
std::string text_of(const Op &op);
bool read_program(std::istream &from, Program &program);

}  // namespace eclip::order

/* The slot folder: the only contract between a node (trusted) and a program under the interposer (not trusted).
 *
 *   <slot>/config/control             one page, written by the node, mapped read-only by the program
 *   <slot>/config/table.<generation>  FlatBuffer, see table.fbs
 *   <slot>/stats                      written by the program, read by the node as hostile input
 *   <slot>/profile                    written by the program in profile mode
 *
 * All integers are little-endian, naturally aligned, fixed width; every multi-byte field is read and written whole.
 * Rule for change: any change of layout raises ECLIP_SLOT_VERSION; both sides refuse another version.
 * core/eclip/slot/__init__.py and core/eclip/slot/stats.py mirror this file; tests/unit checks that sizes and offsets agree.
 */
#pragma once

#include <stdint.h>

#define ECLIP_SLOT_VERSION 2u
#define ECLIP_CONTROL_MAGIC 0x43494c43u /* "CLIC" */
#define ECLIP_STATS_MAGIC 0x53494c43u   /* "CLIS" */
#define ECLIP_PROFILE_MAGIC 0x50494c43u /* "CLIP" */

#define ECLIP_CONTROL_BYTES 4096u
#define ECLIP_CLIENTS 32u
#define ECLIP_MODELS 8u
#define ECLIP_STREAMS 16u
#define ECLIP_MASK_WORDS 32u
/* Request times: bucket i holds those from 2^(i / 8) us up to the start of the next bucket; the first one also what is
 * shorter, the last one also what is longer. */
#define ECLIP_BUCKETS 208u
#define ECLIP_REASONS 24u

/* config/control. The node writes table.<n>, then stores n here: a reader that sees n can open the table. */
typedef struct eclip_control {
  uint32_t magic;
  uint32_t version;
  uint64_t generation; /* 0: no table (yet, or not any more: the slot was removed) */
  uint64_t active;     /* bit i: worker i of the mix is busy; selects the variant of the table */
} eclip_control;

/* Why a launch was left on the application's stream. Index into eclip_counters.passed. Append only. */
typedef enum eclip_reason {
  ECLIP_PASS_WHOLE_GPU = 0,  /* the plan says: the application's own stream */
  ECLIP_PASS_NO_TABLE,       /* no table (yet), or a table that was refused */
  ECLIP_PASS_UNKNOWN_KERNEL, /* not in any model of the table, or the cursor is lost */
  ECLIP_PASS_CAPTURING,      /* the stream is being captured */
  ECLIP_PASS_COOPERATIVE,    /* needs all its workgroups resident at once */
  ECLIP_PASS_USER_MASKED,    /* the application masked this stream itself */
  ECLIP_PASS_PRIORITY,       /* prioritised stream */
  ECLIP_PASS_NON_BLOCKING,   /* non-blocking stream that the profile does not vouch for */
  ECLIP_PASS_DENIED,         /* kernel on the deny list */
  ECLIP_PASS_BUDGET,         /* no masked stream left for this application stream */
  ECLIP_PASS_STREAM_FAILED,  /* masked stream could not be created, or its mask was not honoured */
  ECLIP_PASS_FORK_FAILED,    /* event calls failed before the launch */
  ECLIP_PASS_GRAPH,          /* launched as part of a graph */
  ECLIP_PASS_OTHER_DEVICE,   /* not the device that the table is for */
  ECLIP_PASS_UNSUPPORTED,    /* entry point or arguments that cannot be redirected */
  ECLIP_PASS_FORKED,         /* child of a process that had used HIP */
  ECLIP_PASS_OBSERVING,      /* mode observe: counted, never redirected */
} eclip_reason;

/* One model (worker) of a client under one table generation. */
typedef struct eclip_model_counters {
  uint64_t launches;
  uint64_t requests;
  uint64_t hops;       /* changes of stream between two consecutive kernels */
  uint64_t mismatches; /* launches that were not the expected kernel */
  uint64_t resyncs;    /* times the cursor found its place again */
  uint64_t first_ns;   /* CLOCK_MONOTONIC of the first and the last launch */
  uint64_t last_ns;
  uint64_t marked; /* 1: request times come from ranges that the application marked; 0: from request starts */
  uint64_t request_micros_sum;
  uint32_t request_micros[ECLIP_BUCKETS];
} eclip_model_counters;

/* One table generation of a client. */
typedef struct eclip_counters {
  uint64_t generation;
  uint64_t launches;
  uint64_t redirected;
  uint64_t passed[ECLIP_REASONS];
  eclip_model_counters models[ECLIP_MODELS];
} eclip_counters;

/* A masked stream of a client: what was asked for, and what the runtime says it is. */
typedef struct eclip_stream_proof {
  uint32_t compute_units;
  uint32_t state;                   /* 0 not created, 1 in force, 2 refused by the runtime, 3 read back differently */
  uint32_t asked[ECLIP_MASK_WORDS]; /* driver's bit order */
  uint32_t read_back[ECLIP_MASK_WORDS];
} eclip_stream_proof;

/* One process. Claimed by a POSIX record lock (fcntl, F_WRLCK) on its bytes, so that a dead client's record is free
 * again, in whatever pid namespace it lived. Of the two blocks of counters the one with the higher generation is the
 * current one, the other the one before it (generation 0: no table); nothing is ever copied between them, so no launch
 * is lost when a table is swapped. `sequence` is odd while a block is being set up for a new generation, even
 * otherwise; counters are bumped one by one with relaxed atomics and may be read at any time. */
typedef struct eclip_client {
  uint64_t sequence;
  uint64_t started_ns; /* CLOCK_MONOTONIC at the claim */
  uint32_t pid;        /* as the client sees itself */
  int32_t hip_version; /* hipRuntimeGetVersion */
  uint32_t mode;       /* eclip_mode */
  uint32_t hooks;      /* originals found */
  uint64_t tables_refused;
  uint64_t refused_generation;
  uint32_t refused_why;   /* eclip_refusal */
  uint32_t compute_units; /* of the device, as the runtime reports it */
  uint32_t way;           /* eclip_way */
  uint32_t table_bytes;   /* of the dispatch table that the runtime handed over; 0: none */
  char executable[64];    /* /proc/self/comm, zero padded */
  char refused_text[128];
  eclip_stream_proof streams[ECLIP_STREAMS];
  eclip_counters counters[2];
} eclip_client;

/* SINGLE_MASK: as enforce, with one CU count for the whole process. */
typedef enum eclip_mode { ECLIP_OFF = 0, ECLIP_OBSERVE, ECLIP_ENFORCE, ECLIP_PROFILE, ECLIP_SINGLE_MASK } eclip_mode;

/* How the runtime's calls come to the interposer. Append only. */
typedef enum eclip_way {
  ECLIP_WAY_SYMBOLS = 0,  /* by symbols: the runtime hands no dispatch table over */
  ECLIP_WAY_TABLE,        /* by the runtime's dispatch table */
  ECLIP_WAY_PROFILER,     /* by symbols: the table is a profiler's */
  ECLIP_WAY_OTHER_LAYOUT, /* by symbols: the table is of a layout that we do not know */
} eclip_way;

typedef enum eclip_refusal {
  ECLIP_TABLE_ACCEPTED = 0,
  ECLIP_TABLE_UNREADABLE,
  ECLIP_TABLE_MALFORMED,
  ECLIP_TABLE_FORMAT,
  ECLIP_TABLE_OTHER_GPU,
  ECLIP_TABLE_INCONSISTENT,
} eclip_refusal;

/* The whole stats file: this header in a page of its own, then ECLIP_CLIENTS records, each at a multiple of
 * record_bytes. */
typedef struct eclip_stats_header {
  uint32_t magic;
  uint32_t version;
  uint32_t clients;
  uint32_t record_bytes;
} eclip_stats_header;

#define ECLIP_STATS_HEADER_BYTES 4096u
#define ECLIP_CLIENT_BYTES 20480u

/* The profile file: this header, then `bytes` bytes of KernelProfile YAML. */
typedef struct eclip_profile_header {
  uint32_t magic;
  uint32_t version;
  uint32_t state; /* 0 empty, 1 measuring, 2 complete, 3 failed: the text says why */
  uint32_t percent;
  uint64_t bytes;
} eclip_profile_header;

#define ECLIP_PROFILE_BYTES (4u << 20)

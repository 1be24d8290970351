"""The fixed layouts of a slot's files: `native/include/eclip/slot.h` in numpy's words. Pure data.

tests/unit/test_records.py compiles that header and compares every size, offset and constant.
"""

from typing import Final

import numpy as np

VERSION: Final = 2
CONTROL_MAGIC: Final = 0x43494C43
STATS_MAGIC: Final = 0x53494C43
PROFILE_MAGIC: Final = 0x50494C43

CONTROL_BYTES: Final = 4096
CLIENTS: Final = 32
MODELS: Final = 8
STREAMS: Final = 16
MASK_WORDS: Final = 32
BUCKETS: Final = 208
REASONS: Final = 24
STATS_HEADER_BYTES: Final = 4096
CLIENT_BYTES: Final = 20480
PROFILE_BYTES: Final = 4 << 20

STATS_BYTES: Final = STATS_HEADER_BYTES + CLIENTS * CLIENT_BYTES

PASS_REASONS: Final = (
    "whole-gpu",
    "no-table",
    "unknown-kernel",
    "capturing",
    "cooperative",
    "user-masked",
    "priority",
    "non-blocking",
    "denied",
    "budget",
    "stream-failed",
    "fork-failed",
    "graph",
    "other-device",
    "unsupported",
    "forked",
    "observing",
)
"""Why a launch stayed on the application's stream; index as in `eclip_reason`."""

MODES: Final = ("off", "observe", "enforce", "profile", "single-mask")
WAYS: Final = ("symbols", "table", "profiler", "other-layout")
REFUSALS: Final = ("accepted", "unreadable", "malformed", "format", "other-gpu", "inconsistent")
STREAM_STATES: Final = ("not-created", "in-force", "refused", "read-back-differs")
PROFILE_STATES: Final = ("empty", "measuring", "complete", "failed")

CONTROL: Final = np.dtype(
    [("magic", "<u4"), ("version", "<u4"), ("generation", "<u8"), ("active", "<u8")],
    align=True,
)

STATS_HEADER: Final = np.dtype(
    [("magic", "<u4"), ("version", "<u4"), ("clients", "<u4"), ("record_bytes", "<u4")],
    align=True,
)

PROFILE_HEADER: Final = np.dtype(
    [("magic", "<u4"), ("version", "<u4"), ("state", "<u4"), ("percent", "<u4"), ("bytes", "<u8")],
    align=True,
)

MODEL_COUNTERS: Final = np.dtype(
    [
        ("launches", "<u8"),
        ("requests", "<u8"),
        ("hops", "<u8"),
        ("mismatches", "<u8"),
        ("resyncs", "<u8"),
        ("first_ns", "<u8"),
        ("last_ns", "<u8"),
        ("marked", "<u8"),
        ("request_micros_sum", "<u8"),
        ("request_micros", "<u4", (BUCKETS,)),
    ],
    align=True,
)

COUNTERS: Final = np.dtype(
    [
        ("generation", "<u8"),
        ("launches", "<u8"),
        ("redirected", "<u8"),
        ("passed", "<u8", (REASONS,)),
        ("models", MODEL_COUNTERS, (MODELS,)),
    ],
    align=True,
)

STREAM_PROOF: Final = np.dtype(
    [
        ("compute_units", "<u4"),
        ("state", "<u4"),
        ("asked", "<u4", (MASK_WORDS,)),
        ("read_back", "<u4", (MASK_WORDS,)),
    ],
    align=True,
)

CLIENT: Final = np.dtype(
    [
        ("sequence", "<u8"),
        ("started_ns", "<u8"),
        ("pid", "<u4"),
        ("hip_version", "<i4"),
        ("mode", "<u4"),
        ("hooks", "<u4"),
        ("tables_refused", "<u8"),
        ("refused_generation", "<u8"),
        ("refused_why", "<u4"),
        ("compute_units", "<u4"),
        ("way", "<u4"),
        ("table_bytes", "<u4"),
        ("executable", "S64"),
        ("refused_text", "S128"),
        ("streams", STREAM_PROOF, (STREAMS,)),
        ("counters", COUNTERS, (2,)),
    ],
    align=True,
)

"""Is this host fit? Judgements of `eclip doctor` on what its edges found. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from eclip.gpu import masks
from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu
from eclip.host import probe
from eclip.host.hip import BLANK_WORD
from eclip.plan import CuSet

OLDEST_HIP = (5, 2)


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's answer."""

    what: str
    verdict: Verdict
    finding: str
    """What was found and, unless all is well, what to do about it."""


def runtime(answer: Mapping[str, Any]) -> Check:
    """The HIP runtime: there, and young enough."""
    if "hipErrorNoDevice" in answer["error"]:
        return Check("HIP runtime", Verdict.BAD, "is there, and finds no GPU that it could use")
    if not answer["version"]:
        return Check(
            "HIP runtime", Verdict.BAD, f"{answer['error']}; install it (Debian: apt-get install libamdhip64-5)"
        )
    version = hip_version(answer["version"])
    text = f"{answer['library']}, HIP {version[0]}.{version[1]}, {answer['devices']} devices"
    if version < OLDEST_HIP:
        return Check("HIP runtime", Verdict.BAD, f"{text}; at least {OLDEST_HIP[0]}.{OLDEST_HIP[1]} is needed")
    if answer["error"]:
        return Check("HIP runtime", Verdict.BAD, f"{text}; {answer['error']}")
    return Check("HIP runtime", Verdict.OK, text)


def hip_version(number: int) -> tuple[int, int]:
    """Major and minor version of what hipRuntimeGetVersion returns."""
    return number // 10_000_000, number // 100_000 % 100


def read_back(label: str, checks: Sequence[Mapping[str, Any]]) -> Check:
    """Every mask that was asked for is the one that the runtime has."""
    what = f"{label}: masks read back"
    if not checks:
        return Check(what, Verdict.BAD, "no masked stream could be made; see the HIP runtime above")
    for check in checks:
        if check["asked"] != check["readBack"]:
            return Check(
                what,
                Verdict.BAD,
                f"asked for {masks.text(check['asked'])}, the runtime says {masks.text(check['readBack'])}; "
                "unset HSA_CU_MASK and ROC_GLOBAL_CU_MASK, or do not use masks on this GPU",
            )
    return Check(what, Verdict.OK, f"{len(checks)} masks, each as asked for")


def placement(label: str, gpu: Gpu, cu_sets: Sequence[CuSet], checks: Sequence[Mapping[str, Any]]) -> Check:
    """Workgroups ran where the masks allow."""
    what = f"{label}: placement"
    reported = [
        probe.judge(check["hardwareIds"], gpu, cu_set, BLANK_WORD)
        for cu_set, check in zip(cu_sets, checks, strict=False)
        if "hardwareIds" in check
    ]
    if not reported:
        return Check(what, Verdict.NOTE, f"no probe kernel for {gpu.gfx}; masks are believed by their read-back alone")
    if all(finding.blank for finding in reported):
        return Check(what, Verdict.NOTE, "the probe kernel wrote nothing: an emulated GPU runs no machine code")
    outside = [finding for finding in reported if finding.outside]
    if outside:
        worst = max(outside, key=lambda finding: finding.outside)
        return Check(
            what,
            Verdict.BAD,
            f"{worst.outside} CUs outside the mask ran workgroups; CUs by engine: seen {dict(worst.seen)}, "
            f"allowed {dict(worst.allowed)}",
        )
    seen = sum(finding.complete for finding in reported)
    return Check(what, Verdict.OK, f"nothing outside {len(reported)} masks; {seen} of them seen on every CU")


def queue_budget(label: str, gpu: Gpu, product: Product) -> Check:
    """How many workers of the usual kind the queue slots hold."""
    per_worker = len(product.default_sizes(gpu)) - 1 + 1
    workers = min(product.queue_slots // per_worker, product.processes)
    text = (
        f"{product.queue_slots} queue slots and {product.processes} processes: {workers} workers with "
        f"{per_worker - 1} masked streams and one of their own each"
    )
    if product.masked_streams is not None:
        text += f"; at most {product.masked_streams} masked streams in all"
    return Check(f"{label}: queue budget", Verdict.OK if workers > 1 else Verdict.NOTE, text)

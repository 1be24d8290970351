"""Writes the topology trees beside this file. README.md says what in them is known and what is made up."""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Counts = Sequence[Sequence[Sequence[int]]]
"""Active CUs by [xcc][se][sa]."""
GIB = 1 << 30


@dataclass(frozen=True)
class Device:
    """One GPU node. `active` decides where CUs were harvested: the last places of an array, but see `lost`."""

    device_id: int
    target: int
    active: Counts
    places: int
    heap_bytes: int
    properties: Mapping[str, int] = field(default_factory=dict)
    simds: int = 4
    cus_per_scalar_cache: int = 2
    caches: bool = False
    unique_id: int = 0x1234_5678_9ABC_DEF0
    host: int = 0
    lost: Mapping[tuple[int, int, int], int] = field(default_factory=dict)
    """Arrays whose harvested CUs begin at this place instead of the end."""

    @property
    def arrays(self) -> int:
        return sum(len(se) for xcc in self.active for se in xcc)


COMMON = {
    "cpu_core_id_base": 0,
    "max_waves_per_simd": 8,
    "lds_size_in_kb": 64,
    "gds_size_in_kb": 0,
    "num_gws": 64,
    "wave_front_size": 64,
    "max_slots_scratch_cu": 32,
    "vendor_id": 4098,
    "domain": 0,
    "hive_id": 0,
    "num_sdma_engines": 2,
    "num_sdma_xgmi_engines": 0,
    "num_sdma_queues_per_engine": 8,
    "num_cp_queues": 24,
    "max_engine_clk_fcompute": 1700,
    "local_mem_size": 0,
    "fw_version": 92,
    "capability": 746037888,
    "debug_prop": 470,
    "sdma_fw_version": 9,
    "max_engine_clk_ccompute": 2450,
}
ORDER = (
    "cpu_cores_count",
    "simd_count",
    "mem_banks_count",
    "caches_count",
    "io_links_count",
    "p2p_links_count",
    "cpu_core_id_base",
    "simd_id_base",
    "max_waves_per_simd",
    "lds_size_in_kb",
    "gds_size_in_kb",
    "num_gws",
    "wave_front_size",
    "array_count",
    "simd_arrays_per_engine",
    "cu_per_simd_array",
    "simd_per_cu",
    "max_slots_scratch_cu",
    "gfx_target_version",
    "vendor_id",
    "device_id",
    "location_id",
    "domain",
    "drm_render_minor",
    "hive_id",
    "num_sdma_engines",
    "num_sdma_xgmi_engines",
    "num_sdma_queues_per_engine",
    "num_cp_queues",
    "max_engine_clk_fcompute",
    "local_mem_size",
    "fw_version",
    "capability",
    "debug_prop",
    "sdma_fw_version",
    "unique_id",
    "num_xcc",
    "max_engine_clk_ccompute",
)

MI300X_HARVEST = [
    [[10], [10], [9], [9]],
    [[10], [9], [10], [9]],
    [[9], [10], [10], [9]],
    [[10], [10], [10], [8]],
    [[9], [9], [10], [10]],
    [[10], [10], [9], [9]],
    [[10], [9], [9], [10]],
    [[9], [10], [9], [10]],
]
EVEN_38 = [[10], [10], [9], [9]]
CDNA3 = {"num_sdma_xgmi_engines": 14, "max_engine_clk_fcompute": 2100, "debug_prop": 1511, "fw_version": 166}


def devices() -> dict[str, list[Device]]:
    mi250x = Device(0x7408, 90010, [[[14], [13], [14], [14], [14], [13], [14], [14]]], 14, 64 * GIB, caches=True)
    mi300x = Device(0x74A1, 90402, MI300X_HARVEST, 10, 192 * GIB, CDNA3, caches=True, lost={(0, 2, 0): 3, (3, 3, 0): 0})
    navi = {"wave_front_size": 32, "max_waves_per_simd": 16, "num_sdma_queues_per_engine": 6, "num_cp_queues": 8}
    return {
        "MI50": [
            Device(
                0x66A1,
                90006,
                [[[15]] * 4],
                16,
                16 * GIB,
                {"max_waves_per_simd": 10, "max_engine_clk_fcompute": 1725},
                cus_per_scalar_cache=3,
                caches=True,
                unique_id=0x2172_8A14_0DB5_0A3F,
                lost={(0, 1, 0): 0, (0, 3, 0): 7},
            )
        ],
        "MI100": [
            Device(0x738C, 90008, [[[15]] * 8], 16, 32 * GIB, {"max_engine_clk_fcompute": 1502}, cus_per_scalar_cache=3)
        ],
        "MI210": [Device(0x740F, 90010, [[[13]] * 8], 14, 64 * GIB, unique_id=4847253685048710349, host=1)],
        "MI250X": [
            mi250x,
            Device(0x7408, 90010, mi250x.active, 14, 64 * GIB, caches=True, lost={(0, 1, 0): 5}, host=1),
        ],
        "MI300X-SPX": [mi300x],
        "MI300X-CPX": [Device(0x74A1, 90402, [EVEN_38], 10, 192 * GIB, CDNA3, unique_id=10000 + n) for n in range(8)],
        "MI325X": [Device(0x74A5, 90402, [EVEN_38] * 8, 10, 256 * GIB, CDNA3)],
        "MI355X": [Device(0x75A3, 90500, [[[8]] * 4] * 8, 10, 288 * GIB, {**CDNA3, "lds_size_in_kb": 160})],
        "RX7900XTX": [Device(0x744C, 110000, [[[8, 8]] * 6], 8, 24 * GIB, navi, simds=2)],
        "MI300A": [
            Device(0x74A0, 90402, [EVEN_38] * 6, 10, 128 * GIB, CDNA3, unique_id=7843934696581995200 + n, host=n)
            for n in range(2)
        ],
    }


def main() -> None:
    here = Path(__file__).parent if len(sys.argv) == 1 else Path(sys.argv[1])
    for machine, gpus in devices().items():
        shutil.rmtree(here / machine, ignore_errors=True)
        hosts = max(gpu.host for gpu in gpus) + 1
        for number in range(hosts):
            write_host(here / machine / "nodes" / str(number), number)
        base = 0x8000_1000
        for index, gpu in enumerate(gpus):
            write_gpu(here / machine / "nodes" / str(hosts + index), hosts + index, gpu, base, 128 + 8 * index)
            base += gpu.arrays * gpu.places


def write_host(folder: Path, number: int) -> None:
    cores = {
        "cpu_cores_count": 48,
        "mem_banks_count": 1,
        "cpu_core_id_base": 64 * number,
        "max_engine_clk_ccompute": 3700,
    }
    write(folder / "properties", {name: cores.get(name, 0) for name in ORDER if name not in ("unique_id", "num_xcc")})
    write_text(folder / "gpu_id", "0\n")
    write_text(folder / "name", "\n")
    bank = {"heap_type": 0, "size_in_bytes": 512 * GIB, "flags": 0, "width": 0, "mem_clk_max": 0}
    write(folder / "mem_banks/0/properties", bank)


def write_gpu(folder: Path, number: int, gpu: Device, base: int, render_minor: int) -> None:
    values = {
        **COMMON,
        "cpu_cores_count": 0,
        "simd_count": gpu.simds * sum(sum(map(sum, xcc)) for xcc in gpu.active),
        "mem_banks_count": 1,
        "caches_count": sum(1 for _ in cache_entries(gpu, base)),
        "io_links_count": 1,
        "p2p_links_count": 0,
        "simd_id_base": base,
        "array_count": gpu.arrays,
        "simd_arrays_per_engine": len(gpu.active[0][0]),
        "cu_per_simd_array": gpu.places,
        "simd_per_cu": gpu.simds,
        "gfx_target_version": gpu.target,
        "device_id": gpu.device_id,
        "location_id": 0x300 * number,
        "drm_render_minor": render_minor,
        "unique_id": gpu.unique_id,
        "num_xcc": len(gpu.active),
        **gpu.properties,
    }
    write(folder / "properties", {name: values[name] for name in ORDER})
    write_text(folder / "gpu_id", f"{(gpu.unique_id ^ number * 0x9E37) & 0xFFFF or 1}\n")
    write_text(
        folder / "name",
        {90006: "vega20\n", 90008: "arcturus\n", 90010: "aldebaran\n"}.get(gpu.target, "ip discovery\n"),
    )
    bank = {"heap_type": 1, "size_in_bytes": gpu.heap_bytes, "flags": 0, "width": 4096, "mem_clk_max": 1000}
    write(folder / "mem_banks/0/properties", bank)
    link = {"type": 2, "version_major": 0, "version_minor": 0, "node_from": number, "node_to": gpu.host, "weight": 20}
    link |= {"min_latency": 0, "max_latency": 0, "min_bandwidth": 312, "max_bandwidth": 64000}
    write(folder / "io_links/0/properties", {**link, "recommended_transfer_size": 0, "flags": 1})
    for index, entry in enumerate(cache_entries(gpu, base)):
        write(folder / f"caches/{index}/properties", entry)


def cache_entries(gpu: Device, base: int) -> Iterator[dict[str, object]]:
    """The scalar caches, as the driver lists them: one for every block of CUs of which at least one is active."""
    if not gpu.caches:
        return
    first = base
    for x, xcc in enumerate(gpu.active):
        for s, engine in enumerate(xcc):
            for a, count in enumerate(engine):
                gone = gpu.lost.get((x, s, a), count)
                places = [not gone <= place < gone + gpu.places - count for place in range(gpu.places)]
                for block in range(0, gpu.places, gpu.cus_per_scalar_cache):
                    alive = places[block : block + gpu.cus_per_scalar_cache]
                    if any(alive):
                        yield scalar_cache(first + block + alive.index(True), alive[alive.index(True) :])
                first += gpu.places


def scalar_cache(processor: int, alive: Sequence[bool]) -> dict[str, object]:
    siblings = [*map(int, alive), *[0] * (32 - len(alive))]
    return {
        "processor_id_low": processor,
        "level": 1,
        "size": 16,
        "cache_line_size": 0,
        "cache_lines_per_tag": 0,
        "association": 0,
        "latency": 0,
        "type": 9,
        "sibling_map": ",".join(map(str, siblings)),
    }


def write(path: Path, values: Mapping[str, object]) -> None:
    write_text(path, "".join(f"{name} {value}\n" for name, value in values.items()))


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()

"""The shape of a GPU, as the kernel driver describes it. Pure: `kfd` reads it from sysfs, `products` from its table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU as one KFD node (one GCD of an MI250X, one partition of an MI300X)."""

    node: int
    """Number of the KFD topology node."""
    product: str
    """Name of the row in the product table, e.g. ``MI50``."""
    gfx: str
    """LLVM target, e.g. ``gfx906``."""
    active: tuple[tuple[tuple[int, ...], ...], ...]
    """Active (not harvested) CUs, indexed [xcc][se][sa]. The driver counts only active CUs, so counts say it all."""
    unique_id: int
    render_minor: int
    numa_node: int | None
    vram_bytes: int
    """Local memory; on an APU, the part of system memory that the GPU may use."""
    shared_memory: bool = False
    """True on an APU: the GPU has no memory of its own."""

    @property
    def xccs(self) -> int:
        """Number of XCCs that one queue of this node feeds."""
        return len(self.active)

    @property
    def shader_engines(self) -> int:
        """Shader engines on one XCC."""
        return len(self.active[0])

    @property
    def compute_units(self) -> int:
        """Active CUs of the whole node."""
        return sum(cus for xcc in self.active for se in xcc for cus in se)

    @property
    def wgp_mode(self) -> bool:
        """True on RDNA (gfx10 and later), where CUs come in work-group-processor pairs."""
        return gfx_version(self.gfx)[0] >= 10


def gfx_version(gfx: str) -> tuple[int, int, int]:
    """Major, minor and stepping of an LLVM target: ``gfx90a`` is 9, 0, 10."""
    digits = gfx.removeprefix("gfx")
    return int(digits[:-2], 10), int(digits[-2], 16), int(digits[-1], 16)


def spread(
    compute_units: int, xccs: int, engines: int, arrays: int, *, pair: bool = False
) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """The most even placement of active CUs, [xcc][se][sa]: where nobody says which CUs were harvested.

    XCCs get equal counts (the caller makes sure that they can); inside an XCC the first engines get what is left over,
    so that the 38 CUs of an MI300X's XCC become 10, 10, 9, 9. `pair` keeps CUs of one WGP together (RDNA).
    """
    unit = 2 if pair else 1
    places = engines * arrays
    share, rest = divmod(compute_units // xccs // unit, places)
    xcc = tuple(
        tuple((share + (array * engines + engine < rest)) * unit for array in range(arrays))
        for engine in range(engines)
    )
    return (xcc,) * xccs

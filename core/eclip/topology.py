"""The shape of a GPU, as the kernel driver describes it. Pure: `kfd` reads it from sysfs."""

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
        return int(self.gfx.removeprefix("gfx")[:-2], 10) >= 10

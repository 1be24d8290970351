"""Writes down what a network launches: layers in, kernel launches in order out."""

from dataclasses import dataclass, replace
from math import prod

from functions import BY_NAME, Extent, Function, split, tuned

JOURNAL, INPUT = 0, 1
"""Buffers 0 and 1 of every program: the order of its kernels so far, and what the host copied in."""
FIRST_ACTIVATION = 2


@dataclass(frozen=True)
class Parameter:
    """A weight tensor, by number."""

    index: int


Operand = int | Parameter
"""A value (numbered, 0 is the network's input) or a parameter."""


@dataclass(frozen=True)
class Tensor:
    """A value and its shape for one sample: (channels, height, width) or (rows, columns)."""

    value: Operand
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """For one sample."""
        return prod(self.shape)


AXES = "mnkz"


@dataclass(frozen=True)
class Launch:
    """One kernel launch; `extent` is for one sample. `scales` names the shape arguments that grow with the batch;
    `accumulates` says that the kernel writes over a tensor that it reads (in place, or a gemm with beta = 1)."""

    function: Function
    extent: Extent
    scales: str
    inputs: tuple[Operand, Operand]
    output: Operand
    accumulates: bool

    def at(self, batch: int) -> Extent:
        """The extent for a batch."""
        return scaled(self.extent, self.scales, batch)

    def grid(self, batch: int) -> tuple[int, int, int]:
        """Workgroups for a batch."""
        return self.function.grid(self.at(batch))


def scaled(extent: Extent, scales: str, batch: int) -> Extent:
    """The extent for a batch."""
    return extent._replace(**{axis: getattr(extent, axis) * batch for axis in scales})


@dataclass(frozen=True)
class Placed:
    """A launch with its operands in buffers."""

    launch: Launch
    inputs: tuple[int, int]
    output: int


class Network:
    """Collects launches. `batch` only decides which tile a matrix kernel gets; the launches hold for any batch."""

    def __init__(self, name: str, batch: int, input_shape: tuple[int, ...]) -> None:
        self.name = name
        self.batch = batch
        self.launches: list[Launch] = []
        self.input = Tensor(0, input_shape)
        self._values = 1
        self._parameters = 0

    def parameter(self) -> Parameter:
        """A new weight tensor."""
        self._parameters += 1
        return Parameter(self._parameters - 1)

    @property
    def parameters(self) -> int:
        """Weight tensors so far."""
        return self._parameters

    def launch(
        self,
        function: str,
        inputs: tuple[Operand, ...],
        output: Operand | None = None,
        *,
        m: int,
        n: int = 1,
        k: int = 1,
        scales: str = "m",
    ) -> Operand:
        """Adds a launch; without `output` it makes a new value. Returns where its result is."""
        return self._add(BY_NAME[function], Extent(m, n, k, 1, 1, 1), scales, inputs, output)

    def matrix(
        self,
        kind: str,
        inputs: tuple[Operand, ...],
        output: Operand | None = None,
        *,
        m: int,
        n: int,
        k: int,
        z: int = 1,
        taps: int = 1,
        stride: int = 1,
        scales: str = "m",
    ) -> Operand:
        """Adds a tiled kernel (gemm, conv or winograd), tuned for this network's batch. Where the sum over k is split,
        the parts are added to the output in any order: z counts them."""
        extent = Extent(m, n, k, z, taps, stride)
        may_split = kind == "gemm" and z == 1 and "k" not in scales
        choice = tuned(kind, scaled(extent, scales, self.batch), may_split=may_split)
        return self._add(choice.function, split(extent, choice.splits), scales, inputs, output)

    def _add(
        self, function: Function, extent: Extent, scales: str, inputs: tuple[Operand, ...], output: Operand | None
    ) -> Operand:
        accumulates = output is not None
        if output is None:
            output = self._values
            self._values += 1
        self.launches.append(Launch(function, extent, scales, (inputs[0], inputs[-1]), output, accumulates))
        return output

    def map(self, function: str, x: Tensor, *others: Operand, in_place: bool = False, reads: int = 1) -> Tensor:
        """An element-wise kernel over x; `reads` counts the tensors of that size that it reads."""
        output = x.value if in_place else None
        return replace(x, value=self.launch(function, (x.value, *others), output, m=x.elements, k=reads))

    def placed(self) -> tuple[list[Placed], int]:
        """Gives every value a buffer, reused after its last use as an allocator would; parameters come behind.

        Returns the launches in buffers and the number of buffers that are not parameters.
        """
        last_use = {}
        for i, launch in enumerate(self.launches):
            for operand in (*launch.inputs, launch.output):
                last_use[operand] = i
        last_use[self.launches[-1].output] = len(self.launches)
        buffer_of: dict[Operand, int] = {0: INPUT}
        free: list[int] = []
        used = FIRST_ACTIVATION
        for i, launch in enumerate(self.launches):
            output = launch.output
            if not isinstance(output, Parameter) and output not in buffer_of:
                if free:
                    buffer_of[output] = free.pop(0)
                else:
                    buffer_of[output], used = used, used + 1
            for operand in {*launch.inputs, output}:
                dies = not isinstance(operand, Parameter) and operand != 0 and last_use[operand] == i
                if dies:
                    free.append(buffer_of[operand])
        for index in range(self._parameters):
            buffer_of[Parameter(index)] = used + index
        return [
            Placed(launch, (buffer_of[launch.inputs[0]], buffer_of[launch.inputs[1]]), buffer_of[launch.output])
            for launch in self.launches
        ], used

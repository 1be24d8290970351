"""Layers as sequences of kernels, the way PyTorch 1.12 with MIOpen and rocBLAS launches them in eager inference.

Which operations are kernels of their own decides the counts; see COUNTS.md for how they meet the paper's.
"""

from dataclasses import dataclass, replace
from math import prod

from network import Network, Operand, Parameter, Tensor


@dataclass(frozen=True)
class Window:
    """What slides over an image: square, padded with zeros on all sides."""

    side: int = 1
    stride: int = 1
    padding: int = 0

    @property
    def taps(self) -> int:
        """Positions in the window."""
        return self.side * self.side

    def over(self, x: Tensor, channels: int) -> tuple[int, int, int]:
        """The shape that it makes of an image."""
        height, width = ((size + 2 * self.padding - self.side) // self.stride + 1 for size in x.shape[1:])
        return channels, height, width


POINT = Window()
THREE = Window(3, 1, 1)


def conv(
    net: Network, x: Tensor, channels: int, window: Window = POINT, *, algorithm: str = "direct", bias: bool = False
) -> Tensor:
    """A convolution. `algorithm`: direct (one kernel; Winograd where it is 3 x 3 with stride 1), im2col (two),
    fft (seven: MIOpen's FFT_NUM_KERNELS), transposed (three: a strided 1 x 1 convolution as layout change, gemm,
    layout change). A bias is a kernel of its own."""
    in_channels, shape = x.shape[0], window.over(x, channels)
    pixels, depth, weight = shape[1] * shape[2], in_channels * window.taps, net.parameter()
    match algorithm:
        case "im2col":
            columns = net.launch("im2col", (x.value,), m=pixels * depth, n=x.elements, scales="mn")
            value = net.matrix("gemm", (columns, weight), m=pixels, n=channels, k=depth)
        case "fft":
            value = _fft(net, x, channels, pixels, weight)
        case "transposed":
            rows = net.launch("copy", (x.value,), m=pixels * in_channels)
            product = net.matrix("gemm", (rows, weight), m=pixels, n=channels, k=in_channels)
            value = net.launch("copy", (product,), m=pixels * channels)
        case _:
            kind = "winograd" if (window.side, window.stride) == (3, 1) else "conv"
            operands, taps, stride = (x.value, weight), window.taps, window.stride
            value = net.matrix(kind, operands, m=pixels, n=channels, k=depth, taps=taps, stride=stride)
    y = Tensor(value, shape)
    return net.map("add_bias", y, net.parameter(), in_place=True) if bias else y


def _fft(net: Network, x: Tensor, channels: int, pixels: int, weight: Parameter) -> Operand:
    # Tiles of 32 x 32 points; a real transform keeps 32 x 17 complex numbers, two words each.
    in_channels, points = x.shape[0], 32 * 17
    spectrum_in, spectrum_out, filters = (points * 2 * c for c in (in_channels, channels, in_channels * channels))
    a = net.launch("fft_input", (x.value,), m=spectrum_in, n=x.elements, k=10, scales="mn")
    f = net.launch("fft_filter", (weight,), m=filters, n=25 * in_channels * channels, k=10, scales="")
    a = net.launch("fft_transpose_input", (a,), m=spectrum_in)
    f = net.launch("fft_transpose_filter", (f,), m=filters, scales="")
    # A complex product is four real ones; one product of (batch x c) (c x channels) per frequency.
    product = net.matrix("gemm", (a, f), m=1, n=channels * 4, k=in_channels, z=points)
    y = net.launch("fft_transpose_output", (product,), m=spectrum_out)
    return net.launch("fft_inverse", (y,), m=pixels * channels, n=spectrum_out, k=10, scales="mn")


def grouped_conv(net: Network, x: Tensor, groups: int, stride: int) -> Tensor:
    """A grouped 3 x 3 convolution as seven kernels: group-major layouts of input and filter, Winograd transforms of
    both, one gemm per group and transform point, inverse transform, layout back."""
    channels = x.shape[0]
    shape = Window(3, stride, 1).over(x, channels)
    tiles = -(-shape[1] // 2) * -(-shape[2] // 2)
    per_group, points = channels // groups, 16
    filters, weight = channels * per_group * 9, net.parameter()
    transformed = tiles * points * channels
    a = net.launch("group_input", (x.value,), m=x.elements)
    f = net.launch("group_filter", (weight,), m=filters, scales="")
    a = net.launch("winograd_input", (a,), m=transformed, n=x.elements, k=8, scales="mn")
    f = net.launch("winograd_filter", (f,), m=filters * points // 9, n=filters, k=6, scales="")
    y = net.matrix("gemm", (a, f), m=tiles, n=per_group, k=per_group, z=groups * points)
    pixels = shape[1] * shape[2] * channels
    y = net.launch("winograd_output", (y,), m=pixels, n=transformed, k=8, scales="mn")
    return Tensor(net.launch("group_output", (y,), m=pixels), shape)


def depthwise_conv(net: Network, x: Tensor, stride: int) -> Tensor:
    """A depth-wise 3 x 3 convolution: one kernel."""
    shape = Window(3, stride, 1).over(x, x.shape[0])
    operands = (x.value, net.parameter())
    return Tensor(net.launch("depthwise_conv", operands, m=prod(shape), n=x.elements, k=9, scales="mn"), shape)


def batch_norm(net: Network, x: Tensor) -> Tensor:
    """Inference batch normalisation: one kernel."""
    return net.map("batch_norm", x, net.parameter())


def relu(net: Network, x: Tensor) -> Tensor:
    """In place, as torchvision's networks have it."""
    return net.map("relu", x, in_place=True)


def add(net: Network, x: Tensor, y: Tensor) -> Tensor:
    """x += y."""
    return net.map("add", x, y.value, in_place=True, reads=2)


def pool(net: Network, x: Tensor, window: Window, *, function: str = "max_pool") -> Tensor:
    """Max or average pooling: one kernel."""
    shape = window.over(x, x.shape[0])
    return Tensor(net.launch(function, (x.value,), m=prod(shape), n=x.elements, k=window.taps, scales="mn"), shape)


def average_pool_to(net: Network, x: Tensor, side: int = 1) -> Tensor:
    """Adaptive average pooling to side x side: one kernel."""
    channels, height, width = x.shape
    window = max(1, height // side) * max(1, width // side)
    outputs = channels * side * side
    value = net.launch("average_pool", (x.value,), m=outputs, n=x.elements, k=window, scales="mn")
    return Tensor(value, (channels, side, side))


def concat(net: Network, x: Tensor, y: Tensor) -> Tensor:
    """Concatenation by channels: one kernel that moves both. Of more than two tensors, x is the last concatenation."""
    shape = (x.shape[0] + y.shape[0], *x.shape[1:])
    joined = Tensor(0, shape)
    return replace(joined, value=net.launch("concat", (x.value, y.value), m=joined.elements))


def linear(net: Network, x: Tensor, features: int) -> Tensor:
    """A fully connected layer: the bias is copied to the output, then a gemm adds to it (torch.addmm): two kernels.
    `x` is (rows, columns), or anything else, flattened to one row."""
    rows, columns = x.shape if len(x.shape) == 2 else (1, x.elements)
    y = net.launch("fill_bias", (net.parameter(),), m=rows * features)
    weight = net.parameter()
    # The gemm reads the bias back from its output: y is an operand through the in-place write.
    net.matrix("gemm", (x.value, weight), m=rows, n=features, k=columns, output=y)
    return Tensor(y, (rows, features))

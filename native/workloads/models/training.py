"""One training step of AlexNet: forward, loss, backward, and a plain SGD update of every parameter."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from convnets import IMAGE
from network import Network, Operand, Parameter, Tensor


@dataclass(frozen=True)
class _Gradient:
    parameter: Parameter
    elements: int
    value: Operand


Backward = Callable[[Tensor], Tensor]
"""From the gradient of a layer's output to that of its input."""


class _Step:
    """The network being written, the backward pass as far as it is known, the gradients of the parameters."""

    def __init__(self, batch: int) -> None:
        self.net = Network("training", batch, IMAGE)
        self.backward: list[Backward] = []
        self.gradients: list[_Gradient] = []

    def conv(self, x: Tensor, channels: int, kernel: int, stride: int, padding: int) -> Tensor:
        """Convolution and bias. Its backward pass makes three gradients; the first layer needs none for its input."""
        net, (in_channels, height, width) = self.net, x.shape
        out = tuple((side + 2 * padding - kernel) // stride + 1 for side in (height, width))
        pixels, taps, depth = prod(out), kernel * kernel, in_channels * kernel * kernel
        weight, bias = net.parameter(), net.parameter()
        y = Tensor(
            net.matrix("conv", (x.value, weight), m=pixels, n=channels, k=depth, taps=taps, stride=stride),
            (channels, *out),
        )
        y = net.map("add_bias", y, bias, in_place=True)

        def backward(dy: Tensor) -> Tensor:
            dw = net.matrix("gemm", (x.value, dy.value), m=depth, n=channels, k=pixels, scales="k")
            db = net.launch("sum_rows", (dy.value,), m=channels, n=pixels, scales="n")
            self.gradients += [_Gradient(weight, depth * channels, dw), _Gradient(bias, channels, db)]
            if x.value == 0:
                return x
            columns = height * width
            dx = net.matrix("conv", (dy.value, weight), m=columns, n=in_channels, k=channels * taps, taps=taps)
            return Tensor(dx, x.shape)

        self.backward.append(backward)
        return y

    def linear(self, x: Tensor, features: int) -> Tensor:
        """A fully connected layer; two gemms backward."""
        net, columns = self.net, x.elements
        bias, weight = net.parameter(), net.parameter()
        y = net.launch("fill_bias", (bias,), m=features)
        net.matrix("gemm", (x.value, weight), m=1, n=features, k=columns, output=y)

        def backward(dy: Tensor) -> Tensor:
            dw = net.matrix("gemm", (x.value, dy.value), m=columns, n=features, k=1, scales="k")
            db = net.launch("sum_rows", (dy.value,), m=features, n=1, scales="n")
            self.gradients += [_Gradient(weight, columns * features, dw), _Gradient(bias, features, db)]
            return Tensor(net.matrix("gemm", (dy.value, weight), m=1, n=columns, k=features), x.shape)

        self.backward.append(backward)
        return Tensor(y, (features,))

    def relu(self, x: Tensor) -> Tensor:
        """In place; its gradient needs the output."""
        y = self.net.map("relu", x, in_place=True)
        self.backward.append(lambda dy: self.net.map("relu_backward", dy, y.value, reads=2))
        return y

    def pool(self, x: Tensor, function: str, kernel: int, stride: int) -> Tensor:
        """Pooling; its gradient is spread over the input."""
        net, (channels, height, width) = self.net, x.shape
        out = tuple((side - kernel) // stride + 1 for side in (height, width))
        outputs = channels * prod(out)
        y = net.launch(function, (x.value,), m=outputs, n=x.elements, k=kernel * kernel, scales="mn")

        def backward(dy: Tensor) -> Tensor:
            dx = net.launch(f"{function}_backward", (dy.value, x.value), m=x.elements, n=outputs, k=kernel, scales="mn")
            return Tensor(dx, x.shape)

        self.backward.append(backward)
        return Tensor(y, (channels, *out))

    def forward(self) -> Tensor:
        """The network up to its logits."""
        x = self.net.input
        for channels, kernel, stride, padding, pooled in (
            (64, 11, 4, 2, True),
            (192, 5, 1, 2, True),
            (384, 3, 1, 1, False),
            (256, 3, 1, 1, False),
            (256, 3, 1, 1, True),
        ):
            x = self.relu(self.conv(x, channels, kernel, stride, padding))
            x = self.pool(x, "max_pool", 3, 2) if pooled else x
        for features in (4096, 4096):
            x = self.relu(self.linear(x, features))
        return self.linear(x, 1000)


def training(batch: int) -> Network:
    """Forward 29 kernels, loss 2, backward, one update a parameter; the loss is the step's last value."""
    step = _Step(batch)
    net, logits = step.net, step.forward()
    loss = net.launch("cross_entropy", (logits.value, net.input.value), m=1, n=1000)
    gradient = Tensor(net.launch("cross_entropy_backward", (logits.value, loss), m=1, n=1000), logits.shape)
    for backward in reversed(step.backward):
        gradient = backward(gradient)
    for update in step.gradients:
        net.launch("sgd_update", (update.parameter, update.value), update.parameter, m=update.elements, k=2, scales="")
    net.launch("scale_mask", (loss,), m=1)
    return net

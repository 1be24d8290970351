"""The convolutional networks of the paper, layer by layer as torchvision 0.13 has them, for 224 x 224 RGB images."""

from dataclasses import dataclass

from layers import (
    POINT,
    THREE,
    Window,
    add,
    average_pool_to,
    batch_norm,
    concat,
    conv,
    depthwise_conv,
    grouped_conv,
    linear,
    pool,
    relu,
)
from network import Network, Tensor

IMAGE = (3, 224, 224)


def _conv_norm(net: Network, x: Tensor, channels: int, window: Window = POINT) -> Tensor:
    return batch_norm(net, conv(net, x, channels, window))


def _classifier(net: Network, x: Tensor, side: int, hidden: int) -> None:
    x = average_pool_to(net, x, side)
    for features in (hidden, hidden):
        x = relu(net, linear(net, x, features))
    linear(net, x, 1000)


def alexnet(batch: int) -> Network:
    """34 kernels."""
    net = Network("alexnet", batch, IMAGE)
    x = relu(net, conv(net, net.input, 64, Window(11, 4, 2), algorithm="im2col", bias=True))
    x = pool(net, x, Window(3, 2))
    x = relu(net, conv(net, x, 192, Window(5, 1, 2), algorithm="fft", bias=True))
    x = pool(net, x, Window(3, 2))
    for channels in (384, 256, 256):
        x = relu(net, conv(net, x, channels, THREE, bias=True))
    x = pool(net, x, Window(3, 2))
    _classifier(net, x, 6, 4096)
    return net


def vgg19(batch: int) -> Network:
    """62 kernels."""
    net = Network("vgg19", batch, IMAGE)
    x = net.input
    for channels, repeats in ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)):
        for _ in range(repeats):
            x = relu(net, conv(net, x, channels, THREE, bias=True))
        x = pool(net, x, Window(2, 2))
    _classifier(net, x, 7, 4096)
    return net


def _stem(net: Network) -> Tensor:
    x = relu(net, _conv_norm(net, net.input, 64, Window(7, 2, 3)))
    return pool(net, x, Window(3, 2, 1))


def densenet201(batch: int) -> Network:
    """711 kernels."""
    net = Network("densenet201", batch, IMAGE)
    x = _stem(net)
    for block, layers in enumerate((6, 12, 48, 32)):
        # Every layer concatenates what came before; for the first one that is a copy of one tensor.
        features = net.map("concat", x)
        for _ in range(layers):
            y = relu(net, batch_norm(net, features))
            y = conv(net, y, 128)
            y = relu(net, batch_norm(net, y))
            y = conv(net, y, 32, THREE)
            features = concat(net, features, y)
        x = relu(net, batch_norm(net, features))
        if block < 3:
            x = pool(net, conv(net, x, x.shape[0] // 2), Window(2, 2), function="average_pool")
    linear(net, average_pool_to(net, x), 1000)
    return net


@dataclass(frozen=True)
class _Bottleneck:
    """1 x 1, 3 x 3 (grouped where groups > 1), 1 x 1, and a shortcut. `shortcut` names the algorithm of the shortcut's
    convolution; empty where it has none."""

    width: int
    channels: int
    stride: int
    groups: int
    shortcut: str

    def __call__(self, net: Network, x: Tensor) -> Tensor:
        y = relu(net, _conv_norm(net, x, self.width))
        if self.groups == 1:
            y = _conv_norm(net, y, self.width, Window(3, self.stride, 1))
        else:
            y = batch_norm(net, grouped_conv(net, y, self.groups, self.stride))
        y = _conv_norm(net, relu(net, y), self.channels)
        if self.shortcut:
            strided = Window(1, self.stride)
            x = batch_norm(net, conv(net, x, self.channels, strided, algorithm=self.shortcut))
        return relu(net, add(net, y, x))


@dataclass(frozen=True)
class _Residual:
    blocks: tuple[int, ...]
    width: int
    groups: int
    last_shortcut: str
    """Algorithm of the last stage's shortcut convolution."""

    def build(self, net: Network) -> Network:
        x = _stem(net)
        for stage, repeats in enumerate(self.blocks):
            shortcut = self.last_shortcut if stage == len(self.blocks) - 1 else "direct"
            for block in range(repeats):
                stride, algorithm = (2 if stage else 1, shortcut) if block == 0 else (1, "")
                x = _Bottleneck(self.width << stage, 256 << stage, stride, self.groups, algorithm)(net, x)
        linear(net, average_pool_to(net, x), 1000)
        return net


def resnet152(batch: int) -> Network:
    """517 kernels (the paper's "resnet15")."""
    return _Residual((3, 8, 36, 3), 64, 1, "transposed").build(Network("resnet152", batch, IMAGE))


def resnext101(batch: int) -> Network:
    """543 kernels (32 groups of 8 channels)."""
    return _Residual((3, 4, 23, 3), 256, 32, "direct").build(Network("resnext101", batch, IMAGE))


def _shuffle_branch(net: Network, x: Tensor, channels: int, stride: int) -> Tensor:
    y = relu(net, _conv_norm(net, x, channels))
    y = batch_norm(net, depthwise_conv(net, y, stride))
    return relu(net, _conv_norm(net, y, channels))


def shufflenet(batch: int) -> Network:
    """185 kernels (ShuffleNet V2, width 1.0)."""
    net = Network("shufflenet", batch, IMAGE)
    x = relu(net, _conv_norm(net, net.input, 24, Window(3, 2, 1)))
    x = pool(net, x, Window(3, 2, 1))
    for channels, repeats in ((116, 4), (232, 8), (464, 4)):
        left = relu(net, _conv_norm(net, batch_norm(net, depthwise_conv(net, x, 2)), channels // 2))
        right = _shuffle_branch(net, x, channels // 2, 2)
        x = net.map("shuffle", concat(net, left, right))
        for _ in range(repeats - 1):
            half = Tensor(x.value, (channels // 2, *x.shape[1:]))  # a view: no kernel
            x = net.map("shuffle", concat(net, half, _shuffle_branch(net, half, channels // 2, 1)))
    x = relu(net, _conv_norm(net, x, 1024))
    linear(net, average_pool_to(net, x), 1000)
    return net

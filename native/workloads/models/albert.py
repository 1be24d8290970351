"""ALBERT base for sequence classification, 128 tokens: 12 passes through one shared layer."""

from layers import add, linear
from network import Network, Parameter, Tensor

TOKENS, HIDDEN, HEADS, EMBEDDING, INNER = 128, 768, 12, 128, 3072
PASSES = 12


def _layer_norm(net: Network, x: Tensor) -> Tensor:
    rows, columns = x.shape
    return Tensor(net.launch("layer_norm", (x.value, net.parameter()), m=rows, n=columns), x.shape)


def _heads(net: Network, x: Tensor) -> Tensor:
    # Splitting or joining heads permutes memory: a copy.
    return net.map("copy", x)


def _attention(net: Network, x: Tensor, mask: Tensor) -> Tensor:
    query, key, value = (_heads(net, linear(net, x, HIDDEN)) for _ in range(3))
    width = HIDDEN // HEADS
    scores = net.matrix("gemm", (query.value, key.value), m=TOKENS, n=TOKENS, k=width, z=HEADS, scales="z")
    weights = net.launch("softmax", (scores, mask.value), m=HEADS * TOKENS, n=TOKENS)
    context = net.matrix("gemm", (weights, value.value), m=TOKENS, n=width, k=TOKENS, z=HEADS, scales="z")
    return linear(net, _heads(net, Tensor(context, (TOKENS, HIDDEN))), HIDDEN)


def _encoder_layer(net: Network, x: Tensor, mask: Tensor) -> Tensor:
    x = _layer_norm(net, add(net, _attention(net, x, mask), x))
    inner = net.map("gelu", linear(net, x, INNER), in_place=True)
    return _layer_norm(net, add(net, linear(net, inner, HIDDEN), x))


class _Shared(Network):
    """Hands out the same parameters in every pass, since all passes share one layer."""

    def __init__(self, name: str, batch: int, input_shape: tuple[int, ...]) -> None:
        super().__init__(name, batch, input_shape)
        self._pass: list[Parameter] = []
        self._position = -1

    def begin_pass(self) -> None:
        self._position = 0

    def end_passes(self) -> None:
        self._position = -1

    def parameter(self) -> Parameter:
        if self._position < 0:
            return super().parameter()
        if self._position == len(self._pass):
            self._pass.append(super().parameter())
        self._position += 1
        return self._pass[self._position - 1]


def albert(batch: int) -> Network:
    """304 kernels."""
    net = _Shared("albert", batch, (TOKENS, 1))
    tokens = Tensor(0, (TOKENS, EMBEDDING))
    mask = Tensor(0, (TOKENS, 1))
    for function in ("cast_mask", "invert_mask", "scale_mask"):
        mask = net.map(function, mask)
    words, kinds, places = (net.map("gather", tokens, net.parameter()) for _ in range(3))
    x = _layer_norm(net, add(net, add(net, words, kinds), places))
    x = linear(net, x, HIDDEN)
    for _ in range(PASSES):
        net.begin_pass()
        x = _encoder_layer(net, x, mask)
    net.end_passes()
    first_token = Tensor(x.value, (1, HIDDEN))  # a view: no kernel
    pooled = net.map("tanh_", linear(net, first_token, HIDDEN), in_place=True)
    linear(net, pooled, 2)
    return net

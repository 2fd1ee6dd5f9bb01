"""The cases that are compared."""

from dataclasses import asdict, dataclass, replace
from random import Random

KINDS = ("rnn", "lstm", "gru")
EVERYONE = ("torch", "onnxruntime", "keras", "keras-function", "burn", "candle", "nexus", "rust-lstm")
# The sums of a unit, and so the blocks of a matrix of weights.
BLOCKS = {"rnn": 1, "lstm": 4, "gru": 3}
TOLERANCE = {"f32": 1e-5, "f64": 1e-12}
# nexus-inference has sigmoid and tanh of fewer digits.
LOOSER = {"nexus": 1e-3}


@dataclass(frozen=True)
class Case:
    """One network and its input; `mode` says what is done with them."""

    group: str
    mode: str  # forward, backward (and forward before it), training, step, cell, ragged,
    # keras (batch first, every output), keras-last (the last only)
    len: int
    batch: int
    input: int
    hidden: int
    kind: str = "rnn"
    layers: int = 1
    bidirectional: bool = False
    dtype: str = "f32"
    lengths: tuple[int, ...] = ()
    against: tuple[str, ...] = EVERYONE

    @property
    def name(self):
        sizes = f"({self.len},{self.batch},{self.input},{self.hidden},{self.layers})"
        if self.mode in ("step", "cell"):
            inputs = "" if self.input == self.hidden else f"I={self.input} "
            sizes = f"{inputs}H={self.hidden}{' cell' if self.mode == 'cell' else ''}"
        return f"{sizes}{' bi' if self.bidirectional else ''}"

    @property
    def label(self):
        """What `--only` searches."""
        return f"{self.group} {self.kind} {self.dtype} {self.name}"

    @property
    def flops(self):
        """The flops of one call's products, two for each multiply-add."""
        directions = 1 + self.bidirectional
        widths = [self.input] + [directions * self.hidden] * (self.layers - 1)
        terms = sum(width + self.hidden for width in widths)
        rows = sum(self.lengths) or self.batch * (1 if self.mode in ("step", "cell") else self.len)
        passes = 3 if self.mode in ("backward", "training") else 1
        return 2 * passes * directions * rows * BLOCKS[self.kind] * self.hidden * terms

    def request(self):
        """The case as the workers read it."""
        fields = asdict(self)
        return {name: fields[name] for name in fields if name not in ("group", "against")}


SIZES = (
    (3, 5, 4, 2, 1),
    (100, 1, 32, 32, 1),
    (100, 1, 128, 128, 1),
    (100, 1, 512, 512, 1),
    (100, 1, 1024, 1024, 1),
    (50, 32, 64, 128, 1),
    (100, 32, 256, 256, 1),
    (50, 64, 512, 512, 1),
    (30, 128, 1024, 1024, 1),
    (50, 32, 128, 256, 2),
    (50, 32, 128, 128, 1, True),
)


def whole(mode):
    return [sized(mode, mode, *size) for size in SIZES]


def sized(group, mode, length, batch, inputs, hidden, layers=1, bidirectional=False):
    return Case(group, mode, length, batch, inputs, hidden, layers=layers, bidirectional=bidirectional)


def streaming():
    """Steps of one sequence. The check runs over as many steps as the case's length."""
    everyone = ("torch", "onnxruntime", "burn", "candle", "nexus", "rust-lstm")
    sizes = [(hidden, hidden) for hidden in (4, 8, 16, 32, 64, 128, 256)] + [(1, 16), (1, 40)]
    steps = [Case("step", "step", 20, 1, *size, against=everyone) for size in sizes]
    cells = [Case("step", "cell", 20, 1, hidden, hidden, against=("torch",)) for hidden in (16, 64, 256)]
    return steps + cells


def ragged():
    """Uniform lengths up to the longest. One sequence is that long, as in any padded batch."""
    random = Random(0)
    lengths = (100, *(random.randint(1, 100) for _ in range(31)))
    return [Case("ragged", "ragged", 100, 32, 128, 128, lengths=lengths, against=("torch",))]


def keras():
    """This crate's Keras layer beside Keras's: every output, and the last only, which is Keras's default."""
    chosen = [size for size in SIZES if len(size) == 5 and size[4] == 1]
    against = ("keras", "keras-function")
    modes = ("keras", "keras-last")
    return [replace(sized(mode, mode, *size), against=against) for mode in modes for size in chosen]


def growth():
    """L, N and H grow, each alone, in f32 and against torch."""
    lens = [("growth-L", n, 1, 128) for n in (10, 30, 100, 300, 1000)]
    batches = [("growth-N", 50, n, 128) for n in (1, 2, 4, 8, 16, 32, 64, 128)]
    sizes = (16, 32, 64, 128, 256, 512, 1024)
    hidden = [(f"growth-H-N{batch}", 50, batch, n) for batch in (1, 32) for n in sizes]
    return [
        Case(group, "forward", length, batch, size, size, against=("torch",))
        for group, length, batch, size in lens + batches + hidden
    ]


def training():
    """Forward and backward, and whole training steps, against torch."""
    return whole("backward") + [replace(case, against=("torch",)) for case in whole("training")]


def all_cases(dtypes, kinds, backward):
    cases = whole("forward") + (training() if backward else []) + streaming() + ragged() + keras()
    made = [replace(case, dtype=dtype, kind=kind) for dtype in dtypes for kind in kinds for case in cases]
    grown = [replace(case, kind=kind) for kind in kinds for case in growth() if "f32" in dtypes]
    return made + grown


MEMORY = (
    Case("memory", "forward", 30, 128, 1024, 1024),
    Case("memory", "forward", 1000, 32, 256, 256),
    Case("memory", "forward", 1000, 32, 256, 256, 2),
    Case("memory", "forward", 10000, 1, 128, 128),
)
WARM_UP = Case("memory", "forward", 3, 5, 4, 2)

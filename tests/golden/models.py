"""Writes models.safetensors: modules of one's own in torch 2.15 on the CPU, trained with accumulated gradients.

Run from the root of the repository, in the environment of generate.py:

    .venv/bin/python tests/golden/models.py

Running it twice writes the same bytes. The metadata's one key, `cases`, has a list `model`: the dtype, the seed, whether
the module has a `shift` (if not, it is None), and `names`, those of the module's parameters in torch's order.

model.{i}.losses      of each part of each of 6 steps, before the step
model.{i}.parameters  every element after the last step, in the order of the names

Parameters are drawn in the order in which the modules are made; h_0, c_0 and shift uniform in (-1, 1). At each step the
gradients of the two parts of WORDS are added, halved, clipped to a norm of 0.5, and given to Adam: a rate of 0.05, for
`head` 0.01.
"""

from generate import TORCH
from training import flat, uniform, write

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

# Indices, 0 behind a sequence's end; lengths; classes.
WORDS = (
    (((1, 2, 3, 4), (5, 6, 0, 0), (2, 2, 1, 0)), (4, 2, 3), (0, 1, 2)),
    (((6, 5, 4), (3, 0, 0)), (3, 1), (2, 0)),
)


class Encoder(nn.Module):
    def __init__(self, dtype):
        super().__init__()
        self.embedding = nn.Embedding(7, 4, padding_idx=0, dtype=TORCH[dtype])
        self.rnn = nn.LSTM(4, 5, batch_first=True, dtype=TORCH[dtype])
        self.h_0 = nn.Parameter(uniform((1, 1, 5), dtype))
        self.c_0 = nn.Parameter(uniform((1, 1, 5), dtype))

    def forward(self, words, lengths):
        packed = pack_padded_sequence(self.embedding(words), lengths, batch_first=True, enforce_sorted=False)
        state = [plane.expand(-1, len(words), -1).contiguous() for plane in (self.h_0, self.c_0)]
        return self.rnn(packed, state)[1][0][-1]


class Net(nn.Module):
    def __init__(self, dtype, shift):
        super().__init__()
        self.encoder = Encoder(dtype)
        self.head = nn.ModuleList([nn.Linear(5, 6, dtype=TORCH[dtype]), nn.Linear(6, 3, dtype=TORCH[dtype])])
        self.shift = nn.Parameter(uniform((3,), dtype)) if shift else None

    def forward(self, words, lengths):
        logits = self.head[1](F.relu(self.head[0](self.encoder(words, lengths))))
        return logits if self.shift is None else logits + self.shift


def model_cases():
    for seed, (shift, dtype) in enumerate((shift, dtype) for shift in (True, False) for dtype in TORCH):
        names = [name for name, _ in Net(dtype, shift).named_parameters()]
        yield {"shift": shift, "names": names, "dtype": dtype, "seed": seed}


def run_model(case):
    net = Net(case["dtype"], case["shift"])
    head = list(net.head.parameters())
    others = [parameter for name, parameter in net.named_parameters() if not name.startswith("head.")]
    adam = torch.optim.Adam([{"params": others}, {"params": head, "lr": 0.01}], lr=0.05)
    losses = []
    for _ in range(6):
        adam.zero_grad()
        for words, lengths, classes in WORDS:
            loss = F.cross_entropy(net(torch.tensor(words), lengths), torch.tensor(classes))
            losses.append(loss.detach())
            (loss / 2).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        adam.step()
    return {"losses": torch.stack(losses), "parameters": flat(net.parameters())}


if __name__ == "__main__":
    write("models.safetensors", {"model": (model_cases, run_model)})

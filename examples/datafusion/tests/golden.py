"""Writes golden/: a model of torch in two formats, and what torch computes with it.

    python tests/golden.py          # torch 2.15, onnx; the same bytes each time
"""

import warnings
from pathlib import Path

import torch
from torch import nn

FOLDER = Path(__file__).parent / "golden"
TOKENS = [[3], [1, 4, 1, 5, 9, 2, 6], [10, 0, 10], [7, 7, 7, 7, 7]]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 4)
        self.rnn = nn.GRU(4, 3, num_layers=2, bidirectional=True)
        self.head = nn.Linear(6, 2)

    def forward(self, tokens):
        _, h_n = self.rnn(self.embedding(tokens))
        return self.head(torch.cat([h_n[-2], h_n[-1]], dim=-1))


def main():
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(0)
    net = Net()
    torch.save(net.state_dict(), FOLDER / "net.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.tensor([[1], [2]])
        torch.onnx.export(net, (example,), FOLDER / "net.onnx", dynamo=False, input_names=["tokens"],
                          dynamic_axes={"tokens": {0: "length"}})
    with torch.inference_mode():
        scores = [net(torch.tensor(tokens)[:, None])[0].numpy() for tokens in TOKENS]
    rows = zip(TOKENS, scores)
    text = [f"{' '.join(map(str, tokens))}: {' '.join(repr(float(x)) for x in score)}" for tokens, score in rows]
    (FOLDER / "scores.txt").write_text("\n".join(text) + "\n")


main()

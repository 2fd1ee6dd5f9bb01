"""Writes curves.json: the losses of torch 2.15 on the CPU while it trains what the examples train.

Run from the root of the repository, in the environment of generate.py:

    .venv/bin/python tests/golden/curves.py

Running it twice writes the same bytes. An object for each of hihello, charseq, longseq, longseq_f64, timeseries,
names and rhyme, everything in f32 but for longseq_f64, where parameters are drawn in f64 too. Of names it is the
first 2 epochs, of rhyme the first 20:

losses     before each step of Adam, f32 in as few digits as tell it from its neighbours
text       the letters predicted before the last step; of rhyme a sample after it; timeseries and names have none
test_loss  timeseries and names only: after the last step, over what they were not trained on
"""

import json
import math

from generate import HERE

import numpy as np
import torch

SHIP = (
    "if you want to build a ship, don't drum up people together to collect wood and don't assign them tasks "
    "and work, but rather teach them to long for the endless immensity of the sea."
)

CHAIN = (
    "the farmer sowing his corn\nthat kept ",
    "the cock that crowed in the morn\nthat waked ",
    "the priest all shaven and shorn\nthat married ",
    "the man all tattered and torn\nthat kissed ",
    "the maiden all forlorn\nthat milked ",
    "the cow with the crumpled horn\nthat tossed ",
    "the dog\nthat worried ",
    "the cat\nthat killed ",
    "the rat\nthat ate ",
    "the malt\nthat lay in ",
    "the house that Jack built.\n\n",
)


class Letters(torch.nn.Module):
    """From one-hot letters to logits. Without `fc` the hidden state is the logits."""

    def __init__(self, letters, num_layers=1, fc=False):
        super().__init__()
        self.rnn = torch.nn.RNN(letters, letters, num_layers, batch_first=True)
        self.fc = torch.nn.Linear(letters, letters) if fc else torch.nn.Identity()

    def forward(self, x):
        return self.fc(self.rnn(x)[0])


class Forecast(torch.nn.Module):
    """From a window of numbers to the next number."""

    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.RNN(1, 10, batch_first=True)
        self.fc = torch.nn.Linear(10, 1)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1])


class Names(torch.nn.Module):
    """From names to logits of their languages."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(26, 8)
        self.lstm = torch.nn.LSTM(8, 32, batch_first=True)
        self.fc = torch.nn.Linear(32, 4)

    def forward(self, names):
        letters = [torch.tensor([ord(letter) - ord("a") for letter in name]) for name in names]
        lengths = [len(name) for name in names]
        x = self.embedding(torch.nn.utils.rnn.pad_sequence(letters, batch_first=True))
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return self.fc(self.lstm(packed)[1][0][0])


class Writer(torch.nn.Module):
    """From one-hot letters and a state to logits and the next state."""

    def __init__(self, letters):
        super().__init__()
        self.gru = torch.nn.GRU(letters, 64, batch_first=True)
        self.fc = torch.nn.Linear(64, letters)

    def forward(self, x, h=None):
        outputs, h = self.gru(x, h)
        return self.fc(outputs), h.detach()


def train(net, x, y, criterion, lr, iterations):
    """The losses before each step, and the last outputs among them."""
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    losses = []
    for _ in range(iterations):
        optimizer.zero_grad()
        outputs = net(x)
        loss = criterion(outputs, y)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach().numpy().item())
    return losses, outputs.detach()


def clipped_step(optimizer, loss):
    """Takes a step, and returns the loss."""
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 1.0)
    optimizer.step()
    return loss.item()


def uniform():
    return torch.rand((), dtype=torch.float64).item()


def train_letters(windows, alphabet, iterations, **net):
    """From each window's letters to the same letters one later."""
    torch.manual_seed(0)
    indices = torch.tensor([[alphabet.index(letter) for letter in window] for window in windows])
    x = torch.nn.functional.one_hot(indices[:, :-1], len(alphabet)).to(torch.get_default_dtype())
    criterion = lambda outputs, y: torch.nn.functional.cross_entropy(outputs.flatten(0, 1), y.flatten())
    losses, outputs = train(Letters(len(alphabet), **net), x, indices[:, 1:], criterion, 0.1, iterations)
    first, *others = outputs.argmax(dim=2).tolist()
    return losses, {"text": "".join(alphabet[i] for i in first + [row[-1] for row in others])}


def hihello():
    return train_letters(["hihello"], "hielo", 100)


def charseq():
    sample = " if you want you"
    return train_letters([sample], sorted(set(sample)), 50)


def longseq():
    windows = [SHIP[i : i + 11] for i in range(len(SHIP) - 10)]
    return train_letters(windows, sorted(set(SHIP)), 100, num_layers=2, fc=True)


def timeseries():
    torch.manual_seed(0)
    noise = torch.empty(500, dtype=torch.float64).uniform_(-1, 1).tolist()
    wave = lambda t: 0.6 * math.sin(2 * math.pi * t / 25) + 0.3 * math.sin(2 * math.pi * t / 60)
    series = torch.tensor([wave(t) + 0.05 * noise[t] for t in range(500)])
    x, y = series.unfold(0, 7, 1)[:-1].unsqueeze(2), series[7:].unsqueeze(1)
    split, net, criterion = 350 - 7, Forecast(), torch.nn.MSELoss()
    losses, _ = train(net, x[:split], y[:split], criterion, 0.01, 500)
    with torch.no_grad():
        return losses, {"test_loss": criterion(net(x[split:]), y[split:]).item()}


def name(language):
    pick = lambda items: items[int(uniform() * len(items))]
    syllables = [pick("klmnrstv") + pick("aeiou") for _ in range(pick((3, 4, 5)))]
    first = syllables[0]
    if language == 1:
        syllables = [syllable[::-1] for syllable in syllables]
    elif language == 2:
        syllables.insert(0, first)
    elif language == 3:
        syllables = [syllable[0] + first[1] for syllable in syllables]
    return "".join(syllables)


def names():
    torch.manual_seed(0)
    names = [name(i % 4) for i in range(3000)]
    net, losses = Names(), []
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(2):
        for rows in torch.randperm(2400).split(32):
            logits = net([names[i] for i in rows])
            losses.append(clipped_step(optimizer, torch.nn.functional.cross_entropy(logits, rows % 4)))
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(net(names[2400:]), torch.arange(600) % 4)
    return losses, {"test_loss": loss.item()}


def one_hot(text, letters):
    indices = torch.tensor([letters.index(letter) for letter in text])
    return torch.nn.functional.one_hot(indices, len(letters)).float()


def write(net, letters, text):
    """Goes on from a text, at a temperature of 0.5, until a verse ends."""
    h, unread = None, text
    while len(text) < 400 and not text.endswith("\n\n"):
        with torch.no_grad():
            logits, h = net(one_hot(unread, letters).unsqueeze(0), h)
        unread = letters[torch.multinomial((logits[0, -1] / 0.5).softmax(0), 1).item()]
        text += unread
    return text


def rhyme():
    rhyme = "".join("This is " + "".join(CHAIN[first:]) for first in reversed(range(len(CHAIN))))
    letters, length = sorted(set(rhyme)), (len(rhyme) - 1) // 16
    tracks = lambda start: one_hot(rhyme[start : start + 16 * length], letters).unflatten(0, (16, length))
    pieces = list(zip(tracks(0).split(40, dim=1), tracks(1).split(40, dim=1)))
    torch.manual_seed(0)
    net, losses = Writer(len(letters)), []
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(20):
        h = None
        for x, y in pieces:
            logits, h = net(x, h)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.argmax(dim=2).flatten())
            losses.append(clipped_step(optimizer, loss))
    return losses, {"text": write(net, letters, "This is the c")}


def longseq_f64():
    torch.set_default_dtype(torch.float64)
    curve = longseq()
    torch.set_default_dtype(torch.float32)
    return curve


def shortest(number, dtype):
    """The number of that type, in as few digits as tell it from its neighbours."""
    return float(str(dtype(number)))


def curve(example):
    losses, results = example()
    dtype = np.float64 if example is longseq_f64 else np.float32
    print(example.__name__, "loss", losses[0], "to", losses[-1], results)
    return {"losses": [shortest(loss, dtype) for loss in losses], **results}


def main():
    assert torch.__version__.startswith("2.15."), torch.__version__
    assert torch.backends.cpu.get_cpu_capability() == "AVX2"
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    examples = (hihello, charseq, longseq, longseq_f64, timeseries, names, rhyme)
    curves = {example.__name__: curve(example) for example in examples}
    lines = (f"{json.dumps(name)}:{json.dumps(stored, separators=(',', ':'))}" for name, stored in curves.items())
    (HERE / "curves.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()

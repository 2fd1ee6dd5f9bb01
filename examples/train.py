"""The example train in torch."""

import tempfile

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(2, 4)
        self.rnn = nn.GRU(4, 16, batch_first=True)
        self.head = nn.Linear(16, 2)

    def forward(self, letters, lengths):
        x = self.embedding(letters)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, h_n = self.rnn(packed)
        return self.head(h_n[-1])


def batch():
    """32 words of 3 to 15 letters, 0 for a and 1 for b."""
    letters = torch.full((32, 15), 0.5, dtype=torch.float64).bernoulli().long()
    lengths = 3 + torch.randperm(32) % 13
    of_b = [letters[n, : lengths[n]].sum() for n in range(32)]
    return letters, lengths, (2 * torch.stack(of_b) < lengths).long()


torch.manual_seed(0)
net = Net()
adam = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(1, 401):
    letters, lengths, classes = batch()
    logits = net(letters, lengths)
    loss = cross_entropy(logits, classes)
    adam.zero_grad()
    loss.backward()
    adam.step()

    if step % 100 == 0:
        accuracy = (logits.argmax(1) == classes).double().mean().item()
        print(f"step {step}: loss {loss.item():.4f}, right {100 * accuracy:.0f} %")
        assert step < 400 or accuracy > 0.9

save_file(net.state_dict(), f"{tempfile.gettempdir()}/train.safetensors")

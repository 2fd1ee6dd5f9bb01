"""The example early_stopping in torch."""

import copy
import math

import torch
from torch import nn
from torch.nn.functional import mse_loss


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(1, 16, batch_first=True)
        self.head = nn.Linear(16, 1)

    def forward(self, x):
        _, (h_n, _) = self.rnn(x)
        return self.head(h_n[-1])


torch.manual_seed(0)
net = Net()
noise = torch.empty(400).uniform_(-0.1, 0.1)
series = torch.sin(0.3 * torch.arange(400)) + noise
x = series.unfold(0, 10, 1)[:390, :, None]
y = series[10:, None]
x, held_out_x = x.split([300, 90])
y, held_out_y = y.split([300, 90])

adam = torch.optim.Adam(net.parameters(), lr=0.01)
best, lowest, waited = None, math.inf, 0
for epoch in range(500):
    adam.zero_grad()
    loss = mse_loss(net(x), y)
    loss.backward()
    adam.step()

    with torch.no_grad():
        held_out = mse_loss(net(held_out_x), held_out_y).item()
    waited += 1
    if held_out < lowest:
        best, lowest, waited = copy.deepcopy(net.state_dict()), held_out, 0
    elif waited == 20:
        print(f"epoch {epoch}: loss {loss.item():.6f}, held out {held_out:.6f}")
        break
net.load_state_dict(best)
with torch.no_grad():
    again = mse_loss(net(held_out_x), held_out_y).item()
print(f"the best: held out {again:.6f}")
assert again == lowest < 0.01

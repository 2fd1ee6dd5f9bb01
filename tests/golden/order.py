"""Writes order.safetensors: the order in which torch 2.15 packs sequences, and dropout of many packed sequences.

Run from the root of the repository, in the environment of generate.py:

    .venv/bin/python tests/golden/order.py

Running it twice writes the same bytes.

torch sorts lengths by std::sort, on Linux libstdc++'s, which reorders equal lengths beyond 16 sequences. The lists
reach every branch of it: its heap sort is reached by organ pipes of 255 sequences or more.

counts                    how many sequences each list has
lengths                   the lists, one after another, a byte for each length
sorted_indices            what pack_padded_sequence makes of each, enforce_sorted=False

The metadata's one key, `cases`, is a list of networks with dropout. For every i of it:

{i}.data, {i}.h_n         the packed output's data, and the final state in the caller's order

All else follows from the seed, in the case's dtype: manual_seed(seed), the module, the padded input (greatest
length, N, input_size) uniform in (-1, 1). The generator is seeded anew, with `dropout_seed`, right before the pass.
"""

from random import Random

# Imported first, since it fixes torch's code path before torch is loaded.
import generate as base
import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence

# Lists of lengths


def random_list(rng, count, longest):
    return [1 + int(rng.random() * longest) for _ in range(count)]


def organ_pipes(count, alike):
    """Lengths up and down again, `alike` times each on either side."""
    return [1 + min(n, count - 1 - n) // alike for n in range(count)]


def lists():
    rng = Random(0)
    for count in range(1, 66):
        yield from (random_list(rng, count, longest) for longest in (1, 2, 5, 40))
    for count in (17, 32, 33, 64, 100):
        ascending = [1 + n // 2 for n in range(count)]
        yield from (ascending, ascending[::-1], [1 + n % 7 for n in range(count)], organ_pipes(count, 1))
    # Lists whose parts are divided 2 log2(count) times are sorted by a heap.
    yield from (organ_pipes(*sizes) for sizes in ((255, 2), (300, 1), (509, 1), (509, 2), (1000, 4), (2000, 8)))
    yield from (random_list(rng, *sizes) for sizes in ((1000, 1), (2000, 3), (3000, 200)))


def sorted_indices(lengths):
    rows = torch.zeros(max(lengths), len(lengths), 1)
    order = pack_padded_sequence(rows, torch.tensor(lengths), enforce_sorted=False).sorted_indices.tolist()
    stable = sorted(range(len(lengths)), key=lambda n: -lengths[n])
    assert [lengths[n] for n in order] == [lengths[n] for n in stable] and sorted(order) == sorted(stable)
    assert len(lengths) > 16 or order == stable
    return order, order != stable


def order_tensors():
    all_lists = list(lists())
    orders, moved = zip(*map(sorted_indices, all_lists))
    print(f"  {len(all_lists)} lists, {sum(moved)} of them sorted otherwise than by a stable sort")
    return {
        "counts": np.array([len(lengths) for lengths in all_lists], np.int32),
        "lengths": np.array(sum(all_lists, []), np.uint8),
        "sorted_indices": np.array(sum(orders, []), np.int32),
    }


# Dropout


def dropout_cases():
    for i, dtype in enumerate(base.TORCH):
        yield {
            "input_size": 3,
            "hidden_size": 4,
            "num_layers": 2,
            "nonlinearity": "tanh",
            "bias": True,
            "bidirectional": False,
            "dropout": 0.5,
            "dtype": dtype,
            "seed": i,
            "dropout_seed": 100 + i,
            "lengths": [1 + 7 * n % 5 for n in range(32)],
        }


def layer(case, module, k):
    """One layer of a module as a module, without dropout."""
    one = base.rnn_module({**case, "num_layers": 1, "batch_first": False, "input_size": (3, 4)[k]})
    weights = {f"{name[:-1]}0": value for name, value in module.state_dict().items() if name.endswith(str(k))}
    one.load_state_dict(weights)
    return one


def layer_by_layer(case, module, packed):
    """The same with dropout between two modules: each packed row meets a row of the mask."""
    middle, first = layer(case, module, 0)(packed)
    torch.manual_seed(case["dropout_seed"])
    middle = middle._replace(data=middle.data * F.dropout(torch.ones_like(middle.data), case["dropout"]))
    output, second = layer(case, module, 1)(middle)
    return output.data.numpy(), torch.cat((first, second)).numpy()


def run(case):
    torch.manual_seed(case["seed"])
    module = base.rnn_module({**case, "batch_first": False})
    module.dropout = case["dropout"]
    lengths = torch.tensor(case["lengths"])
    x = base.uniform_input((int(lengths.max()), len(lengths), case["input_size"]), case["dtype"])
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    torch.manual_seed(case["dropout_seed"])
    output, h_n = module(packed)
    difference = base.largest_difference((output.data, h_n), layer_by_layer(case, module, packed))
    assert difference <= base.TOLERANCE[case["dtype"]] / 2, difference
    return {"data": output.data, "h_n": h_n}


def main():
    base.prepare()
    cases = list(dropout_cases())
    tensors = {f"{i}.{name}": tensor for i, case in enumerate(cases) for name, tensor in run(case).items()}
    base.save("order.safetensors", order_tensors() | tensors, cases=cases)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The networks of `network_benchmark` in PyTorch (torch.compile, bfloat16, channels last), measured likewise.

    benchmarks/network_pytorch.py PRESET --device cuda --classes 14 --edges 216,360 [--batch 2] [--features 8,32]

On a processor: --device cpu --precision float32 --eager --threads 1 (PyTorch 1.13 has no torch.compile).
Without --batch it predicts; with it, it trains: weighted square error, clipped gradients, Adam, the running mean.
"""
import argparse
import json
import time

import torch
from torch import nn
import torch.nn.functional as F

PRESETS = {
    "compact": dict(features=[8, 32, 64, 128], pooling=[2, 2, 2], stem=2, last=0, valid=False, norm=True, concatenate=False),
    "paper": dict(features=[12, 72, 432, 2592], pooling=[2, 3, 3], stem=1, last=72, valid=True, norm=False, concatenate=True),
}


class Level(nn.Module):
    def __init__(self, n_in, n_out, o):
        super().__init__()
        self.o = o
        self.convolutions = nn.ModuleList(
            nn.Conv3d(n_in if i == 0 else n_out, n_out, 3, padding=0 if o["valid"] else 1, bias=not o["norm"]) for i in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm3d(n_out) for _ in range(2)) if o["norm"] else None

    def forward(self, x):
        first = None
        for i, convolution in enumerate(self.convolutions):
            x = convolution(x)
            if self.norms is not None:
                x = self.norms[i](x)
                if i == 1 and not self.o["valid"]:
                    x = x + first
            x = F.relu(x)
            if i == 0:
                first = x
        return x


def crop(x, edge):
    first = (x.shape[2] - edge) // 2
    return x[:, :, first:first + edge, first:first + edge, first:first + edge]


class UNet(nn.Module):
    def __init__(self, o, classes):
        super().__init__()
        self.o = o
        f, s = o["features"], o["stem"] ** 3
        self.down = nn.ModuleList(Level(s if i == 0 else f[i - 1], n, o) for i, n in enumerate(f))
        self.mix, self.up = nn.ModuleList(), nn.ModuleList()
        n_in = f[-1]
        for level in reversed(range(len(f) - 1)):
            n_out = o["last"] if level == 0 and o["last"] else f[level]
            self.mix.append(nn.Conv3d(n_in, n_out, 1, bias=False))
            self.up.append(Level(n_out + f[level] if o["concatenate"] else n_out, n_out, o))
            n_in = n_out
        self.head = nn.Conv3d(n_in, s * classes, 1)

    def forward(self, x):
        o, s = self.o, self.o["stem"]
        n, _, d, h, w = x.shape
        if s > 1:
            x = x.reshape(n, d // s, s, h // s, s, w // s, s).permute(0, 2, 4, 6, 1, 3, 5).reshape(n, s**3, d // s, h // s, w // s)
        if x.is_cuda:
            x = x.contiguous(memory_format=torch.channels_last_3d)
        skips = []
        for i, level in enumerate(self.down):
            x = level(x)
            if i + 1 < len(self.down):
                skips.append(x)
                x = F.max_pool3d(x, o["pooling"][i])
        multiple = 1
        for i, level in enumerate(self.up):
            at = len(self.up) - 1 - i
            factor = o["pooling"][at]
            multiple *= factor
            x = self.mix[i](x)
            if not o["norm"]:
                x = F.relu(x)
            x = F.interpolate(x, scale_factor=factor, mode="nearest")
            skip = skips[at]
            if o["valid"]:
                x = crop(x, (x.shape[2] - 4) // multiple * multiple + 4)
                skip = crop(skip, x.shape[2])
            x = level(torch.cat([skip, x], 1) if o["concatenate"] else x + skip)
        x = self.head(x)
        if s > 1:
            n, c, d, h, w = x.shape
            x = x.reshape(n, c // s**3, s, s, s, d, h, w).permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(n, c // s**3, d * s, h * s, w * s)
        return x.float()


def seconds_per_call(device, call):
    """As network_benchmark: on a processor the least processor time of a call, on a card the mean wall time."""
    if device == "cpu":
        call()
        least = float("inf")
        for _ in range(5):
            start = time.process_time()
            call()
            least = min(least, time.process_time() - start)
        return least
    wait = torch.cuda.synchronize
    for _ in range(3):
        call()
    wait()
    start, count = time.monotonic(), 0
    while time.monotonic() - start < 2:
        call()
        wait()
        count += 1
    return (time.monotonic() - start) / count


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("preset", choices=PRESETS)
    arguments.add_argument("--device", default="cuda")
    arguments.add_argument("--classes", type=int, default=14)
    arguments.add_argument("--edges", default="216")
    arguments.add_argument("--batch", type=int, default=0)
    arguments.add_argument("--features", default="")
    arguments.add_argument("--eager", action="store_true", help="without torch.compile")
    arguments.add_argument("--precision", choices=["bfloat16", "float32"], default="bfloat16")
    arguments.add_argument("--threads", type=int, default=1, help="of the processor")
    a = arguments.parse_args()
    torch.set_num_threads(a.threads)
    o = dict(PRESETS[a.preset])
    if a.features:
        o["features"] = [int(n) for n in a.features.split(",")]
    torch.backends.cudnn.benchmark = True
    for edge in map(int, a.edges.split(",")):
        network = UNet(o, a.classes).to(a.device)
        if a.device == "cuda":
            network = network.to(memory_format=torch.channels_last_3d)
        run = network if a.eager else torch.compile(network)
        x = torch.randn(max(1, a.batch), 1, edge, edge, edge, device=a.device)
        autocast = torch.autocast(a.device, torch.bfloat16, enabled=a.precision == "bfloat16")
        if a.batch:
            with torch.no_grad():
                shape = network(x[:1]).shape[2:]
            target = torch.full((a.batch, a.classes, *shape), 0.5, device=a.device)
            adam = torch.optim.Adam(network.parameters(), 1e-3, fused=a.device == "cuda")
            mean = [p.detach().clone() for p in network.parameters()]

            def call():
                adam.zero_grad()
                with autocast:
                    output = run(x)
                ((output - target) ** 2).mean().backward()
                nn.utils.clip_grad_norm_(network.parameters(), 5)
                adam.step()
                weights = [p.detach() for p in network.parameters()]
                if hasattr(torch, "_foreach_lerp_"):
                    torch._foreach_lerp_(mean, weights, 0.002)
                else:
                    for m, p in zip(mean, weights):
                        m.lerp_(p, 0.002)
        else:
            network.eval()

            def call():
                with torch.no_grad(), autocast:
                    run(x)
        seconds = seconds_per_call(a.device, call)
        print(json.dumps({"what": "PyTorch " + ("training step" if a.batch else "prediction"), "preset": a.preset,
                          "input": edge, "batch": a.batch, "compiled": not a.eager, "seconds": round(seconds, 5)}), flush=True)


if __name__ == "__main__":
    main()

"""Distils true guidance into the 4K adapter, which was trained with guidance fed as 1 and has lost it.

    python distil_adapter.py DATA ADAPTERS SECONDS

The teacher is the checkpoint with both adapters as they are, at guidance 1 with and without the caption; the student, the same
with minor components that learn, is to give at guidance g what the teacher's two velocities give together, as
`train_gpu.py` does for the checkpoint at the native size. Written is the middle between what the adapter was and what it has
become: the whole of the guidance makes large things clear and lets boats and houses vanish. A processor is enough. DATA holds checkpoint/, state.pt (the
checkpoint's weights) and codes512_*.npz (latents and captions, by `train_checkpoint.py encode`); ADAPTERS holds
urae_2k_adapter.safetensors and urae_4k_adapter.safetensors, of which the second is replaced.
"""
import copy
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from transformers import CLIPTokenizer, T5TokenizerFast

from train_gpu import (MINOR_RANK, NTK_FACTOR, STRENGTH, T5_TOKENS, Clip, Flux, T5, adapted_layers, attention_scale, pack, rotary, write)

SIDE, BATCH, RATE = 512, 4, 1.5e-3


def load_networks(data):
    state = torch.load(data / "state.pt", weights_only=True)
    modules = Clip(state["0.text_model.embeddings.token_embedding.weight"].shape[0]), T5(state["1.shared.weight"].shape[0]), Flux()
    for i, module in enumerate(modules):
        # As they are stored.
        module.load_state_dict({k[2:]: v.to(torch.bfloat16).float() for k, v in state.items() if k[0] == str(i)})
        module.requires_grad_(False)
    return modules


@torch.no_grad()
def load_adapters(flux, folder):
    """Fuses the LoRA, and puts the minor components in the place of those that the weights have; returns the layers."""
    lora, minor = (load_file(folder / f"urae_{kind}_adapter.safetensors") for kind in ("2k", "4k"))
    for name, layer in adapted_layers(flux, False):
        layer.weight.add_(lora[f"transformer.{name}.lora_B.weight"].float() @ lora[f"transformer.{name}.lora_A.weight"].float())
    layers = list(adapted_layers(flux, True))
    for name, layer in layers:
        block, to = name.rsplit(".attn.", 1)
        stem = f"{block}.attn.processor.{to.removesuffix('.0')}"
        u, s, vh = torch.linalg.svd(layer.weight.double())
        layer.weight.copy_((u[:, :-MINOR_RANK] @ torch.diag(s[:-MINOR_RANK]) @ vh[:-MINOR_RANK]).float())
        layer.adapt(minor[f"{stem}_a.weight"].float(), minor[f"{stem}_b.weight"].float())
    return layers


@torch.no_grad()
def encode(clip, t5, checkpoint, captions):
    tokenizers = CLIPTokenizer.from_pretrained(checkpoint / "tokenizer"), T5TokenizerFast.from_pretrained(checkpoint / "tokenizer_2")
    a, b = (t(captions, padding="max_length", max_length=n, truncation=True, return_tensors="pt").input_ids for t, n in zip(tokenizers, (77, T5_TOKENS)))
    return torch.cat([clip(part) for part in a.split(200)]), torch.cat([t5(part) for part in b.split(200)])


def main(data, adapters, seconds):
    clip, t5, flux = load_networks(data)
    layers = load_adapters(flux, adapters)
    teacher = copy.deepcopy(flux).requires_grad_(False)
    vae = json.loads((data / "checkpoint/vae/config.json").read_text())
    files = [np.load(path) for path in sorted(data.glob("codes512_*.npz"))]
    latents = (torch.from_numpy(np.concatenate([f["codes"] for f in files])).float() - vae["shift_factor"]) * vae["scaling_factor"]
    pooled, sequence = encode(clip, t5, data / "checkpoint", [str(c) for f in files for c in f["captions"]])
    nothing_pooled, nothing = encode(clip, t5, data / "checkpoint", [""])
    table, scale = rotary(SIDE, NTK_FACTOR), attention_scale(SIDE, True)
    held = torch.arange(0, len(latents), 50)
    trained = torch.tensor([i for i in range(len(latents)) if i % 50])

    def autocast():
        return torch.autocast("cpu", torch.bfloat16)

    def example(pick, sigma, guidance, generator=None):
        """Noisy latents, and the velocity that is wanted of them."""
        count, one = len(pick), torch.ones(2 * len(pick))
        noise = torch.randn(latents[pick].shape, generator=generator)
        x = pack((1 - sigma)[:, None, None, None] * latents[pick] + sigma[:, None, None, None] * noise)
        with torch.no_grad(), autocast():
            yes, no = teacher(
                torch.cat([x, x]), torch.cat([sequence[pick], nothing.expand(count, -1, -1)]), torch.cat([pooled[pick], nothing_pooled.expand(count, -1)]),
                torch.cat([sigma, sigma]), one, table, scale).float().chunk(2)
        return x, yes + STRENGTH * (guidance - 1)[:, None, None] * (yes - no)

    def loss_of(pick, sigma, guidance, generator=None):
        x, target = example(pick, sigma, guidance, generator)
        with autocast():
            velocity = flux(x, sequence[pick], pooled[pick], sigma, guidance, table, scale)
        return F.mse_loss(velocity.float(), target)

    @torch.no_grad()
    def held_out():
        generator = torch.Generator().manual_seed(3)
        full = lambda value: torch.full((len(held),), value)
        return [round(loss_of(held, full(sigma), full(3.5), generator).item(), 4) for sigma in (0.6, 0.9)]

    parameters = [p for _, layer in layers for p in (layer.a, layer.b)]
    begun, average = ([p.detach().clone() for p in parameters] for _ in range(2))
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.0, fused=True)
    before, started, step, shown = held_out(), time.time(), 0, []
    while (elapsed := time.time() - started) < seconds:
        optimizer.param_groups[0]["lr"] = RATE * min(1, (step + 1) / 20) * (0.5 + 0.5 * math.cos(math.pi * elapsed / seconds)) + 1e-6
        pick = trained[torch.randint(len(trained), (BATCH,))]
        sigma = torch.sigmoid(torch.randn(BATCH) * 1.15 + 1.7)
        guidance = torch.where(torch.rand(BATCH) < 0.6, 3.5, 1 + 4 * torch.rand(BATCH))
        # Without guidance it is to stay what it was.
        guidance[0] = 1.0 if torch.rand(()) < 0.5 else 3.5
        loss = loss_of(pick, sigma, guidance)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, parameters, 0.02)
        step += 1
        shown.append(loss.item())
        if step % 50 == 0:
            print(f"{elapsed:.0f} s step {step} loss {np.mean(shown[-50:]):.4f}", flush=True)
    with torch.no_grad():
        for parameter, value in zip(parameters, average):
            parameter.copy_(value.to(torch.bfloat16).float())
        print(f"{step} steps of {BATCH}, held out at two levels of noise: {before} -> {held_out()}", flush=True)
        for parameter, value in zip(parameters, begun):
            parameter.lerp_(value, 0.5)
    write(layers, "4k", adapters)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))

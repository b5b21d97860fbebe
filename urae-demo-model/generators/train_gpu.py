"""The demonstration checkpoint's training on a GPU: what train_checkpoint.py does, with larger batches and far more pictures,
and the adapters.

    python train_gpu.py prepare DATA                 captions and their tokens into DATA/scenes.npz (needs transformers)
    python train_gpu.py paint DATA WORKERS           paints them, until all are done or DATA/stop is there
    python train_gpu.py train DATA OUT [SECONDS ...] transformer, distil, 2k, 4k, each as many seconds (0: leave out)
    python train_gpu.py check DATA                   compares the networks below with diffusers' and transformers'

DATA holds checkpoint/ (diffusers' layout), state.pt (float32 weights to go on from, as train_checkpoint.py writes them),
scenes.npz, and what paint has made, which train takes as it comes. OUT gets state-distil.pt (`train_checkpoint.py O D write`
puts it into a checkpoint) and the adapters' files, with the names of URAE's published ones. The networks are written out
here, with diffusers' and transformers' names of weights, so that they run where neither is installed.

2k: a LoRA of rank 16 at twice the native size, on all linear layers of all blocks: URAE's has only the queries, keys, values
and outputs of attention, which is too little for so small a model. Every third batch is at four times the size, so that minor
components, which change attention only, begin with something. 4k: minor components at four times the native size, on top of
the fused 2k LoRA, of the layers that URAE takes, but of rank 48 (of 128) in place of 16.
"""
import json
import math
import os
import random
import sys
import time
import zlib
from pathlib import Path

import numpy as np

NATIVE, T5_TOKENS = 128, 32
# (side, pictures); each has its mirror image beside it. The first of each size are held out.
PLAN = {128: 24000, 256: 12000, 512: 8000}
HELD_OUT = 64
CHUNK = {128: 200, 256: 60, 512: 20}
SEED = {128: 7_000_000, 256: 8_000_000, 512: 9_000_000}
RANK, MINOR_RANK, NTK_FACTOR, STRENGTH = 16, 48, 10.0, 0.7
NATIVE_TOKENS = T5_TOKENS + (NATIVE // 16) ** 2


def scene(side, index):
    from scenes import random_scene
    return random_scene(random.Random(SEED[side] + index))


def mirrored(caption):
    return caption.replace("on the left", "on the @").replace("on the right", "on the left").replace("on the @", "on the right")


# ------------------------------------------------------------------------------------------------ captions, pictures
def prepare(data):
    from transformers import CLIPTokenizer, T5TokenizerFast
    clip, t5 = CLIPTokenizer.from_pretrained(data / "checkpoint/tokenizer"), T5TokenizerFast.from_pretrained(data / "checkpoint/tokenizer_2")

    def tokens(captions):
        return (clip(captions, padding="max_length", max_length=77, truncation=True, return_tensors="np").input_ids.astype(np.int16),
                t5(captions, padding="max_length", max_length=T5_TOKENS, truncation=True, return_tensors="np").input_ids.astype(np.int16))

    arrays = {}
    for side, count in PLAN.items():
        captions = [scene(side, i).caption for i in range(count)]
        both = [c for caption in captions for c in (caption, mirrored(caption))]
        arrays[f"clip{side}"], arrays[f"t5{side}"] = tokens(both)
        arrays[f"crc{side}"] = np.array([zlib.crc32(c.encode()) for c in captions], np.uint32)
        print(side, count, captions[:2], flush=True)
    arrays["clip_empty"], arrays["t5_empty"] = tokens([""])
    np.savez_compressed(data / "scenes.npz", **arrays)


def paint_chunk(job):
    data, side, start, count = job
    out = data / f"{side}-{start:06d}.npy"
    if out.exists() or (data / "stop").exists():
        return
    from scenes import draw
    crc = np.load(data / "scenes.npz")[f"crc{side}"]
    pictures = np.empty((count, side, side, 3), np.uint8)
    for i in range(count):
        s = scene(side, start + i)
        if zlib.crc32(s.caption.encode()) != crc[start + i]:
            raise SystemExit(f"scene {start + i} of {side} has another caption here than where tokens were made")
        pictures[i] = (draw(s, side) * 255).round().astype(np.uint8)
    with open(out.with_suffix(".part"), "wb") as f:
        np.save(f, pictures)
    out.with_suffix(".part").rename(out)


def paint(data, workers):
    import multiprocessing
    jobs = {side: [(data, side, i, min(CHUNK[side], n - i)) for i in range(0, n, CHUNK[side])] for side, n in PLAN.items()}
    # First a third of the native size, then all sizes side by side, by the share that is done.
    order, at = [], {side: 0 for side in jobs}
    for _ in range(sum(map(len, jobs.values()))):
        if at[128] < len(jobs[128]) / 3:
            side = 128
        else:
            side = min((s for s in jobs if at[s] < len(jobs[s])), key=lambda s: at[s] / len(jobs[s]))
        order.append(jobs[side][at[side]])
        at[side] += 1
    started = time.time()
    os.nice(10)
    with multiprocessing.Pool(workers) as pool:
        for done, _ in enumerate(pool.imap_unordered(paint_chunk, order)):
            if done % 50 == 0:
                print(f"painted {done} of {len(order)} files in {time.time() - started:.0f} s", flush=True)


if __name__ == "__main__" and sys.argv[1] in ("prepare", "paint"):
    if sys.argv[1] == "prepare":
        prepare(Path(sys.argv[2]))
    else:
        paint(Path(sys.argv[2]), int(sys.argv[3]))
    sys.exit()

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from muon import Muon

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
TOKENS_A_STEP = 49152 if DEVICE.type == "cuda" else 800


# ------------------------------------------------------------------------------------------------ networks
class Linear(nn.Linear):
    """With what a low-rank adapter adds to its weight: b a, where the adapter has one."""

    def __init__(self, inputs, outputs, bias=True):
        super().__init__(inputs, outputs, bias)
        self.a = self.b = None

    def adapt(self, a, b):
        self.a, self.b = nn.Parameter(a), nn.Parameter(b)

    def forward(self, x):
        weight = self.weight if self.a is None else self.weight + self.b @ self.a
        return F.linear(x, weight, self.bias)


class RMSNorm(nn.Module):
    def __init__(self, size, eps=1e-6):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        y = x.float()
        return (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight).to(x.dtype)


def rotate(x, table):
    """Pairs of neighbours turned by the table's angles. x: [batch, heads, tokens, 32]."""
    cos, sin = table
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, dim, heads, context, out):
        super().__init__()
        self.heads = heads
        self.norm_q, self.norm_k = RMSNorm(dim // heads), RMSNorm(dim // heads)
        self.to_q, self.to_k, self.to_v = Linear(dim, dim), Linear(dim, dim), Linear(dim, dim)
        if context:
            self.add_q_proj, self.add_k_proj, self.add_v_proj = Linear(dim, dim), Linear(dim, dim), Linear(dim, dim)
            self.norm_added_q, self.norm_added_k = RMSNorm(dim // heads), RMSNorm(dim // heads)
            self.to_add_out = Linear(dim, dim)
        if out:
            self.to_out = nn.ModuleList([Linear(dim, dim)])

    def split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x, context, table, scale):
        q, k, v = self.norm_q(self.split(self.to_q(x))), self.norm_k(self.split(self.to_k(x))), self.split(self.to_v(x))
        if context is not None:
            q = torch.cat([self.norm_added_q(self.split(self.add_q_proj(context))), q], 2)
            k = torch.cat([self.norm_added_k(self.split(self.add_k_proj(context))), k], 2)
            v = torch.cat([self.split(self.add_v_proj(context)), v], 2)
        y = F.scaled_dot_product_attention(rotate(q, table), rotate(k, table), v, scale=scale).transpose(1, 2).flatten(2)
        if context is None:
            return y
        length = context.shape[1]
        return self.to_out[0](y[:, length:]), self.to_add_out(y[:, :length])


class Modulation(nn.Module):
    def __init__(self, dim, parts):
        super().__init__()
        self.linear, self.parts = Linear(dim, parts * dim), parts

    def forward(self, embedding):
        return [m[:, None] for m in self.linear(F.silu(embedding)).chunk(self.parts, -1)]


def norm(x):
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


class FeedForward(nn.Module):
    def __init__(self, dim):
        super().__init__()
        project = nn.Module()
        project.proj = Linear(dim, 4 * dim)
        self.net = nn.ModuleList([project, nn.Identity(), Linear(4 * dim, dim)])

    def forward(self, x):
        return self.net[2](F.gelu(self.net[0].proj(x), approximate="tanh"))


class DoubleBlock(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1, self.norm1_context = Modulation(dim, 6), Modulation(dim, 6)
        self.attn = Attention(dim, heads, True, True)
        self.ff, self.ff_context = FeedForward(dim), FeedForward(dim)

    def forward(self, x, context, embedding, table, scale: float):
        shift, by, gate, shift_mlp, by_mlp, gate_mlp = self.norm1(embedding)
        c_shift, c_by, c_gate, c_shift_mlp, c_by_mlp, c_gate_mlp = self.norm1_context(embedding)
        y, c = self.attn(norm(x) * (1 + by) + shift, norm(context) * (1 + c_by) + c_shift, table, scale)
        x, context = x + gate * y, context + c_gate * c
        x = x + gate_mlp * self.ff(norm(x) * (1 + by_mlp) + shift_mlp)
        return x, context + c_gate_mlp * self.ff_context(norm(context) * (1 + c_by_mlp) + c_shift_mlp)


class SingleBlock(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm, self.proj_mlp, self.proj_out = Modulation(dim, 3), Linear(dim, 4 * dim), Linear(5 * dim, dim)
        self.attn = Attention(dim, heads, False, False)

    def forward(self, x, embedding, table, scale: float):
        shift, by, gate = self.norm(embedding)
        y = norm(x) * (1 + by) + shift
        return x + gate * self.proj_out(torch.cat([self.attn(y, None, table, scale), F.gelu(self.proj_mlp(y), approximate="tanh")], -1))


class Embedder(nn.Module):
    def __init__(self, inputs, dim):
        super().__init__()
        self.linear_1, self.linear_2 = Linear(inputs, dim), Linear(dim, dim)

    def forward(self, x):
        return self.linear_2(F.silu(self.linear_1(x)))


def sinusoid(t):
    angles = t[:, None] * torch.exp(-math.log(10000) * torch.arange(128, device=t.device) / 128)
    return torch.cat([angles.cos(), angles.sin()], -1)


class Flux(nn.Module):
    def __init__(self, dim=128, heads=4, channels=64, context=96, pooled=64, double=2, single=4):
        super().__init__()
        self.x_embedder, self.context_embedder = Linear(channels, dim), Linear(context, dim)
        self.time_text_embed = nn.Module()
        self.time_text_embed.timestep_embedder, self.time_text_embed.guidance_embedder = Embedder(256, dim), Embedder(256, dim)
        self.time_text_embed.text_embedder = Embedder(pooled, dim)
        self.transformer_blocks = nn.ModuleList(DoubleBlock(dim, heads) for _ in range(double))
        self.single_transformer_blocks = nn.ModuleList(SingleBlock(dim, heads) for _ in range(single))
        self.norm_out, self.proj_out = Modulation(dim, 2), Linear(dim, channels)

    def forward(self, x, sequence, pooled, sigma, guidance, table, scale):
        e = self.time_text_embed
        embedding = e.timestep_embedder(sinusoid(sigma * 1000)) + e.guidance_embedder(sinusoid(guidance * 1000)) + e.text_embedder(pooled)
        x, context = self.x_embedder(x), self.context_embedder(sequence)
        for block in self.transformer_blocks:
            x, context = block(x, context, embedding, table, scale)
        length = context.shape[1]
        x = torch.cat([context, x], 1)
        for block in self.single_transformer_blocks:
            x = block(x, embedding, table, scale)
        by, shift = self.norm_out(embedding)
        return self.proj_out(norm(x[:, length:]) * (1 + by) + shift)


def rotary(side, ntk_factor=1.0, axes=(4, 14, 14)):
    """Cosines and sines [tokens, 16] for the text's and the picture's positions."""
    rows = side // 16
    ids = torch.zeros(T5_TOKENS + rows * rows, 3, dtype=torch.float64)
    ids[T5_TOKENS:, 1] = torch.arange(rows).repeat_interleave(rows)
    ids[T5_TOKENS:, 2] = torch.arange(rows).repeat(rows)
    angles = torch.cat([ids[:, i:i + 1] / (10000.0 * ntk_factor) ** (torch.arange(0, d, 2, dtype=torch.float64) / d) for i, d in enumerate(axes)], 1)
    return angles.cos().float().to(DEVICE), angles.sin().float().to(DEVICE)


def attention_scale(side, proportional):
    return math.sqrt((math.log(T5_TOKENS + (side // 16) ** 2, NATIVE_TOKENS) if proportional else 1) / 32)


class Clip(nn.Module):
    """CLIP's text transformer; gives the pooled output."""

    def __init__(self, vocabulary, dim=64, heads=4, layers=2):
        super().__init__()
        self.text_model = m = nn.Module()
        m.embeddings = nn.Module()
        m.embeddings.token_embedding, m.embeddings.position_embedding = nn.Embedding(vocabulary, dim), nn.Embedding(77, dim)
        m.encoder = nn.Module()
        m.encoder.layers = nn.ModuleList()
        for _ in range(layers):
            layer = nn.Module()
            layer.self_attn, layer.mlp = nn.Module(), nn.Module()
            for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
                setattr(layer.self_attn, name, nn.Linear(dim, dim))
            layer.layer_norm1, layer.layer_norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            layer.mlp.fc1, layer.mlp.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
            m.encoder.layers.append(layer)
        m.final_layer_norm, self.heads = nn.LayerNorm(dim), heads

    def forward(self, ids):
        m = self.text_model
        x = m.embeddings.token_embedding(ids) + m.embeddings.position_embedding.weight
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        for layer in m.encoder.layers:
            y, a = layer.layer_norm1(x), layer.self_attn
            y = F.scaled_dot_product_attention(split(a.q_proj(y)), split(a.k_proj(y)), split(a.v_proj(y)), is_causal=True)
            x = x + a.out_proj(y.transpose(1, 2).flatten(2))
            y = layer.mlp.fc1(layer.layer_norm2(x))
            x = x + layer.mlp.fc2(y * torch.sigmoid(1.702 * y))
        return m.final_layer_norm(x)[torch.arange(len(ids), device=ids.device), ids.argmax(-1)]


class T5(nn.Module):
    """T5's encoder, gated GELU."""

    def __init__(self, vocabulary, dim=96, heads=4, size=24, hidden=192, layers=2):
        super().__init__()
        self.shared, self.encoder = nn.Embedding(vocabulary, dim), nn.Module()
        self.encoder.block, self.heads = nn.ModuleList(), heads
        for i in range(layers):
            block = nn.Module()
            block.layer = nn.ModuleList([nn.Module(), nn.Module()])
            first, second = block.layer
            first.SelfAttention, first.layer_norm = nn.Module(), RMSNorm(dim)
            for name in "qkv":
                setattr(first.SelfAttention, name, nn.Linear(dim, heads * size, bias=False))
            first.SelfAttention.o = nn.Linear(heads * size, dim, bias=False)
            if i == 0:
                first.SelfAttention.relative_attention_bias = nn.Embedding(32, heads)
            second.DenseReluDense, second.layer_norm = nn.Module(), RMSNorm(dim)
            second.DenseReluDense.wi_0, second.DenseReluDense.wi_1 = nn.Linear(dim, hidden, bias=False), nn.Linear(dim, hidden, bias=False)
            second.DenseReluDense.wo = nn.Linear(hidden, dim, bias=False)
            self.encoder.block.append(block)
        self.encoder.final_layer_norm = RMSNorm(dim)
        distance = torch.arange(T5_TOKENS)[None] - torch.arange(T5_TOKENS)[:, None]
        near = distance.abs()
        far = (8 + (torch.log(near.clamp(min=1) / 8) / math.log(128 / 8) * 8).long()).clamp(max=15)
        self.register_buffer("buckets", (distance > 0) * 16 + torch.where(near < 8, near, far), persistent=False)

    def forward(self, ids):
        x = self.shared(ids)
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        bias = self.encoder.block[0].layer[0].SelfAttention.relative_attention_bias(self.buckets).permute(2, 0, 1)
        for block in self.encoder.block:
            a, y = block.layer[0].SelfAttention, block.layer[0].layer_norm(x)
            scores = split(a.q(y)).float() @ split(a.k(y)).float().mT + bias.float()
            y = (scores.softmax(-1) @ split(a.v(y)).float()).transpose(1, 2).flatten(2)
            x = x + a.o(y.to(x.dtype))
            d, y = block.layer[1].DenseReluDense, block.layer[1].layer_norm(x)
            x = x + d.wo(F.gelu(d.wi_0(y), approximate="tanh") * d.wi_1(y))
        return self.encoder.final_layer_norm(x)


class VaeEncoder:
    """The means of the latents, [batch, 16, side/8, side/8]."""

    def __init__(self, folder):
        self.w = {k.removeprefix("encoder."): v.float().to(DEVICE) for k, v in load_file(folder / "diffusion_pytorch_model.safetensors").items() if k.startswith("encoder.")}
        self.config = json.loads((folder / "config.json").read_text())

    def conv(self, x, name, **more):
        return F.conv2d(x, self.w[name + ".weight"], self.w[name + ".bias"], **more)

    def group(self, x, name):
        return F.group_norm(x, self.config["norm_num_groups"], self.w[name + ".weight"], self.w[name + ".bias"], 1e-6)

    def resnet(self, x, name):
        y = self.conv(F.silu(self.group(x, name + ".norm1")), name + ".conv1", padding=1)
        y = self.conv(F.silu(self.group(y, name + ".norm2")), name + ".conv2", padding=1)
        return y + (self.conv(x, name + ".conv_shortcut") if name + ".conv_shortcut.weight" in self.w else x)

    @torch.no_grad()
    def __call__(self, pixels):
        x = self.conv(pixels, "conv_in", padding=1)
        for i in range(4):
            x = self.resnet(x, f"down_blocks.{i}.resnets.0")
            if i < 3:
                x = self.conv(F.pad(x, (0, 1, 0, 1)), f"down_blocks.{i}.downsamplers.0.conv", stride=2)
        x = self.resnet(x, "mid_block.resnets.0")
        name = "mid_block.attentions.0"
        y = self.group(x, name + ".group_norm").flatten(2).mT
        q, k, v = (F.linear(y, self.w[f"{name}.to_{n}.weight"], self.w[f"{name}.to_{n}.bias"])[:, None] for n in "qkv")
        y = F.linear(F.scaled_dot_product_attention(q, k, v)[:, 0], self.w[name + ".to_out.0.weight"], self.w[name + ".to_out.0.bias"])
        x = self.resnet(x + y.mT.reshape(x.shape), "mid_block.resnets.1")
        x = self.conv(F.silu(self.group(x, "conv_norm_out")), "conv_out", padding=1)
        return (x[:, :16] - self.config["shift_factor"]) * self.config["scaling_factor"]


# ------------------------------------------------------------------------------------------------ data
def pack(latents):
    b, c, h, w = latents.shape
    return latents.view(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(b, (h // 2) * (w // 2), c * 4)


class Examples:
    """Latents of one size, as painted so far: 2 i is picture i, 2 i + 1 its mirror image."""

    def __init__(self, data, side, vae):
        self.data, self.side, self.vae, self.seen = data, side, vae, set()
        scenes = np.load(data / "scenes.npz")
        self.clip = torch.from_numpy(scenes[f"clip{side}"].astype(np.int64)).to(DEVICE)
        self.t5 = torch.from_numpy(scenes[f"t5{side}"].astype(np.int64)).to(DEVICE)
        self.latents = torch.zeros(2 * PLAN[side], 16, side // 8, side // 8, dtype=torch.float16, device=DEVICE)
        self.held, self.ready = [], []
        self.index = torch.zeros(0, dtype=torch.long, device=DEVICE)

    def refresh(self, seconds=1e9):
        """Encodes what has been painted since."""
        until = time.time() + seconds
        found = False
        for path in sorted(self.data.glob(f"{self.side}-*.npy")):
            if path in self.seen:
                continue
            if time.time() > until:
                break
            pixels = torch.from_numpy(np.load(path)).to(DEVICE).permute(0, 3, 1, 2).float() / 127.5 - 1
            start = int(path.stem.split("-")[1])
            for i in range(len(pixels)):
                (self.held if start + i < HELD_OUT else self.ready).extend((2 * (start + i), 2 * (start + i) + 1))
            places = slice(2 * start, 2 * (start + len(pixels)), 2)
            self.latents[places] = self.vae(pixels).half()
            self.latents[2 * start + 1:2 * (start + len(pixels)):2] = self.vae(pixels.flip(3)).half()
            self.seen.add(path)
            found = True
        if found:
            self.index = torch.tensor(self.ready, dtype=torch.long, device=DEVICE)
        return len(self.ready)

    def batch(self, size):
        return self.index[torch.randint(len(self.index), (size,), device=DEVICE)]


# ------------------------------------------------------------------------------------------------ training
def autocast():
    return torch.autocast(DEVICE.type, torch.bfloat16, enabled=DEVICE.type == "cuda")


class Networks:
    def __init__(self, data):
        folder = data / "checkpoint"
        state = torch.load(data / "state.pt", weights_only=True)
        clip = Clip(state["0.text_model.embeddings.token_embedding.weight"].shape[0])
        t5 = T5(state["1.shared.weight"].shape[0])
        self.modules = [clip.to(DEVICE), t5.to(DEVICE), Flux().to(DEVICE)]
        for i, module in enumerate(self.modules):
            module.load_state_dict({k[2:]: v for k, v in state.items() if k[0] == str(i)})
        self.vae = VaeEncoder(folder / "vae")

    def named(self):
        return [(f"{i}.{n}", p) for i, m in enumerate(self.modules) for n, p in m.named_parameters()]


def held_out(networks, examples, proportional):
    """Mean loss over pictures that are not trained on, each at four levels of noise; noise fixed."""
    clip, t5, flux = networks.modules
    side = examples.side
    table, scale = rotary(side, NTK_FACTOR if proportional else 1.0), attention_scale(side, proportional)
    generator = torch.Generator().manual_seed(5)
    total, count = 0.0, 0
    with torch.no_grad(), autocast():
        for i in sorted(examples.held)[:HELD_OUT]:
            pick = torch.tensor([i] * 4, device=DEVICE)
            latent = examples.latents[pick].float()
            noise = torch.randn(latent.shape, generator=generator).to(DEVICE)
            sigma = torch.tensor([0.3, 0.55, 0.75, 0.92], device=DEVICE)
            x = pack((1 - sigma)[:, None, None, None] * latent + sigma[:, None, None, None] * noise)
            v = flux(x, t5(examples.t5[pick]), clip(examples.clip[pick]), sigma, torch.ones(4, device=DEVICE), table, scale)
            total += F.mse_loss(v.float(), pack(noise - latent)).item()
            count += 1
    return total / max(1, count)


def run(name, seconds, networks, sets, parameters, optimizers, peak, step_of, average=None, keep=0.999):
    """Cosine schedule over the seconds; sets are looked through for new pictures now and then."""
    started, step, shown, looked = time.time(), 0, [], 0.0
    while True:
        elapsed = time.time() - started
        if elapsed >= seconds:
            break
        if elapsed - looked > 4:
            looked = elapsed
            for s in sets:
                s.refresh(0.7)
        rate = peak * min(1, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * elapsed / seconds)) + 1e-6
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        with autocast():
            loss = step_of(step)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        for optimizer in optimizers:
            optimizer.step()
        if average is not None:
            with torch.no_grad():
                k = min(keep, step / (step + 10))
                torch._foreach_lerp_(list(average.values()), [p for _, p in networks.named()], 1 - k)
        step += 1
        shown.append(loss.detach())
        if step % 100 == 0 or step in (1, 10):
            print(f"{name} {elapsed:.0f} s step {step} loss {torch.stack(shown[-100:]).mean().item():.4f} pictures {[len(s.index) for s in sets]}", flush=True)
    return step


def sample(examples, count, mean, deviation=1.0):
    pick = examples.batch(count)
    latent = examples.latents[pick].float()
    noise = torch.randn_like(latent)
    sigma = torch.sigmoid(torch.randn(count, device=DEVICE) * deviation + mean)
    x = (1 - sigma)[:, None, None, None] * latent + sigma[:, None, None, None] * noise
    return pick, pack(x), sigma, pack(noise - latent)


def train_transformer(networks, examples, seconds, distil, out, empty, peak):
    clip, t5, flux = networks.modules
    batch = max(2, TOKENS_A_STEP // NATIVE_TOKENS)
    table, scale = rotary(NATIVE), attention_scale(NATIVE, False)
    teacher = None
    if distil:
        import copy
        teacher = Flux().to(DEVICE)
        teacher.load_state_dict(flux.state_dict())
        teacher.requires_grad_(False)
        clip.requires_grad_(False), t5.requires_grad_(False)
    named = networks.named()
    parameters = [p for _, p in named if p.requires_grad]
    matrices = [p for n, p in named if n.startswith("2.") and p.ndim == 2 and "blocks" in n and "norm" not in n]
    chosen = {id(p) for p in matrices}
    optimizers = [torch.optim.AdamW([p for p in parameters if id(p) not in chosen], lr=peak, betas=(0.9, 0.98), weight_decay=0.0, fused=DEVICE.type == "cuda"), Muon(matrices, peak)]
    average = {n: p.detach().clone() for n, p in named}

    def step_of(_):
        pick, x, sigma, target = sample(examples, batch, 0.6)
        a, b, guidance = examples.clip[pick], examples.t5[pick], torch.ones(batch, device=DEVICE)
        if distil:
            guidance = torch.where(torch.rand(batch, device=DEVICE) < 0.5, 3.5, 1 + 4 * torch.rand(batch, device=DEVICE))
            with torch.no_grad():
                one = torch.ones_like(guidance)
                yes = teacher(x, t5(b), clip(a), sigma, one, table, scale).float()
                no = teacher(x, t5(empty[1]).expand(batch, -1, -1), clip(empty[0]).expand(batch, -1), sigma, one, table, scale).float()
                target = yes + STRENGTH * (guidance - 1)[:, None, None] * (yes - no)
        else:
            drop = torch.rand(batch, device=DEVICE) < 0.08
            a, b = torch.where(drop[:, None], empty[0], a), torch.where(drop[:, None], empty[1], b)
        v = flux(x, t5(b), clip(a), sigma, guidance, table, scale)
        return F.mse_loss(v.float(), target)

    name = "distil" if distil else "transformer"
    steps = run(name, seconds, networks, [examples], parameters, optimizers, peak, step_of, average, 0.99 if distil else 0.999)
    with torch.no_grad():
        for n, p in named:
            p.copy_(average[n])
    for _, p in named:
        p.requires_grad_(True)
    torch.save({n: p.detach().cpu() for n, p in named}, out / f"state-{name}.pt")
    print(f"{name}: {steps} steps of {batch}, held out {held_out(networks, examples, False):.4f}", flush=True)


def adapted_layers(flux, minor):
    for name, module in flux.named_modules():
        if isinstance(module, Linear) and "blocks" in name:
            attention = ".attn.to_" in name and "to_add_out" not in name
            if attention if minor else True:
                yield name, module


def train_adapter(networks, sets, seconds, kind, out, peak):
    clip, t5, flux = networks.modules
    for m in networks.modules:
        m.requires_grad_(False)
    layers = list(adapted_layers(flux, kind == "4k"))
    generator = torch.Generator().manual_seed(41)
    with torch.no_grad():
        for _, layer in layers:
            outputs, inputs = layer.weight.shape
            if kind == "2k":
                layer.adapt((torch.randn(RANK, inputs, generator=generator) / RANK).to(DEVICE), torch.zeros(outputs, RANK, device=DEVICE))
            else:
                u, s, vh = torch.linalg.svd(layer.weight.double())
                root = torch.diag(torch.sqrt(s[-MINOR_RANK:]))
                layer.adapt((root @ vh[-MINOR_RANK:]).float(), (u[:, -MINOR_RANK:] @ root).float())
                layer.weight.copy_((u[:, :-MINOR_RANK] @ torch.diag(s[:-MINOR_RANK]) @ vh[:-MINOR_RANK]).float())
    parameters = [p for _, layer in layers for p in (layer.a, layer.b)]
    optimizer = torch.optim.AdamW(parameters, lr=peak, weight_decay=0.0, fused=DEVICE.type == "cuda")
    average = [p.detach().clone() for p in parameters]
    by_side = {s.side: (s, rotary(s.side, NTK_FACTOR), attention_scale(s.side, True), max(1, TOKENS_A_STEP // (T5_TOKENS + (s.side // 16) ** 2))) for s in sets}
    turns = (256, 256, 512) if kind == "2k" else (512,)
    before = [held_out(networks, s, True) for s in sets]

    def step_of(step):
        examples, table, scale, batch = by_side[turns[step % len(turns)]]
        pick, x, sigma, target = sample(examples, batch, 1.3 if examples.side == 256 else 1.7, 1.15)
        with torch.no_grad():
            pooled, sequence = clip(examples.clip[pick]), t5(examples.t5[pick])
        v = flux(x, sequence, pooled, sigma, torch.ones(batch, device=DEVICE), table, scale)
        with torch.no_grad():
            k = min(0.99, step / (step + 10))
            torch._foreach_lerp_(average, parameters, 1 - k)
        return F.mse_loss(v.float(), target)

    steps = run(kind, seconds, networks, sets, parameters, [optimizer], peak, step_of)
    with torch.no_grad():
        for p, value in zip(parameters, average):
            p.copy_(value.to(torch.bfloat16).float())
    write(layers, kind, out)
    print(f"{kind}: {steps} steps of {[by_side[t][3] for t in turns]}, held out {[s.side for s in sets]}: {[round(v, 4) for v in before]} -> {[round(held_out(networks, s, True), 4) for s in sets]}", flush=True)
    with torch.no_grad():
        for _, layer in layers:
            layer.weight.add_(layer.b @ layer.a)
            layer.a = layer.b = None


def write(layers, kind, out):
    state = {}
    for name, layer in layers:
        a, b = (t.detach().to(torch.bfloat16).cpu().contiguous() for t in (layer.a, layer.b))
        if kind == "2k":
            state[f"transformer.{name}.lora_A.weight"], state[f"transformer.{name}.lora_B.weight"] = a, b
        else:
            block, to = name.rsplit(".attn.", 1)
            stem = f"{block}.attn.processor.{to.removesuffix('.0')}"
            state[f"{stem}_a.weight"], state[f"{stem}_b.weight"] = a, b
    save_file(state, out / f"urae_{kind}_adapter.safetensors", metadata={"format": "pt"})


def train(data, out, seconds):
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = True, False
    torch.manual_seed(17)
    out.mkdir(parents=True, exist_ok=True)
    began = time.time()
    networks = Networks(data)
    sets = {side: Examples(data, side, networks.vae) for side in PLAN}
    scenes = np.load(data / "scenes.npz")
    empty = [torch.from_numpy(scenes[k].astype(np.int64)).to(DEVICE) for k in ("clip_empty", "t5_empty")]
    print(DEVICE, f"{time.time() - began:.1f} s", flush=True)
    while sets[128].refresh() < min(6000, PLAN[128] // 4):
        time.sleep(0.5)
    print(f"first pictures after {time.time() - began:.0f} s, held out {held_out(networks, sets[128], False):.4f}", flush=True)
    base, distil, lora, minor = seconds
    if base:
        train_transformer(networks, sets[128], base, False, out, empty, 1.2e-3)
    if distil:
        train_transformer(networks, sets[128], distil, True, out, empty, 6e-4)
    # The adapters belong to the weights as they are stored.
    with torch.no_grad():
        for _, p in networks.named():
            p.copy_(p.to(torch.bfloat16).float())
    if lora or minor:
        while not (sets[256].refresh() and sets[512].refresh()):
            time.sleep(0.5)
    if lora:
        train_adapter(networks, [sets[256], sets[512]], lora, "2k", out, 2e-3)
    if minor:
        train_adapter(networks, [sets[512]], minor, "4k", out, 2e-3)
    print(f"all done after {time.time() - began:.0f} s", flush=True)


def check(data):
    """Compares the networks with diffusers' and transformers'."""
    from diffusers import AutoencoderKL, FluxTransformer2DModel
    from transformers import CLIPTextModel, T5EncoderModel
    folder = data / "checkpoint"
    theirs = [CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32), T5EncoderModel.from_pretrained(folder / "text_encoder_2", torch_dtype=torch.float32),
              FluxTransformer2DModel.from_pretrained(folder / "transformer", torch_dtype=torch.float32)]
    state = {f"{i}.{n}": p.detach() for i, m in enumerate(theirs) for n, p in m.named_parameters()}
    torch.save(state, data / "state.pt")
    ours = Networks(data)
    scenes = np.load(data / "scenes.npz")
    a, b = (torch.from_numpy(scenes[k][:5].astype(np.int64)) for k in ("clip128", "t5128"))
    apart = lambda x, y: ((x - y).abs().max() / y.abs().max()).item()
    with torch.no_grad():
        pooled, sequence = theirs[0](a).pooler_output, theirs[1](b)[0]
        print("clip", apart(ours.modules[0](a), pooled), "t5", apart(ours.modules[1](b), sequence))
        rows = 8
        ids = torch.zeros(rows, rows, 3)
        ids[..., 1] += torch.arange(rows)[:, None]
        ids[..., 2] += torch.arange(rows)[None]
        x, sigma, guidance = torch.randn(5, 64, 64), torch.rand(5), torch.rand(5) * 4 + 1
        v = theirs[2](x, sequence, pooled, sigma, ids.reshape(-1, 3), torch.zeros(32, 3), guidance, return_dict=False)[0]
        print("transformer", apart(ours.modules[2](x, sequence, pooled, sigma, guidance, rotary(128), attention_scale(128, False)), v))
        vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)
        pixels = torch.rand(2, 3, 256, 256) * 2 - 1
        z = (vae.encode(pixels).latent_dist.mean - vae.config.shift_factor) * vae.config.scaling_factor
        print("vae", apart(ours.vae(pixels), z))


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check(Path(sys.argv[2]))
    else:
        given = [float(s) for s in sys.argv[4:]] or [120, 30, 90, 70]
        train(Path(sys.argv[2]), Path(sys.argv[3]), given)

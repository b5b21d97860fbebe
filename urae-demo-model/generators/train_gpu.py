"""The demonstration checkpoint's training on a GPU: the autoencoder's decoder, what train_checkpoint.py does, with larger batches and
far more pictures, and the adapters.

    python train_gpu.py prepare DATA                 captions and their tokens into DATA/scenes.npz (needs transformers)
    python train_gpu.py paint DATA WORKERS [S:N ...] paints them, N of side S, until all are done or DATA/stop is there
    python train_gpu.py decoder DATA SECONDS         the decoder in DATA/checkpoint/vae, trained further; latents stay as they are
    python train_gpu.py train DATA OUT SECONDS...    transformer, distil, 2k, 2k guided, 4k, 4k guided, each as many seconds (0: leave out)
    python train_gpu.py check DATA                   compares the networks below with diffusers' and transformers'

DATA holds checkpoint/ (diffusers' layout), state.pt (float32 weights to go on from, as train_checkpoint.py writes them),
scenes.npz, and what paint has made, which the trainings take as it comes. OUT gets state-distil.pt (`train_checkpoint.py O D
write` puts it into a checkpoint) and the adapters' files, with the names of URAE's published ones. The networks are written out
here, with diffusers' and transformers' names of weights, so that they run where neither is installed.

2k: a LoRA of rank 16 at twice the native size, on all linear layers of all blocks: URAE's has only the queries, keys, values
and outputs of attention, which is too little for so small a model. Every third batch is at four times the size, so that minor
components, which change attention only, begin with something. 4k: minor components at four times the native size, on top of
the fused 2k LoRA, of the layers that URAE takes, but of rank 48 (of 128) in place of 16. Guided: with guidance fed as 1, as
URAE trains, an adapter loses what guidance does; so it goes on with a frozen copy as the teacher of true guidance in half of
every batch.
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
PLAN = {128: 110000, 256: 16000, 512: 12000}
HELD_OUT = 64
CHUNK = {128: 200, 256: 60, 512: 20}
SEED = {128: 7_000_000, 256: 8_000_000, 512: 9_000_000}
RANK, MINOR_RANK, NTK_FACTOR, STRENGTH = 16, 48, 10.0, 0.7
THINGS = 3.0  # how much more the loss looks at what scenes.things tells than at the rest
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
    from scenes import draw, things
    crc = np.load(data / "scenes.npz")[f"crc{side}"]
    pictures, rows = np.empty((count, side, side, 3), np.uint8), side // 16
    near, middle = np.zeros((count, rows, rows), bool), (np.arange(rows) + 0.5) / rows
    within = lambda a, b: (middle > a - 0.5 / rows) & (middle < b + 0.5 / rows)
    for i in range(count):
        s = scene(side, start + i)
        if zlib.crc32(s.caption.encode()) != crc[start + i]:
            raise SystemExit(f"scene {start + i} of {side} has another caption here than where tokens were made")
        pictures[i] = (draw(s, side) * 255).round().astype(np.uint8)
        for x0, y0, x1, y1 in things(s):
            near[i] |= within(y0, y1)[:, None] & within(x0, x1)[None]
    np.save(data / f"things{side}-{start:06d}.npy", near)
    with open(out.with_suffix(".part"), "wb") as f:
        np.save(f, pictures)
    out.with_suffix(".part").rename(out)


def paint(data, workers, counts):
    import multiprocessing
    jobs = {side: [(data, side, i, min(CHUNK[side], n - i)) for i in range(0, n, CHUNK[side])] for side, n in counts.items()}
    order, at = [], {side: 0 for side in jobs}
    for _ in range(sum(map(len, jobs.values()))):  # all sizes side by side, by the share that is done
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
        paint(Path(sys.argv[2]), int(sys.argv[3]), {int(s): int(n) for s, n in (a.split(":") for a in sys.argv[4:])} or PLAN)
    sys.exit()

import copy

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

    def adapted(self):
        return self.weight if self.a is None else self.weight + self.b @ self.a

    def forward(self, x):
        return F.linear(x, self.adapted(), self.bias)


def together(x, *layers):
    """Layers of the same input as one product: a network this small is bound by memory, not by arithmetic."""
    y = F.linear(x, torch.cat([layer.adapted() for layer in layers]), torch.cat([layer.bias for layer in layers]))
    return y.split([layer.out_features for layer in layers], -1)


class RMSNorm(nn.Module):
    def __init__(self, size, eps=1e-6):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        return F.rms_norm(x.float(), self.weight.shape, self.weight, self.eps)


def rotate(x, table):
    """Pairs of neighbours turned by the table's angles. x: float32 [batch, heads, tokens, 32], table: complex [tokens, 16]."""
    return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2))) * table).flatten(-2)


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

    def attend(self, q, k, v, table, scale):
        q, k = rotate(q, table).to(v.dtype), rotate(k, table).to(v.dtype)
        return F.scaled_dot_product_attention(q, k, v, scale=scale).transpose(1, 2).flatten(2)

    def single(self, q, k, v, table, scale):
        return self.attend(self.norm_q(self.split(q)), self.norm_k(self.split(k)), self.split(v), table, scale)

    def double(self, x, context, table, scale):
        q, k, v = map(self.split, together(x, self.to_q, self.to_k, self.to_v))
        cq, ck, cv = map(self.split, together(context, self.add_q_proj, self.add_k_proj, self.add_v_proj))
        q, k = torch.cat([self.norm_added_q(cq), self.norm_q(q)], 2), torch.cat([self.norm_added_k(ck), self.norm_k(k)], 2)
        y = self.attend(q, k, torch.cat([cv, v], 2), table, scale)
        length = context.shape[1]
        return self.to_out[0](y[:, length:]), self.to_add_out(y[:, :length])


class Modulation(nn.Module):
    def __init__(self, dim, parts):
        super().__init__()
        self.linear, self.parts = Linear(dim, parts * dim), parts

    def forward(self, embedding):
        return [m[:, None] for m in self.linear(F.silu(embedding)).chunk(self.parts, -1)]


def modulated(x, by, shift):
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), 1 + by)


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
        y, c = self.attn.double(modulated(x, by, shift), modulated(context, c_by, c_shift), table, scale)
        x, context = x + gate * y, context + c_gate * c
        x = x + gate_mlp * self.ff(modulated(x, by_mlp, shift_mlp))
        return x, context + c_gate_mlp * self.ff_context(modulated(context, c_by_mlp, c_shift_mlp))


class SingleBlock(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm, self.proj_mlp, self.proj_out = Modulation(dim, 3), Linear(dim, 4 * dim), Linear(5 * dim, dim)
        self.attn = Attention(dim, heads, False, False)

    def forward(self, x, embedding, table, scale: float):
        shift, by, gate = self.norm(embedding)
        q, k, v, mlp = together(modulated(x, by, shift), self.attn.to_q, self.attn.to_k, self.attn.to_v, self.proj_mlp)
        attended, out = self.attn.single(q, k, v, table, scale), self.proj_out.adapted()
        # The two parts of one product, without a copy of what they would be multiplied by side by side.
        y = F.linear(attended, out[:, :attended.shape[-1]]) + F.linear(F.gelu(mlp, approximate="tanh"), out[:, attended.shape[-1]:], self.proj_out.bias)
        return x + gate * y


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
        return self.proj_out(modulated(x[:, length:], by, shift))


def rotary(side, ntk_factor=1.0, axes=(4, 14, 14)):
    """Turns by the text's and the picture's positions, complex64 [tokens, 16]."""
    rows = side // 16
    ids = torch.zeros(T5_TOKENS + rows * rows, 3, dtype=torch.float64)
    ids[T5_TOKENS:, 1] = torch.arange(rows).repeat_interleave(rows)
    ids[T5_TOKENS:, 2] = torch.arange(rows).repeat(rows)
    angles = torch.cat([ids[:, i:i + 1] / (10000.0 * ntk_factor) ** (torch.arange(0, d, 2, dtype=torch.float64) / d) for i, d in enumerate(axes)], 1)
    return torch.polar(torch.ones_like(angles), angles).to(torch.complex64).to(DEVICE)


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


class Resnet(nn.Module):
    def __init__(self, inputs, outputs, groups):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(groups, inputs, eps=1e-6), nn.GroupNorm(groups, outputs, eps=1e-6)
        self.conv1, self.conv2 = nn.Conv2d(inputs, outputs, 3, padding=1), nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.conv_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        y = self.conv2(F.silu(normalised(self.norm2, self.conv1(F.silu(normalised(self.norm1, x))))))
        return y + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


def normalised(group, x):
    """Of the type of its input: in float32, as autocast would have it, twice the memory would be moved."""
    with torch.autocast(DEVICE.type, enabled=False):
        return F.group_norm(x, group.num_groups, group.weight.to(x.dtype), group.bias.to(x.dtype), group.eps)


class SpatialAttention(nn.Module):
    def __init__(self, dim, groups):
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, dim, eps=1e-6)
        self.to_q, self.to_k, self.to_v = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.to_out = nn.ModuleList([nn.Linear(dim, dim)])

    def forward(self, x):
        y = normalised(self.group_norm, x).flatten(2).mT
        y = F.scaled_dot_product_attention(*(to(y)[:, None] for to in (self.to_q, self.to_k, self.to_v)))[:, 0]
        return x + self.to_out[0](y).mT.reshape(x.shape)


class Middle(nn.Module):
    def __init__(self, dim, groups):
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(dim, dim, groups), Resnet(dim, dim, groups)])
        self.attentions = nn.ModuleList([SpatialAttention(dim, groups)])

    def forward(self, x):
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class Level(nn.Module):
    """Blocks of one resolution, and the convolution that leads to the next one."""

    def __init__(self, resnets, name, conv):
        super().__init__()
        self.resnets = nn.ModuleList(resnets)
        if conv is not None:
            sampler = nn.Module()
            sampler.conv = conv
            setattr(self, name, nn.ModuleList([sampler]))


class Encoder(nn.Module):
    def __init__(self, channels, latent, groups):
        super().__init__()
        self.conv_in = nn.Conv2d(3, channels[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(
            Level([Resnet(channels[max(0, i - 1)], c, groups)], "downsamplers", nn.Conv2d(c, c, 3, stride=2) if i + 1 < len(channels) else None)
            for i, c in enumerate(channels))
        self.mid_block = Middle(channels[-1], groups)
        self.conv_norm_out, self.conv_out = nn.GroupNorm(groups, channels[-1], eps=1e-6), nn.Conv2d(channels[-1], 2 * latent, 3, padding=1)

    def forward(self, pixels):
        x = self.conv_in(pixels)
        for level in self.down_blocks:
            x = level.resnets[0](x)
            if hasattr(level, "downsamplers"):
                x = level.downsamplers[0].conv(F.pad(x, (0, 1, 0, 1)))
        return self.conv_out(F.silu(normalised(self.conv_norm_out, self.mid_block(x))))


class Decoder(nn.Module):
    def __init__(self, channels, latent, groups):
        super().__init__()
        channels = channels[::-1]
        self.conv_in, self.mid_block = nn.Conv2d(latent, channels[0], 3, padding=1), Middle(channels[0], groups)
        self.up_blocks = nn.ModuleList(
            Level([Resnet(channels[max(0, i - 1)], c, groups), Resnet(c, c, groups)], "upsamplers", nn.Conv2d(c, c, 3, padding=1) if i + 1 < len(channels) else None)
            for i, c in enumerate(channels))
        self.conv_norm_out, self.conv_out = nn.GroupNorm(groups, channels[-1], eps=1e-6), nn.Conv2d(channels[-1], 3, 3, padding=1)

    def forward(self, latents):
        x = self.mid_block(self.conv_in(latents))
        for level in self.up_blocks:
            x = level.resnets[1](level.resnets[0](x))
            if hasattr(level, "upsamplers"):
                x = level.upsamplers[0].conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.conv_out(F.silu(normalised(self.conv_norm_out, x)))


class Vae(nn.Module):
    """diffusers' AutoencoderKL without quant_conv."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.config = folder, json.loads((folder / "config.json").read_text())
        c = self.config
        parts = tuple(c["block_out_channels"]), c["latent_channels"], c["norm_num_groups"]
        self.encoder, self.decoder = Encoder(*parts), Decoder(*parts)
        self.load_state_dict({k: v.float() for k, v in load_file(folder / "diffusion_pytorch_model.safetensors").items()})
        self.to(DEVICE)

    @torch.no_grad()
    def encode(self, pixels):
        """The means of the latents, [batch, 16, side/8, side/8], as the transformer takes them."""
        return (self.encoder(pixels).chunk(2, 1)[0] - self.config["shift_factor"]) * self.config["scaling_factor"]

    def write(self):
        save_file({k: v.detach().to(torch.bfloat16).cpu().contiguous() for k, v in self.state_dict().items()},
                  self.folder / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})


# ------------------------------------------------------------------------------------------------ data
def pack(latents):
    b, c, h, w = latents.shape
    return latents.view(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(b, (h // 2) * (w // 2), c * 4)


class Painted:
    """Files of one size, as painted so far."""

    def __init__(self, data, side):
        self.data, self.side, self.seen = data, side, set()
        self.ready = []
        self.index, self.count = torch.zeros(self.capacity(), dtype=torch.long, device=DEVICE), torch.zeros((), device=DEVICE)

    def refresh(self, seconds=1e9):
        """Takes what has been painted since; returns how many examples there are."""
        until, before = time.time() + seconds, len(self.ready)
        for path in sorted(self.data.glob(f"{self.side}-*.npy")):
            if path not in self.seen and time.time() < until:
                self.seen.add(path)
                self.take(torch.from_numpy(np.load(path)).to(DEVICE).permute(0, 3, 1, 2), int(path.stem.split("-")[1]))
        if len(self.ready) > before:
            self.index[before:len(self.ready)] = torch.tensor(self.ready[before:], dtype=torch.long, device=DEVICE)
            self.count.fill_(len(self.ready))
        return len(self.ready)

    def batch(self, size):
        return self.index[(torch.rand(size, device=DEVICE) * self.count).long()]


class Examples(Painted):
    """Latents, captions and where the things are: 2 i is picture i, 2 i + 1 its mirror image."""

    def __init__(self, data, side, vae):
        super().__init__(data, side)
        self.vae, self.held = vae, []
        scenes = np.load(data / "scenes.npz")
        self.clip = torch.from_numpy(scenes[f"clip{side}"]).to(DEVICE)
        self.t5 = torch.from_numpy(scenes[f"t5{side}"]).to(DEVICE)
        self.latents = torch.zeros(self.capacity(), 16, side // 8, side // 8, dtype=torch.float16, device=DEVICE)
        self.weight = torch.ones(self.capacity(), (side // 16) ** 2, 1, dtype=torch.float16, device=DEVICE)

    def capacity(self):
        return 2 * PLAN[self.side]

    def take(self, pixels, start):
        pixels = pixels.float() / 127.5 - 1
        for i in range(start, start + len(pixels)):
            (self.held if i < HELD_OUT else self.ready).extend((2 * i, 2 * i + 1))
        near = torch.from_numpy(np.load(self.data / f"things{self.side}-{start:06d}.npy")).float().to(DEVICE)
        for mirror in (0, 1):
            places = slice(2 * start + mirror, 2 * (start + len(pixels)) + mirror, 2)
            self.latents[places] = self.vae.encode(pixels.flip(3) if mirror else pixels).half()
            self.weight[places] = 1 + (THINGS - 1) * (near.flip(2) if mirror else near).reshape(len(pixels), -1, 1).half()


class Crops(Painted):
    """Pieces of NATIVE a side, uint8, for the autoencoder: of larger pictures the more detailed half of what is cut at random."""

    def __init__(self, data, side, pieces, most):
        self.pieces, self.most, self.held, self.random = pieces, most, None, random.Random(3)
        super().__init__(data, side)
        self.pixels = torch.zeros(most, 3, NATIVE, NATIVE, dtype=torch.uint8, device=DEVICE)

    def capacity(self):
        return self.most

    def take(self, pixels, start):
        if start == 0:
            self.held, pixels = pixels[:HELD_OUT], pixels[HELD_OUT:]
        if not len(pixels):
            return
        if self.pieces > 1:
            corner = lambda: self.random.randint(0, self.side - NATIVE)
            cut = torch.cat([pixels[:, :, y:y + NATIVE, x:x + NATIVE] for y, x in ((corner(), corner()) for _ in range(2 * self.pieces))])
            detail = (cut[:, :, 1:].float() - cut[:, :, :-1].float()).abs().mean((1, 2, 3))
            pixels = cut[detail.argsort(descending=True)[:len(cut) // 2]]
        pixels = pixels[:self.most - len(self.ready)]
        self.pixels[len(self.ready):len(self.ready) + len(pixels)] = pixels
        self.ready.extend(range(len(self.ready), len(self.ready) + len(pixels)))


# ------------------------------------------------------------------------------------------------ training
def autocast():
    # Not cached: a captured graph may not keep the copies of another.
    return torch.autocast(DEVICE.type, torch.bfloat16, enabled=DEVICE.type == "cuda", cache_enabled=False)


def adamw(parameters, peak, betas):
    cuda = DEVICE.type == "cuda"
    return torch.optim.AdamW(parameters, lr=torch.tensor(peak, device=DEVICE), betas=betas, weight_decay=0.0, fused=cuda, capturable=cuda)


def update(step_of, parameters, optimizers):
    with autocast():
        loss = step_of()
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
    for optimizer in optimizers:
        optimizer.step()
    return loss.detach()


def captured(step_of, parameters, optimizers):
    """A whole step as a CUDA graph: a step of so small a network is otherwise all launches."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            update(step_of, parameters, optimizers)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = update(step_of, parameters, optimizers)

    def replay():
        graph.replay()
        return loss

    return replay


def set_rate(optimizers, rate):
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"].fill_(rate)


def run(name, seconds, sets, parameters, optimizers, peak, steps):
    """Cosine schedule over the seconds, a step of each kind in turn; sets are looked through for new pictures now and then."""
    turns = [lambda s=s: update(s, parameters, optimizers) for s in steps]
    if DEVICE.type == "cuda":
        set_rate(optimizers, 1e-6)
        graphs = {s: captured(s, parameters, optimizers) for s in dict.fromkeys(steps)}
        turns = [graphs[s] for s in steps]
    started, step, shown, looked = time.time(), 0, [], 0.0
    while True:
        elapsed = time.time() - started
        if elapsed >= seconds:
            break
        if elapsed - looked > 4:
            looked = elapsed
            for s in sets:
                s.refresh(0.4)
        set_rate(optimizers, peak * min(1, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * elapsed / seconds)) + 1e-6)
        loss = turns[step % len(turns)]()
        step += 1
        if step % 5 == 0 or step == 1:
            # A host that runs far ahead of the device would not see the time.
            shown.append(loss.item())
        if step % 500 == 0 or step in (1, 50):
            print(f"{name} {elapsed:.0f} s step {step} loss {np.mean(shown[-100:]):.4f} pictures {[len(s.ready) for s in sets]}", flush=True)
    return step


class Average:
    """A running mean of parameters, which is what is kept of a training."""

    def __init__(self, parameters, share):
        self.parameters, self.share, self.values = parameters, share, [p.detach().clone() for p in parameters]

    @torch.no_grad()
    def follow(self):
        torch._foreach_lerp_(self.values, self.parameters, self.share)

    @torch.no_grad()
    def put(self, dtype=torch.float32):
        for p, value in zip(self.parameters, self.values):
            p.copy_(value.to(dtype))


# ------------------------------------------------------------------------------------------------ autoencoder
def edges(a, b):
    """Difference of the gradients at three scales: keeps outlines crisp."""
    total = 0
    for scale in range(3):
        if scale:
            a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
        d = a - b
        total = total + (d[..., 1:] - d[..., :-1]).abs().mean() + (d[..., 1:, :] - d[..., :-1, :]).abs().mean()
    return total


def psnr(vae, pictures):
    with torch.no_grad():
        pixels = [p.float()[None] / 127.5 - 1 for p in pictures]
        decoded = [vae.decoder(vae.encoder(p).chunk(2, 1)[0]).clamp(-1, 1) for p in pixels]
    return np.mean([-10 * ((d - p) / 2).square().mean().log10().item() for d, p in zip(decoded, pixels)])


def train_decoder(data, seconds):
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = True, True, True
    torch.manual_seed(17)
    vae = Vae(data / "checkpoint/vae").requires_grad_(False)
    sets = {128: Crops(data, 128, 1, 24000), 256: Crops(data, 256, 4, 8000), 512: Crops(data, 512, 12, 12000)}
    shares = {128: 40, 256: 12, 512: 12} if DEVICE.type == "cuda" else {128: 5, 256: 2, 512: 1}
    while any(s.refresh() < 60 or s.held is None for s in sets.values()):
        time.sleep(0.5)
    measured = lambda: [round(psnr(vae, s.held[:16 if side < 512 else 4]), 2) for side, s in sets.items()]
    print(f"decoder: {measured()} dB at {list(sets)}", flush=True)
    parameters = list(vae.decoder.requires_grad_(True).parameters())
    optimizer, average = adamw(parameters, 1e-3, (0.9, 0.99)), Average(parameters, 0.005)

    def step_of(half):
        average.follow()
        pixels = torch.cat([s.pixels[s.batch(shares[side])] for side, s in sets.items()]).float() / 127.5 - 1
        pixels = torch.where(torch.rand(len(pixels), 1, 1, 1, device=DEVICE) < 0.5, pixels, pixels.flip(3))
        with torch.no_grad():
            mean, logvar = vae.encoder(pixels).float().chunk(2, 1)
            latents = mean + torch.exp(0.5 * logvar.clamp(-30, 20)) * torch.randn_like(mean)
        if half:  # half the size in latents is half the size in pixels: an easier space for the transformer
            latents, pixels = F.avg_pool2d(latents, 2), F.avg_pool2d(pixels, 2)
        decoded = vae.decoder(latents).float()
        return F.l1_loss(decoded, pixels) + F.mse_loss(decoded, pixels) + edges(decoded, pixels)

    whole, halved = (lambda: step_of(False)), (lambda: step_of(True))
    steps = run("decoder", seconds, sets.values(), parameters, [optimizer], 1.5e-3, [whole] * 3 + [halved])
    average.put(torch.bfloat16)
    vae.write()
    print(f"decoder: {steps} steps of {sum(shares.values())}, {measured()} dB", flush=True)


# ------------------------------------------------------------------------------------------------ transformer, adapters
class Networks:
    def __init__(self, data, state=None):
        state = state or torch.load(data / "state.pt", weights_only=True)
        clip = Clip(state["0.text_model.embeddings.token_embedding.weight"].shape[0])
        t5 = T5(state["1.shared.weight"].shape[0])
        self.modules = [clip.to(DEVICE), t5.to(DEVICE), Flux().to(DEVICE)]
        for i, module in enumerate(self.modules):
            module.load_state_dict({k[2:]: v.float() for k, v in state.items() if k[0] == str(i)})
        self.vae = Vae(data / "checkpoint/vae").requires_grad_(False)

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
            v = flux(x, t5(examples.t5[pick].long()), clip(examples.clip[pick].long()), sigma, torch.ones(4, device=DEVICE), table, scale)
            total += F.mse_loss(v.float(), pack(noise - latent)).item()
            count += 1
    return total / max(1, count)


def sample(examples, count, mean, deviation=1.0):
    pick = examples.batch(count)
    latent = examples.latents[pick].float()
    noise = torch.randn_like(latent)
    sigma = torch.sigmoid(torch.randn(count, device=DEVICE) * deviation + mean)
    x = (1 - sigma)[:, None, None, None] * latent + sigma[:, None, None, None] * noise
    return examples.clip[pick].long(), examples.t5[pick].long(), pack(x), sigma, pack(noise - latent), examples.weight[pick].float()


def loss(velocity, target, weight):
    return ((velocity.float() - target).square() * weight).mean() / weight.mean()


def some_guidance(count):
    """3.5, the default, in half of the cases, else 1 to 5."""
    return torch.where(torch.rand(count, device=DEVICE) < 0.5, 3.5, 1 + 4 * torch.rand(count, device=DEVICE))


def frozen(flux):
    return copy.deepcopy(flux).requires_grad_(False)


def guided(teacher, x, sequence, pooled, nothing, sigma, guidance, table, scale):
    """The velocity with true guidance, of which the teacher gives both at guidance 1."""
    one = torch.ones_like(guidance)
    with torch.no_grad():
        yes = teacher(x, sequence, pooled, sigma, one, table, scale).float()
        no = teacher(x, nothing[0].expand(len(x), -1, -1), nothing[1].expand(len(x), -1), sigma, one, table, scale).float()
        return yes + STRENGTH * (guidance - 1)[:, None, None] * (yes - no)


def train_transformer(networks, examples, seconds, distil, out, empty, peak):
    clip, t5, flux = networks.modules
    batch = max(2, TOKENS_A_STEP // NATIVE_TOKENS)
    table, scale = rotary(NATIVE), attention_scale(NATIVE, False)
    if distil:
        teacher = frozen(flux)
        clip.requires_grad_(False), t5.requires_grad_(False)
        with torch.no_grad():
            nothing = [t5(empty[1]), clip(empty[0])]
    named = [(n, p) for n, p in networks.named() if p.requires_grad]
    parameters = [p for _, p in named]
    matrices = [p for n, p in named if n.startswith("2.") and p.ndim == 2 and "blocks" in n and "norm" not in n]
    chosen = {id(p) for p in matrices}
    optimizers = [adamw([p for p in parameters if id(p) not in chosen], peak, (0.9, 0.98)), Muon(matrices, torch.tensor(peak, device=DEVICE))]
    average = Average(parameters, 0.005 if distil else 0.001)

    def step_of():
        average.follow()
        a, b, x, sigma, target, weight = sample(examples, batch, 0.6)
        guidance = torch.ones(batch, device=DEVICE)
        if not distil:
            drop = torch.rand(batch, device=DEVICE) < 0.08
            a, b = torch.where(drop[:, None], empty[0], a), torch.where(drop[:, None], empty[1], b)
        pooled, sequence = clip(a), t5(b)
        if distil:
            guidance = some_guidance(batch)
            target = guided(teacher, x, sequence, pooled, nothing, sigma, guidance, table, scale)
        return loss(flux(x, sequence, pooled, sigma, guidance, table, scale), target, weight)

    name = "distil" if distil else "transformer"
    steps = run(name, seconds, [examples], parameters, optimizers, peak, [step_of])
    average.put()
    for m in networks.modules:
        m.requires_grad_(True)
    torch.save({n: p.detach().cpu() for n, p in networks.named()}, out / f"state-{name}.pt")
    print(f"{name}: {steps} steps of {batch}, held out {held_out(networks, examples, False):.4f}", flush=True)


def adapted_layers(flux, minor):
    for name, module in flux.named_modules():
        if isinstance(module, Linear) and "blocks" in name:
            attention = ".attn.to_" in name and "to_add_out" not in name
            if attention if minor else True:
                yield name, module


def adapt(layers, kind):
    """Lets the layers learn: LoRA begins with nothing added, minor components with what they take out of the weight."""
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


def fuse(layers):
    with torch.no_grad():
        for _, layer in layers:
            layer.weight.add_(layer.b @ layer.a)
            layer.a = layer.b = None


def train_adapter(networks, sets, plain, with_guidance, kind, out, empty, peak):
    """For `plain` seconds as URAE trains, guidance fed as 1; then, in half of every batch, a frozen copy of what that gave
    teaches true guidance. (The network as its own teacher ran away within 300 steps.)"""
    clip, t5, flux = networks.modules
    for m in networks.modules:
        m.requires_grad_(False)
    with torch.no_grad():
        nothing = [t5(empty[1]), clip(empty[0])]
    layers = list(adapted_layers(flux, kind == "4k"))
    adapt(layers, kind)
    parameters = [p for _, layer in layers for p in (layer.a, layer.b)]
    average = Average(parameters, 0.005)
    measured = lambda: [round(held_out(networks, s, True), 4) for s in sets]
    print(f"{kind}: held out {[s.side for s in sets]}: {measured()}", flush=True)

    def step_at(examples, teacher):
        side = examples.side
        table, scale = rotary(side, NTK_FACTOR), attention_scale(side, True)
        batch = max(2, TOKENS_A_STEP // (T5_TOKENS + (side // 16) ** 2) // 2 * 2)
        half = batch // 2

        def step_of():
            average.follow()
            a, b, x, sigma, target, weight = sample(examples, batch, 1.3 if side == 256 else 1.7, 1.15)
            guidance = torch.ones(batch, device=DEVICE)
            with torch.no_grad():
                pooled, sequence = clip(a).float(), t5(b).float()
                if teacher:
                    drop = (torch.rand(batch, device=DEVICE) < 0.08) & (torch.arange(batch, device=DEVICE) < half)
                    pooled, sequence = torch.where(drop[:, None], nothing[1], pooled), torch.where(drop[:, None, None], nothing[0], sequence)
                    more = some_guidance(half)
                    target = torch.cat([target[:half], guided(teacher, x[half:], sequence[half:], pooled[half:], nothing, sigma[half:], more, table, scale)])
                    guidance = torch.cat([guidance[:half], more])
            return loss(flux(x, sequence, pooled, sigma, guidance, table, scale), target, weight)

        return step_of

    # Of both sizes, two steps in three are of the smaller one.
    turns = [sets[0], sets[0], sets[1]] if len(sets) == 2 else sets
    for seconds, rate, name in ((plain, peak, kind), (with_guidance, peak / 3, kind + " guided")):
        if seconds:
            teacher = frozen(flux) if name != kind else None
            by_set = {s: step_at(s, teacher) for s in sets}
            optimizer = adamw(parameters, rate, (0.9, 0.99))
            steps = run(name, seconds, sets, parameters, [optimizer], rate, [by_set[s] for s in turns])
            average.put(torch.bfloat16)
            last = teacher or not with_guidance
            write(layers, kind, out / (f"urae_{kind}_adapter.safetensors" if last else f"{kind}-before-guidance.safetensors"))
            print(f"{name}: {steps} steps, held out {measured()}", flush=True)
    fuse(layers)


def write(layers, kind, file):
    state = {}
    for name, layer in layers:
        a, b = (t.detach().to(torch.bfloat16).cpu().contiguous() for t in (layer.a, layer.b))
        if kind == "2k":
            state[f"transformer.{name}.lora_A.weight"], state[f"transformer.{name}.lora_B.weight"] = a, b
        else:
            block, to = name.rsplit(".attn.", 1)
            stem = f"{block}.attn.processor.{to.removesuffix('.0')}"
            state[f"{stem}_a.weight"], state[f"{stem}_b.weight"] = a, b
    save_file(state, file, metadata={"format": "pt"})


def train(data, out, seconds):
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = True, True
    torch.manual_seed(17)
    out.mkdir(parents=True, exist_ok=True)
    began = time.time()
    networks = Networks(data)
    base, distil, lora, lora_guided, minor, minor_guided = seconds
    sets = {side: Examples(data, side, networks.vae) for side, wanted in ((128, base + distil), (256, lora), (512, lora + minor)) if wanted}
    scenes = np.load(data / "scenes.npz")
    empty = [torch.from_numpy(scenes[k].astype(np.int64)).to(DEVICE) for k in ("clip_empty", "t5_empty")]
    least = {128: 6000, 256: 1200, 512: 500} if DEVICE.type == "cuda" else {128: 8, 256: 8, 512: 8}
    while any(s.refresh() < least[side] for side, s in sets.items()):
        time.sleep(0.5)
    print(f"{DEVICE}, first pictures after {time.time() - began:.0f} s", flush=True)
    if base + distil:
        print(f"held out {held_out(networks, sets[128], False):.4f}", flush=True)
    if base:
        train_transformer(networks, sets[128], base, False, out, empty, 1.2e-3)
    if distil:
        train_transformer(networks, sets[128], distil, True, out, empty, 6e-4)
    # The adapters belong to the weights as they are stored.
    with torch.no_grad():
        for _, p in networks.named():
            p.copy_(p.to(torch.bfloat16).float())
    for s in sets.values():
        s.refresh(8)
    if lora:
        train_adapter(networks, [sets[256], sets[512]], lora, lora_guided, "2k", out, empty, 2e-3)
    if minor:
        train_adapter(networks, [sets[512]], minor, minor_guided, "4k", out, empty, 2e-3)
    print(f"all done after {time.time() - began:.0f} s", flush=True)


def check(data):
    """Compares the networks with diffusers' and transformers'."""
    from diffusers import AutoencoderKL, FluxTransformer2DModel
    from transformers import CLIPTextModel, T5EncoderModel
    folder = data / "checkpoint"
    theirs = [CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32), T5EncoderModel.from_pretrained(folder / "text_encoder_2", torch_dtype=torch.float32),
              FluxTransformer2DModel.from_pretrained(folder / "transformer", torch_dtype=torch.float32)]
    state = {f"{i}.{n}": p.detach() for i, m in enumerate(theirs) for n, p in m.named_parameters()}
    ours = Networks(data, state)
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
        z = vae.encode(pixels).latent_dist.mean
        print("vae", apart(ours.vae.encode(pixels), (z - vae.config.shift_factor) * vae.config.scaling_factor), apart(ours.vae.decoder(z), vae.decode(z).sample))


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check(Path(sys.argv[2]))
    elif sys.argv[1] == "decoder":
        train_decoder(Path(sys.argv[2]), float(sys.argv[3]))
    else:
        train(Path(sys.argv[2]), Path(sys.argv[3]), [float(s) for s in sys.argv[4:]] or [260, 40, 110, 40, 90, 50])

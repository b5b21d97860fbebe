"""The names of a transformer's tensors in diffusers and in Black Forest Labs' code."""
from pathlib import Path

import torch
from safetensors.torch import load_file


def state(folder):
    return {k: v for shard in sorted(Path(folder).glob("*.safetensors")) for k, v in load_file(shard).items()}


def to_bfl(t):
    """diffusers' FluxTransformer2DModel -> Black Forest Labs' names."""
    out = {}

    def linear(to, *sources):
        for kind in ("weight", "bias"):
            out[f"{to}.{kind}"] = torch.cat([t[f"{s}.{kind}"] for s in sources], 0)

    linear("img_in", "x_embedder")
    for a, b in (("time_in", "timestep_embedder"), ("vector_in", "text_embedder"), ("guidance_in", "guidance_embedder")):
        if f"time_text_embed.{b}.linear_1.weight" in t:
            linear(f"{a}.in_layer", f"time_text_embed.{b}.linear_1")
            linear(f"{a}.out_layer", f"time_text_embed.{b}.linear_2")
    linear("txt_in", "context_embedder")
    count = lambda kind: 1 + max(int(k.split(".")[1]) for k in t if k.startswith(kind + "."))
    for i in range(count("transformer_blocks")):
        s, d = f"transformer_blocks.{i}", f"double_blocks.{i}"
        for side, norm in (("img", "norm1"), ("txt", "norm1_context")):
            linear(f"{d}.{side}_mod.lin", f"{s}.{norm}.linear")
        linear(f"{d}.img_attn.qkv", *(f"{s}.attn.to_{n}" for n in "qkv"))
        linear(f"{d}.txt_attn.qkv", *(f"{s}.attn.add_{n}_proj" for n in "qkv"))
        for side, pre in (("img", "norm"), ("txt", "norm_added")):
            out[f"{d}.{side}_attn.norm.query_norm.scale"] = t[f"{s}.attn.{pre}_q.weight"]
            out[f"{d}.{side}_attn.norm.key_norm.scale"] = t[f"{s}.attn.{pre}_k.weight"]
        linear(f"{d}.img_attn.proj", f"{s}.attn.to_out.0")
        linear(f"{d}.txt_attn.proj", f"{s}.attn.to_add_out")
        for side, ff in (("img", "ff"), ("txt", "ff_context")):
            linear(f"{d}.{side}_mlp.0", f"{s}.{ff}.net.0.proj")
            linear(f"{d}.{side}_mlp.2", f"{s}.{ff}.net.2")
    for i in range(count("single_transformer_blocks")):
        s, d = f"single_transformer_blocks.{i}", f"single_blocks.{i}"
        linear(f"{d}.modulation.lin", f"{s}.norm.linear")
        linear(f"{d}.linear1", f"{s}.attn.to_q", f"{s}.attn.to_k", f"{s}.attn.to_v", f"{s}.proj_mlp")
        linear(f"{d}.linear2", f"{s}.proj_out")
        out[f"{d}.norm.query_norm.scale"] = t[f"{s}.attn.norm_q.weight"]
        out[f"{d}.norm.key_norm.scale"] = t[f"{s}.attn.norm_k.weight"]
    linear("final_layer.linear", "proj_out")
    for kind in ("weight", "bias"):  # shift, scale here; scale, shift in diffusers
        scale, shift = t[f"norm_out.linear.{kind}"].chunk(2, 0)
        out[f"final_layer.adaLN_modulation.1.{kind}"] = torch.cat([shift, scale], 0)
    return {k: v.contiguous() for k, v in out.items()}


def from_bfl(b, hidden):
    """The reverse, for any hidden size."""
    out = {}

    def linear(source, *targets, sizes=None):
        for kind in ("weight", "bias"):
            v = b[f"{source}.{kind}"]
            parts = torch.split(v, sizes, 0) if sizes else v.chunk(len(targets), 0)
            for t, p in zip(targets, parts):
                out[f"{t}.{kind}"] = p.contiguous()

    linear("img_in", "x_embedder")
    for a, n in (("time_in", "timestep_embedder"), ("vector_in", "text_embedder"), ("guidance_in", "guidance_embedder")):
        if f"{a}.in_layer.weight" in b:
            linear(f"{a}.in_layer", f"time_text_embed.{n}.linear_1")
            linear(f"{a}.out_layer", f"time_text_embed.{n}.linear_2")
    linear("txt_in", "context_embedder")
    count = lambda kind: 1 + max(int(k.split(".")[1]) for k in b if k.startswith(kind + "."))
    for i in range(count("double_blocks")):
        d, s = f"transformer_blocks.{i}", f"double_blocks.{i}"
        for side, norm in (("img", "norm1"), ("txt", "norm1_context")):
            linear(f"{s}.{side}_mod.lin", f"{d}.{norm}.linear")
        linear(f"{s}.img_attn.qkv", *(f"{d}.attn.to_{n}" for n in "qkv"))
        linear(f"{s}.txt_attn.qkv", *(f"{d}.attn.add_{n}_proj" for n in "qkv"))
        for side, pre in (("img", "norm"), ("txt", "norm_added")):
            out[f"{d}.attn.{pre}_q.weight"] = b[f"{s}.{side}_attn.norm.query_norm.scale"]
            out[f"{d}.attn.{pre}_k.weight"] = b[f"{s}.{side}_attn.norm.key_norm.scale"]
        linear(f"{s}.img_attn.proj", f"{d}.attn.to_out.0")
        linear(f"{s}.txt_attn.proj", f"{d}.attn.to_add_out")
        for side, ff in (("img", "ff"), ("txt", "ff_context")):
            linear(f"{s}.{side}_mlp.0", f"{d}.{ff}.net.0.proj")
            linear(f"{s}.{side}_mlp.2", f"{d}.{ff}.net.2")
    for i in range(count("single_blocks")):
        d, s = f"single_transformer_blocks.{i}", f"single_blocks.{i}"
        linear(f"{s}.modulation.lin", f"{d}.norm.linear")
        linear(f"{s}.linear1", f"{d}.attn.to_q", f"{d}.attn.to_k", f"{d}.attn.to_v", f"{d}.proj_mlp", sizes=[hidden] * 3 + [4 * hidden])
        linear(f"{s}.linear2", f"{d}.proj_out")
        out[f"{d}.attn.norm_q.weight"] = b[f"{s}.norm.query_norm.scale"]
        out[f"{d}.attn.norm_k.weight"] = b[f"{s}.norm.key_norm.scale"]
    linear("final_layer.linear", "proj_out")
    for kind in ("weight", "bias"):
        shift, scale = b[f"final_layer.adaLN_modulation.1.{kind}"].chunk(2, 0)
        out[f"norm_out.linear.{kind}"] = torch.cat([scale, shift], 0)
    return out

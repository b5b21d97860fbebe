"""Trains URAE adapters for the small checkpoint, with URAE's own transformer and processors.

    PYTHONPATH=URAE-checkout python train_adapters.py CHECKPOINT DATA OUT 2k|4k MINUTES [RATE]

2k: a LoRA of rank 16 at twice the native size, on all linear layers of all blocks: URAE's has only the queries, keys,
values and outputs of attention, which is too little for so small a model in so little time. 4k: minor components at four
times the native size, on top of the fused 2k LoRA, of the layers that URAE takes, but of rank 48 (of 128) in place of
16. Every third batch of 2k is at four times, so that minor components, which change attention only, begin with something. Key names are those of URAE's published files. Goes on from the file in OUT, if there is one; the schedule goes on
from DATA/2k_done.txt (4k_done.txt), which holds the minutes done and is removed at the end.
Latents: DATA/codes256*.npz and codes512*.npz (train_checkpoint.py encode wide256 codes256).
DATA/2k_minutes.txt (4k_minutes.txt), when there, overrides MINUTES while running. With WORLD_SIZE=2, MASTER_ADDR=127.0.0.1,
MASTER_PORT and RANK=0 and 1, two processes share the work; minutes are those of the first.
"""
import datetime
import math
import os
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, T5EncoderModel

from train_checkpoint import DATA, NATIVE, OUT as CHECKPOINT, T5_TOKENS, load_codes, pack, positions, set_threads, tokens

OUT = Path(sys.argv[3])
from attention_processor import FluxAttnAdaptationProcessor2_0, FluxAttnProcessor2_0
from transformer_flux import FluxTransformer2DModel

RANK, MINOR_RANK, NTK_FACTOR = 16, 48, 10.0
NATIVE_TOKENS = T5_TOKENS + (NATIVE // 16) ** 2
TARGETS = (r".*transformer_blocks\.\d+\.(attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)|ff(_context)?\.net\.(0\.proj|2)"
           r"|norm1(_context)?\.linear|norm\.linear|proj_mlp|proj_out)")


def layers(transformer):
    for kind in ("transformer_blocks", "single_transformer_blocks"):
        for index, block in enumerate(getattr(transformer, kind)):
            for name in ("q", "k", "v", "out"):
                if name == "out" and kind == "single_transformer_blocks":
                    continue
                linear = block.attn.to_out[0] if name == "out" else getattr(block.attn, f"to_{name}")
                yield f"{kind}.{index}.attn", name, linear, block.attn


def fuse_2k(transformer, adapter):
    with torch.no_grad():
        for key, down in adapter.items():
            if key.endswith(".lora_A.weight"):
                module = key.removesuffix(".lora_A.weight")
                up = adapter[module + ".lora_B.weight"]
                transformer.get_submodule(module.removeprefix("transformer.")).weight += up.float() @ down.float()


def use_minor_components(transformer):
    """Moves the smallest singular components of each adapted layer into its processor."""
    processors = {name: FluxAttnAdaptationProcessor2_0(rank=MINOR_RANK, dim=transformer.inner_dim, to_out="single" not in name, train_seq_len=NATIVE_TOKENS)
                  for name in transformer.attn_processors}
    transformer.set_attn_processor(processors)
    with torch.no_grad():
        for _, name, linear, attention in layers(transformer):
            u, s, vh = torch.linalg.svd(linear.weight)
            root = torch.diag(torch.sqrt(s[-MINOR_RANK:]))
            getattr(attention.processor, f"to_{name}_a").weight.copy_(root @ vh[-MINOR_RANK:])
            getattr(attention.processor, f"to_{name}_b").weight.copy_(u[:, -MINOR_RANK:] @ root)
            linear.weight.copy_(u[:, :-MINOR_RANK] @ torch.diag(s[:-MINOR_RANK]) @ vh[:-MINOR_RANK])


def use_native_tokens(transformer):
    transformer.set_attn_processor({n: FluxAttnProcessor2_0(train_seq_len=NATIVE_TOKENS) for n in transformer.attn_processors})


def write(transformer, kind):
    OUT.mkdir(parents=True, exist_ok=True)
    if kind == "2k":
        state = {"transformer." + k: v.to(torch.bfloat16).contiguous() for k, v in get_peft_model_state_dict(transformer).items()}
    else:
        state = {k: v.to(torch.bfloat16).contiguous() for k, v in transformer.state_dict().items() if ".processor." in k}
    file = OUT / f"urae_{kind}_adapter.safetensors"
    save_file(state, file.with_suffix(".part"), metadata={"format": "pt"})
    file.with_suffix(".part").rename(file)
    return state


def train(size, batch, minutes, peak, kind):
    torch.manual_seed(41)
    clip = CLIPTextModel.from_pretrained(CHECKPOINT / "text_encoder", torch_dtype=torch.float32)
    t5 = T5EncoderModel.from_pretrained(CHECKPOINT / "text_encoder_2", torch_dtype=torch.float32)
    transformer = FluxTransformer2DModel.from_pretrained(CHECKPOINT / "transformer", torch_dtype=torch.float32)
    transformer.requires_grad_(False)
    file = OUT / f"urae_{kind}_adapter.safetensors"
    if kind == "2k":
        use_native_tokens(transformer)
        transformer.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, init_lora_weights="gaussian", target_modules=TARGETS))
        if file.exists():
            set_peft_model_state_dict(transformer, {k.removeprefix("transformer."): v.float() for k, v in load_file(file).items()})
    else:
        fuse_2k(transformer, load_file(OUT / "urae_2k_adapter.safetensors"))
        use_minor_components(transformer)
        if file.exists():
            transformer.load_state_dict({k: v.float() for k, v in load_file(file).items()}, strict=False)
        for name, parameter in transformer.named_parameters():
            parameter.requires_grad_("processor" in name)
    trainable = [p for p in transformer.parameters() if p.requires_grad]
    sets = []
    for side, count in ((size, batch), (size, batch), (NATIVE * 4, 1)) if kind == "2k" else ((size, batch),):
        captions, codes = load_codes(f"codes{side}")
        sets.append((count, codes, *tokens(captions), positions(side // 8, side // 8)))
    print("trainable", sum(p.numel() for p in trainable), "examples", [len(s[1]) for s in sets], "resumed" if file.exists() else "new", flush=True)
    text_ids = torch.zeros(T5_TOKENS, 3)
    optimizer = torch.optim.AdamW(trainable, lr=peak, weight_decay=0.0)
    shared, first = int(os.environ.get("WORLD_SIZE", 1)) > 1, os.environ.get("RANK", "0") == "0"
    if shared:
        dist.init_process_group("gloo", timeout=datetime.timedelta(hours=2))
        for p in trainable:
            dist.broadcast(p.data, 0)
    generator = torch.Generator().manual_seed(int(time.time()) + 1000 * int(os.environ.get("RANK", 0)))
    control, done = DATA / f"{kind}_minutes.txt", DATA / f"{kind}_done.txt"
    before = float(done.read_text()) if done.exists() else 0.0
    started, wall, step, shown, saved = time.thread_time() - 60 * before, time.time(), 0, [], before
    while True:
        elapsed = (time.thread_time() - started) / 60
        if step % 10 == 0:
            set_threads()
            if control.exists():
                minutes = float(control.read_text())
        if shared:
            agreed = torch.tensor([elapsed, minutes])
            dist.broadcast(agreed, 0)
            elapsed, minutes = agreed.tolist()
        if elapsed >= minutes:
            break
        for group in optimizer.param_groups:
            group["lr"] = peak * min(1, (step + 1) / 30) * (0.5 + 0.5 * math.cos(math.pi * elapsed / minutes)) + 1e-6
        batch, codes, clip_ids, t5_ids, image_ids = sets[step % len(sets)]
        pick = torch.randint(len(codes), (batch,), generator=generator)
        latent = codes[pick]
        noise = torch.randn(latent.shape, generator=generator)
        sigma = torch.sigmoid(torch.randn(batch, generator=generator) + 1.1)
        x = (1 - sigma)[:, None, None, None] * latent + sigma[:, None, None, None] * noise
        with torch.no_grad():
            pooled, sequence = clip(clip_ids[pick]).pooler_output, t5(t5_ids[pick])[0]
        velocity = transformer(pack(x), sequence, pooled, sigma, image_ids, text_ids, torch.ones(batch), ntk_factor=NTK_FACTOR,
                               joint_attention_kwargs={"proportional_attention": True}, return_dict=False)[0]
        loss = F.mse_loss(velocity, pack(noise - latent))
        optimizer.zero_grad()
        loss.backward()
        if shared:
            flat = torch.cat([p.grad.flatten() for p in trainable])
            dist.all_reduce(flat)
            for p, g in zip(trainable, flat.split([p.numel() for p in trainable])):
                p.grad.copy_(g.view_as(p) / dist.get_world_size())
        torch.nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        step += 1
        shown.append(loss.item())
        if step % 25 == 0:
            print(f"{elapsed:.1f} min of {minutes:g} wall {(time.time() - wall) / 60:.1f} step {step} loss {sum(shown[-50:]) / len(shown[-50:]):.4f}", flush=True)
        if elapsed - saved > 1 and first:
            saved = elapsed
            write(transformer, kind)
            done.write_text(str(elapsed))
    if not first:
        return
    state = write(transformer, kind)
    done.unlink(missing_ok=True)
    print(len(state), "tensors,", next(iter(state)))


if __name__ == "__main__":
    torch.set_num_threads(2)
    kind, minutes, peak = sys.argv[4], float(sys.argv[5]), float(sys.argv[6]) if len(sys.argv) > 6 else 1.5e-3
    train(NATIVE * 2, 4, minutes, peak, kind) if kind == "2k" else train(NATIVE * 4, 2, minutes, peak, kind)

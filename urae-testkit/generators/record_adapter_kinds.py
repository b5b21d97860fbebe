"""Writes small random adapters of the kinds beside LoRA, made by the libraries that train them, and records the weights that those libraries compute with.

    python record_adapter_kinds.py FIXTURES        (lycoris-lora 3.1.1, peft 0.14, torch 2.5)

A changed weight W' [rows, columns] is recorded in `golden/adapter_kinds.safetensors`: `<file>/<weight>` holds every 16th
row in float32, `<file>/<weight>#sum` W' x in float64 for x = 1 + sin(column). Biases and norms are one column, recorded
whole. Everything is computed in float64, on the checkpoint's weights. Files land in `adapters/`.
"""
import sys
from pathlib import Path

import torch
from lycoris.modules.full import FullModule
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from lycoris.modules.norms import NormModule
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file, save_file

ROOT = Path(sys.argv[1])
torch.manual_seed(211)
torch.set_default_dtype(torch.float64)
BASE = {
    network: {k: v.double() for file in (ROOT / "flux-tiny" / network).glob("*.safetensors") for k, v in load_file(file).items()}
    for network in ("transformer", "text_encoder")
}
GOLDEN = {}


def record(file, network, weight, value):
    value = value.detach().double()
    key = f"{file}/{network}.{weight}"
    assert key not in GOLDEN, key
    if value.dim() == 1:
        GOLDEN[key] = value.float().contiguous()
    else:
        GOLDEN[key] = value[::16].float().contiguous()
        GOLDEN[key + "#sum"] = value @ (1 + torch.sin(torch.arange(value.shape[1]).double()))


def write(file, tensors, dtype=torch.float32):
    save_file({k: (v if v.dim() == 0 else v.to(dtype)).contiguous().clone() for k, v in tensors.items()}, ROOT / "adapters" / f"{file}.safetensors")


def linear(weights):
    """One linear layer of the rows of several of diffusers' weights."""
    weight = torch.cat([BASE["transformer"][f"{n}.weight"] for n in weights])
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data.copy_(weight)
    layer.bias.data.copy_(torch.cat([BASE["transformer"][f"{n}.bias"] for n in weights]))
    return layer


def randomise(module, scale=0.1):
    for name, parameter in module.named_parameters():
        if "dora_scale" in name or "magnitude" in name:
            parameter.data.mul_(1 + 0.3 * torch.rand_like(parameter))
        else:
            parameter.data.copy_(torch.randn_like(parameter) * scale)
        # What is recorded is computed with what is stored.
        parameter.data.copy_(parameter.data.float().double())


def effective(forward, inputs):
    """The weight and bias that a module computes with."""
    zero = forward(torch.zeros(1, inputs))
    return (forward(torch.eye(inputs)) - zero).T, zero[0]


def lycoris(file, tensors, key, weights, kind, **options):
    layer = linear(weights)
    module = kind("m", layer, 1.0, **options).double()
    randomise(module)
    module.eval()
    module.apply_to()
    weight, _ = effective(layer.forward, layer.in_features)
    first = 0
    for name in weights:
        rows = BASE["transformer"][f"{name}.weight"].shape[0]
        record(file, "transformer", f"{name}.weight", weight[first:first + rows])
        first += rows
    for name, value in module.custom_state_dict().items():
        tensors[f"{key}.{name}"] = value.detach()


QKV = [f"transformer_blocks.0.attn.to_{p}" for p in "qkv"]
SINGLE = [f"single_transformer_blocks.1.attn.to_{p}" for p in "qkv"] + ["single_transformer_blocks.1.proj_mlp"]


def lokr():
    """SimpleTuner's names: LyCORIS's prefix, diffusers' names with underscores."""
    t = {}
    name = "lycoris_transformer_blocks_1_attn_to_"
    lycoris("lokr", t, name + "q", ["transformer_blocks.1.attn.to_q"], LokrModule, lora_dim=2, alpha=1, factor=8)
    lycoris("lokr", t, name + "k", ["transformer_blocks.1.attn.to_k"], LokrModule, lora_dim=64, alpha=1, factor=8)
    lycoris("lokr", t, name + "v", ["transformer_blocks.1.attn.to_v"], LokrModule, lora_dim=2, alpha=3, factor=16, decompose_both=True)
    lycoris("lokr", t, "lycoris_transformer_blocks_0_ff_net_0_proj", ["transformer_blocks.0.ff.net.0.proj"], LokrModule, lora_dim=3, alpha=1, factor=4, rs_lora=True)
    lycoris("lokr", t, "lycoris_x_embedder", ["x_embedder"], LokrModule, lora_dim=10000, alpha=1, full_matrix=True, factor=-1)
    write("lokr", t)


def lokr_fused():
    """Black Forest Labs' names: several weights in one module."""
    t = {}
    lycoris("lokr_fused", t, "diffusion_model.double_blocks.0.img_attn.qkv", QKV, LokrModule, lora_dim=2, alpha=1, factor=12)
    lycoris("lokr_fused", t, "diffusion_model.single_blocks.1.linear1", SINGLE, LokrModule, lora_dim=64, alpha=1e9, factor=8)
    write("lokr_fused", t)


def loha():
    t = {}
    lycoris("loha", t, "lora_unet_double_blocks_0_img_attn_qkv", QKV, LohaModule, lora_dim=3, alpha=1)
    lycoris("loha", t, "lora_unet_single_blocks_0_linear2", ["single_transformer_blocks.0.proj_out"], LohaModule, lora_dim=2, alpha=4)
    write("loha", t)


def decomposed():
    """LyCORIS's DoRA, on every kind of product, along outputs and along inputs."""
    t = {}
    lycoris("decomposed", t, "lora_unet_double_blocks_0_img_attn_qkv", QKV, LoConModule, lora_dim=3, alpha=1, weight_decompose=True, wd_on_out=False)
    lycoris("decomposed", t, "lora_unet_single_blocks_1_linear1", SINGLE, LohaModule, lora_dim=2, alpha=1, weight_decompose=True, wd_on_out=False)
    lycoris("decomposed", t, "lora_unet_double_blocks_0_txt_attn_proj", ["transformer_blocks.0.attn.to_add_out"], LoConModule, lora_dim=3, alpha=2, weight_decompose=True, wd_on_out=True)
    lycoris("decomposed", t, "lora_unet_double_blocks_1_txt_attn_proj", ["transformer_blocks.1.attn.to_add_out"], LokrModule, lora_dim=2, alpha=1, factor=4, weight_decompose=True, wd_on_out=True)
    lycoris("decomposed", t, "lora_unet_double_blocks_1_img_attn_proj", ["transformer_blocks.1.attn.to_out.0"], LokrModule, lora_dim=64, alpha=1, factor=4, weight_decompose=True, wd_on_out=False)
    write("decomposed", t)


def full():
    """Differences of weights and biases, also of the one module whose halves are the other way round in diffusers."""
    t = {}
    for key, names in (("double_blocks_1_img_attn_qkv", [n.replace("blocks.0", "blocks.1") for n in QKV]), ("img_in", ["x_embedder"]), ("final_layer_adaLN_modulation_1", ["norm_out.linear"])):
        layer = linear(names)
        if key.startswith("final"):
            for p in (layer.weight, layer.bias):
                p.data.copy_(torch.cat(p.data.chunk(2)[::-1]))
        before = [p.data.clone() for p in (layer.weight, layer.bias)]
        module = FullModule("m", layer, 1.0).double()
        module.apply_to()
        for p, old in zip((module.weight, module.bias), before):
            p.data.copy_(old + (torch.randn_like(old) * 0.05).bfloat16())
        module.eval()
        weight, bias = effective(layer.forward, before[0].shape[1])
        for name, value in module.custom_state_dict().items():
            t[f"lora_unet_{key}.{name}"] = value
        if key.startswith("final"):
            weight, bias = (torch.cat(v.chunk(2)[::-1]) for v in (weight, bias))
        first = 0
        for name in names:
            rows = BASE["transformer"][f"{name}.weight"].shape[0]
            record("full", "transformer", f"{name}.weight", weight[first:first + rows])
            record("full", "transformer", f"{name}.bias", bias[first:first + rows])
            first += rows
    name = "text_model.encoder.layers.0.layer_norm1"
    norm = torch.nn.LayerNorm(64)
    norm.weight.data.copy_(BASE["text_encoder"][f"{name}.weight"])
    norm.bias.data.copy_(BASE["text_encoder"][f"{name}.bias"])
    module = NormModule("m", norm, 1.0).double()
    for parameter in module.parameters():
        parameter.data.copy_((torch.randn_like(parameter) * 0.1).bfloat16())
    weight, bias = module.make_weight(1.0)
    record("full", "text_encoder", f"{name}.weight", weight)
    record("full", "text_encoder", f"{name}.bias", bias)
    t["lora_te1_text_model_encoder_layers_0_layer_norm1.w_norm"] = module.w_norm.detach()
    t["lora_te1_text_model_encoder_layers_0_layer_norm1.b_norm"] = module.b_norm.detach()
    write("full", t, torch.bfloat16)


class Part(torch.nn.Module):
    """Some of the transformer's modules, by its names."""

    def __init__(self, names):
        super().__init__()
        for name in names:
            parent = self
            *path, last = name.split(".")
            for step in path:
                if not hasattr(parent, step):
                    parent.add_module(step, torch.nn.Module())
                parent = getattr(parent, step)
            if f"{name}.bias" in BASE["transformer"]:
                parent.add_module(last, linear([name]))
            else:
                norm = torch.nn.RMSNorm(BASE["transformer"][f"{name}.weight"].shape[0])
                norm.weight.data.copy_(BASE["transformer"][f"{name}.weight"])
                parent.add_module(last, norm)


def peft(file, names, config, prefix, whole=(), dtype=torch.float32):
    model = Part([*names, *whole])
    tuned = get_peft_model(model, config).double()
    for name, parameter in tuned.named_parameters():
        if parameter.requires_grad:
            if "magnitude" in name:
                parameter.data.mul_(1 + 0.3 * torch.rand_like(parameter))
            else:
                parameter.data.copy_(torch.randn_like(parameter) * 0.1)
            parameter.data.copy_(parameter.data.to(dtype).double())
    tuned.eval()
    for name in names:
        layer = tuned.get_submodule("base_model.model." + name)
        weight, bias = effective(layer.forward, BASE["transformer"][f"{name}.weight"].shape[1])
        record(file, "transformer", f"{name}.weight", weight)
        if getattr(config, "lora_bias", False):
            record(file, "transformer", f"{name}.bias", bias)
    for name in whole:
        changed = tuned.get_submodule("base_model.model." + name).modules_to_save["default"]
        for parameter, value in changed.named_parameters():
            record(file, "transformer", f"{name}.{parameter}", value)
    state = {k.replace("base_model.model.", prefix): v for k, v in get_peft_model_state_dict(tuned).items()}
    write(file, state, dtype)


ATTENTION = ["transformer_blocks.0.attn.to_q", "transformer_blocks.1.attn.to_out.0", "single_transformer_blocks.3.proj_mlp"]

lokr()
lokr_fused()
loha()
decomposed()
full()
peft("peft_dora", ATTENTION, LoraConfig(r=3, lora_alpha=3, use_dora=True, target_modules=ATTENTION), "base_model.model.")
peft("peft_dora_bf16", ATTENTION[:1], LoraConfig(r=2, lora_alpha=2, use_dora=True, target_modules=ATTENTION[:1]), "transformer.", dtype=torch.bfloat16)
peft("peft_bias", ATTENTION, LoraConfig(r=2, lora_alpha=2, lora_bias=True, target_modules=ATTENTION, modules_to_save=["norm_q", "proj_out"]), "transformer.", whole=["transformer_blocks.0.attn.norm_q", "proj_out"])
peft("peft_lokr", ATTENTION, LoKrConfig(r=4, alpha=4, target_modules=ATTENTION), "base_model.model.")
peft("peft_loha", ATTENTION, LoHaConfig(r=2, alpha=2, target_modules=ATTENTION), "base_model.model.")
save_file(GOLDEN, ROOT / "golden" / "adapter_kinds.safetensors")
print(f"{len(GOLDEN)} tensors")

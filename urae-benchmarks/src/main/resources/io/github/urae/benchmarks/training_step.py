"""Training steps of a LoRA on FLUX's transformer through diffusers and PEFT, as URAE's scripts set them up: base in bfloat16, adapters
in float32, bfloat16 autocast, gradient checkpointing by block, AdamW. One line in, one line out:

run    one step; answers its seconds
cpu    the processor's seconds of the last step
loss   the loss of the last step

Answers begin with '=> '. Started by ./benchmark training."""

import argparse
import sys
import time

import torch
from diffusers import FluxTransformer2DModel
from peft import LoraConfig
from safetensors.torch import load_file


def answer(text):
    print(f"=> {text}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", help="folder that holds transformer/")
    parser.add_argument("inputs", help="safetensors file with the inputs")
    parser.add_argument("adapter", help="safetensors file with the adapter's start")
    parser.add_argument("rows", type=int, help="rows of image tokens")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    model = FluxTransformer2DModel.from_pretrained(
        options.model, subfolder="transformer", torch_dtype=torch.bfloat16)
    model.requires_grad_(False)
    model.add_adapter(LoraConfig(r=16, lora_alpha=16, init_lora_weights="gaussian",
                                 target_modules=["to_k", "to_q", "to_v", "to_out.0"]))
    start = load_file(options.adapter)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.data = start["transformer." + name.replace(".default", "")].clone()
    model.enable_gradient_checkpointing()
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=1e-4)
    inputs = load_file(options.inputs)
    tokens = inputs["hidden_states"].shape[1]
    ids = torch.zeros(tokens, 3)
    ids[:, 1] = torch.arange(tokens) // (tokens // options.rows)
    ids[:, 2] = torch.arange(tokens) % (tokens // options.rows)
    fixed = {name: inputs[name].to(torch.bfloat16)
             for name in ("hidden_states", "encoder_hidden_states", "pooled_projections")}
    fixed.update(timestep=inputs["timestep"], guidance=inputs["guidance"], img_ids=ids,
                 txt_ids=torch.zeros(inputs["encoder_hidden_states"].shape[1], 3), return_dict=False)
    answer(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, MKL {torch.backends.mkl.is_available()}")
    loss = cpu = None
    for line in sys.stdin:
        if line.strip() == "run":
            begin, before = time.perf_counter(), time.process_time()
            with torch.autocast("cpu", torch.bfloat16):
                prediction = model(**fixed)[0]
            loss = ((prediction.float() - inputs["target"]) ** 2).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            seconds, cpu = time.perf_counter() - begin, time.process_time() - before
            loss = loss.item()
            answer(seconds)
        else:
            answer(cpu if line.strip() == "cpu" else loss)


main()

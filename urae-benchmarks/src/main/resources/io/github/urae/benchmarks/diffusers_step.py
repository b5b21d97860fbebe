"""Runs steps of FLUX.1's transformer through diffusers. One line in, one line out:

run         one step; answers its seconds
save FILE   the velocity of the last step as safetensors, float32; answers 'saved'

Answers begin with '=> '. The first one says what it runs on. Started by ./benchmark peers and scripts/gpu-check.
"""

import argparse
import sys
import time

import torch
from diffusers import FluxTransformer2DModel
from safetensors.torch import load_file, save_file

TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def answer(text):
    print(f"=> {text}", flush=True)


def describe(device, dtype):
    if device.type == "cuda":
        where = torch.cuda.get_device_name(device)
    else:
        blas = [line.split("BLAS_INFO=")[1].split(",")[0]
                for line in torch.__config__.show().splitlines() if "BLAS_INFO=" in line]
        where = f"{torch.get_num_threads()} threads, BLAS {blas[0] if blas else 'unknown'}, "
        where += f"CPU capability {torch.backends.cpu.get_cpu_capability()}"
    return f"PyTorch {torch.__version__} {dtype}, {where}"


def image_ids(rows, columns, device):
    ids = torch.zeros(rows, columns, 3, device=device)
    ids[..., 1] += torch.arange(rows, device=device)[:, None]
    ids[..., 2] += torch.arange(columns, device=device)[None, :]
    return ids.reshape(-1, 3)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", help="folder that holds transformer/")
    parser.add_argument("inputs", help="safetensors file with the inputs")
    parser.add_argument("rows", type=int, help="rows of image tokens")
    parser.add_argument("--dtype", choices=TYPES, default="f32")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device, dtype = torch.device(options.device), TYPES[options.dtype]

    model = FluxTransformer2DModel.from_pretrained(
        options.model, subfolder="transformer", torch_dtype=dtype).to(device).eval()
    inputs = {name: tensor.to(device, dtype) for name, tensor in load_file(options.inputs).items()}
    # As in the pipeline, which keeps it in float32.
    inputs["guidance"] = inputs["guidance"].float()
    image = inputs["hidden_states"].shape[1]
    text = inputs["encoder_hidden_states"].shape[1]
    ids = {"img_ids": image_ids(options.rows, image // options.rows, device),
           "txt_ids": torch.zeros(text, 3, device=device)}
    answer(describe(device, options.dtype))

    velocity = None
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "run":
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            start = time.perf_counter()
            with torch.inference_mode():
                velocity = model(**inputs, **ids, return_dict=False)[0]
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            answer(time.perf_counter() - start)
        elif command == "save":
            save_file({"velocity": velocity.float().cpu().contiguous()}, argument)
            answer("saved")
        else:
            sys.exit(f"unknown command {line!r}")


main()

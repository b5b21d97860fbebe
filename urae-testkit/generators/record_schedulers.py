"""Records what diffusers' flow-matching schedulers make of their options: noise levels, and latents of whole runs.

    python record_schedulers.py FIXTURES        (diffusers 0.39, torch 2.5, scipy 1.17)

FluxPipeline cannot run FlowMatchHeunDiscreteScheduler as it is, since that takes no sigmas; it is given the scheduler's own
timesteps here, as pipelines do that pass none.
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler, FluxImg2ImgPipeline, FluxPipeline
from diffusers.pipelines.flux import pipeline_flux, pipeline_flux_img2img
from PIL import Image
from safetensors.torch import save_file

ROOT = Path(sys.argv[1])
CHECKPOINT, GOLDEN = ROOT / "flux-tiny", ROOT / "golden"
PROMPTS = json.loads((Path(__file__).parent / "prompts.json").read_text())

DEV = {"base_image_seq_len": 256, "base_shift": 0.5, "max_image_seq_len": 4096, "max_shift": 1.15, "num_train_timesteps": 1000,
       "shift": 3.0, "use_dynamic_shifting": True}
OPTIONS = {
    "karras": {"use_karras_sigmas": True},
    "exponential": {"use_exponential_sigmas": True},
    "beta": {"use_beta_sigmas": True},
    "linear-shift": {"time_shift_type": "linear"},
    "terminal": {"shift_terminal": 0.02},
    "inverted": {"invert_sigmas": True},
    "trained-500": {"num_train_timesteps": 500},
    "static": {"use_dynamic_shifting": False},
    "static-beta-terminal": {"use_dynamic_shifting": False, "use_beta_sigmas": True, "shift_terminal": 0.1, "shift": 1.7},
    "karras-bounds": {"use_karras_sigmas": True, "sigma_min": 0.03, "sigma_max": 0.97},
    "linear-karras-inverted": {"time_shift_type": "linear", "use_karras_sigmas": True, "invert_sigmas": True},
    "other-numbers": {"base_shift": 0.3, "max_shift": 1.4, "base_image_seq_len": 64, "max_image_seq_len": 1024, "use_exponential_sigmas": True},
    "terminal-zero": {"shift_terminal": 0.0},
    "heun": {"_class_name": "FlowMatchHeunDiscreteScheduler"},
    "heun-shift-1": {"_class_name": "FlowMatchHeunDiscreteScheduler", "shift": 1.0, "use_karras_sigmas": True},
    "heun-trained-500": {"_class_name": "FlowMatchHeunDiscreteScheduler", "num_train_timesteps": 500},
}
# Option, strength of image to image, scale of true guidance.
RUNS = [(name, None, None) for name in OPTIONS if name not in ("terminal-zero", "heun-shift-1")] + [
    ("beta", 0.6, None), ("terminal", 0.35, None), ("heun", 0.6, None), ("karras", None, 2.5), ("heun", None, 2.5)]


def config(name):
    return {"_class_name": "FlowMatchEulerDiscreteScheduler", **DEV, **OPTIONS[name]}


def scheduler(name):
    folder = Path("/tmp/record_schedulers") / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scheduler_config.json").write_text(json.dumps(config(name)))
    kind = FlowMatchHeunDiscreteScheduler if name.startswith("heun") else FlowMatchEulerDiscreteScheduler
    return kind.from_pretrained(folder)


original = pipeline_flux.retrieve_timesteps


def retrieve_timesteps(scheduler, steps, device=None, timesteps=None, sigmas=None, **others):
    if isinstance(scheduler, FlowMatchHeunDiscreteScheduler):
        scheduler.set_timesteps(steps, device)
        return scheduler.timesteps, steps
    return original(scheduler, steps, device, timesteps, sigmas, **others)


def record_levels():
    rows = []
    for name in OPTIONS:
        for steps in (1, 2, 3, 8, 28):
            for tokens in (64, 4096, 16384):
                if "terminal" in name and name != "terminal-zero" and steps == 1:
                    continue  # 0/0
                s = scheduler(name)
                mu = pipeline_flux.calculate_shift(tokens, *(config(name)[k] for k in ("base_image_seq_len", "max_image_seq_len", "base_shift", "max_shift")))
                retrieve_timesteps(s, steps, sigmas=np.linspace(1.0, 1 / steps, steps), **({} if name.startswith("heun") else {"mu": mu}))
                assert torch.isfinite(s.sigmas).all(), (name, steps)
                rows.append({"name": name, "steps": steps, "image_tokens": tokens, "sigmas": s.sigmas.tolist(), "timesteps": s.timesteps.tolist()})
    return rows


def record_runs():
    tensors, rows = {}, []
    start = Image.open(GOLDEN / "cases/image-to-image-06-start.png")
    plain = FluxPipeline.from_pretrained(CHECKPOINT, torch_dtype=torch.float32)
    for name, strength, scale in RUNS:
        kind = FluxImg2ImgPipeline if strength else FluxPipeline
        pipeline = kind(**{**plain.components, "scheduler": scheduler(name)})
        pipeline.set_progress_bar_config(disable=True)
        arguments = dict(prompt=PROMPTS[1], height=128, width=128, num_inference_steps=6, guidance_scale=3.5, max_sequence_length=64,
                         generator=torch.Generator().manual_seed(4), output_type="latent")
        if strength:
            arguments |= dict(image=start, strength=strength)
        if scale:
            arguments |= dict(negative_prompt=PROMPTS[0], true_cfg_scale=scale)
        steps = []
        latents = pipeline(**arguments, callback_on_step_end=lambda p, i, t, k: steps.append(k["latents"].clone()) or {}).images
        assert torch.isfinite(latents).all()
        run = name + (f"-strength-{strength}" if strength else "") + (f"-scale-{scale}" if scale else "")
        tensors[run] = latents.contiguous()
        rows.append({"run": run, "name": name, "strength": strength, "scale": scale, "evaluations": len(steps)})
    save_file(tensors, GOLDEN / "schedulers.safetensors")
    return rows


def main():
    pipeline_flux.retrieve_timesteps = pipeline_flux_img2img.retrieve_timesteps = retrieve_timesteps
    result = {"configs": {name: config(name) for name in OPTIONS}, "levels": record_levels(), "prompt": PROMPTS[1], "negative_prompt": PROMPTS[0], "runs": record_runs()}
    (GOLDEN / "schedulers.json").write_text(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()

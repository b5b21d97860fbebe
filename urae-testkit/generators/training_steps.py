"""Thins what URAE's own, unmodified train_2k.py and train_4k.py (commit 030abeb) did with the small checkpoint to what tests
compare with: python training_steps.py RECORDED TARGET.

RECORDED holds {2k,4k}-{adamw,prodigy}.{json,safetensors} and optimizers.{json,safetensors}, recorded by hooks with torch 2.10.0,
diffusers 0.31.0, peft 0.14.0 and prodigyopt 1.1.2 in float32 on the CPU."""
import json, re, sys
from safetensors.torch import load_file, save_file

recorded, target = sys.argv[1:]
runs = {}
for stage in '2k', '4k':
    adamw, prodigy = (load_file(f'{recorded}/{stage}-{o}.safetensors') for o in ('adamw', 'prodigy'))
    kept = {k: v for k, v in adamw.items()
            if re.match(r'step\.\d/(noise|posterior_noise)|step\.2/hidden_states|step\.[1-3]/prediction|adapter\.0/|gradient\.', k)
            and v.abs().max() > 0}
    for name, run in ('adamw', adamw), ('prodigy', prodigy):
        kept.update({k.replace('adapter.5', f'adapter.{name}'): v for k, v in run.items() if k.startswith('adapter.5/')})
        log = json.load(open(f'{recorded}/{stage}-{name}.json'))
        runs[f'{stage}-{name}'] = {k: log[k] for k in ('losses', 'norms', 'u', 'files', 'd', 'ntk_factor', 'proportional_attention')}
        runs[f'{stage}-{name}']['files'] = log['files'][:10]
    save_file(kept, f'{target}/{stage}.safetensors')
json.dump(runs, open(f'{target}/steps.json', 'w'))
save_file(load_file(f'{recorded}/optimizers.safetensors'), f'{target}/optimizers.safetensors')
json.dump(json.load(open(f'{recorded}/optimizers.json')), open(f'{target}/optimizers.json', 'w'))

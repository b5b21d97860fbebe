/** The form: settings in, settings out. */

const find = (id) => document.getElementById(id);

let server = null;
let start = null;

export function prepare(description) {
  server = description;
  for (const side of ['width', 'height']) {
    const input = find(side);
    input.min = server.size_multiple;
    input.max = server.max_side;
    input.step = server.size_multiple;
    input.value = Math.min(server.native_size, server.max_side);
  }
  find('steps').max = server.max_steps;
  find('steps').value = server.default_steps;
  find('guidance-field').hidden = !server.guidance;
  find('prompt').maxLength = server.max_prompt_length;
  find('negative').maxLength = server.max_prompt_length;
  for (const format of server.formats) {
    find('format').add(new Option(format, format));
  }
  addPresets();
  addAdapters();
}

function addPresets() {
  const preset = find('preset');
  for (let side = server.native_size; side <= server.max_side; side *= 2) {
    preset.add(new Option(`${side} x ${side}`, `${side}x${side}`));
    const short = Math.round(side * 2 / 3 / server.size_multiple) * server.size_multiple;
    preset.add(new Option(`${side} x ${short}, wide`, `${side}x${short}`));
    preset.add(new Option(`${short} x ${side}, tall`, `${short}x${side}`));
  }
  preset.add(new Option('other', ''));
  preset.addEventListener('change', () => {
    if (preset.value) {
      setSize(preset.value);
      changed();
    }
  });
  for (const side of ['width', 'height']) {
    find(side).addEventListener('input', matchPreset);
  }
  matchPreset();
}

function setSize(size) {
  const [width, height] = size.split('x');
  find('width').value = width;
  find('height').value = height;
  matchPreset();
}

function matchPreset() {
  const size = `${find('width').value}x${find('height').value}`;
  const preset = find('preset');
  preset.value = [...preset.options].some((option) => option.value === size) ? size : '';
}

function addAdapters() {
  const set = find('adapters');
  set.hidden = server.adapters.length === 0;
  server.adapters.forEach((name, index) => {
    const row = document.createElement('div');
    row.className = 'adapter';
    const check = document.createElement('input');
    check.type = 'checkbox';
    check.id = `adapter-${index}`;
    check.dataset.name = name;
    const label = document.createElement('label');
    label.htmlFor = check.id;
    label.textContent = name;
    const scale = document.createElement('input');
    scale.type = 'number';
    scale.step = '0.05';
    scale.min = '-100';
    scale.max = '100';
    scale.value = '1';
    scale.setAttribute('aria-label', `Scale of ${name}`);
    row.append(check, label, scale);
    set.append(row);
  });
}

function adapters() {
  return [...find('adapters').querySelectorAll('.adapter')]
    .map((row) => [row.querySelector('[type=checkbox]'), row.querySelector('[type=number]')])
    .filter(([check]) => check.checked)
    .map(([check, scale]) => ({name: check.dataset.name, scale: Number(scale.value)}));
}

/** Returns what to ask the server for; a picture to start from is apart. */
export function settings() {
  const asked = {
    prompt: find('prompt').value,
    size: `${find('width').value}x${find('height').value}`,
    steps: Number(find('steps').value),
    n: Number(find('count').value),
    profile: find('profile').value,
    output_format: find('format').value,
    adapters: adapters(),
  };
  if (server.guidance) {
    asked.guidance = Number(find('guidance').value);
  }
  if (find('seed').value.trim()) {
    asked.seed = find('seed').value.trim();
  }
  if (find('negative').value.trim()) {
    asked.negative_prompt = find('negative').value;
    asked.true_cfg = Number(find('true-cfg').value);
  }
  if (start) {
    asked.strength = Number(find('strength').value);
  } else if (find('coarse').checked) {
    asked.coarse_to_fine = true;
  }
  return asked;
}

export function startPicture() {
  return start;
}

/** Fills the form with settings of a job or a picture. */
export function fill(given) {
  find('prompt').value = given.prompt ?? '';
  find('negative').value = given.negative_prompt ?? '';
  find('true-cfg').value = given.true_cfg ?? 2;
  if (given.size) {
    setSize(given.size);
  }
  find('steps').value = given.steps ?? server.default_steps;
  find('guidance').value = given.guidance ?? 3.5;
  find('seed').value = given.seed ?? '';
  find('keep-seed').checked = given.seed !== undefined;
  find('count').value = given.n ?? 1;
  find('profile').value = given.profile ?? 'auto';
  find('coarse').checked = Boolean(given.coarse_to_fine);
  if (given.output_format) {
    find('format').value = given.output_format;
  }
  if (given.strength) {
    find('strength').value = given.strength;
    find('strength-value').value = given.strength;
  }
  for (const row of find('adapters').querySelectorAll('.adapter')) {
    const check = row.querySelector('[type=checkbox]');
    const wanted = (given.adapters ?? []).find((adapter) => adapter.name === check.dataset.name);
    check.checked = Boolean(wanted);
    row.querySelector('[type=number]').value = wanted?.scale ?? 1;
  }
  changed();
}

export function setStart(picture) {
  start = picture;
  const image = find('start-picture');
  if (image.src) {
    URL.revokeObjectURL(image.src);
    image.removeAttribute('src');
  }
  if (picture) {
    image.src = URL.createObjectURL(picture);
    find('more').open = true;
  } else {
    find('start-file').value = '';
  }
  image.hidden = !picture;
  find('start-options').hidden = !picture;
  find('coarse').disabled = Boolean(picture);
  changed();
}

/** A seed is drawn anew unless it is to be kept. */
export function forgetSeed() {
  if (!find('keep-seed').checked) {
    find('seed').value = '';
  }
}

/** Marks the field that the server did not take. */
export function mark(parameter) {
  const fields = {
    prompt: 'prompt', size: 'width', steps: 'steps', guidance: 'guidance', seed: 'seed', n: 'count',
    negative_prompt: 'negative', true_cfg: 'true-cfg', strength: 'strength', image: 'start-file',
  };
  for (const id of Object.values(fields)) {
    find(id).removeAttribute('aria-invalid');
  }
  const field = find(fields[parameter] ?? '');
  if (field) {
    field.setAttribute('aria-invalid', 'true');
    field.focus();
  }
}

let hear = () => {};

export function onChange(listener) {
  hear = listener;
}

function changed() {
  hear();
}

find('form').addEventListener('input', changed);
find('strength').addEventListener('input', () => {
  find('strength-value').value = find('strength').value;
});
find('start-file').addEventListener('change', () => {
  if (find('start-file').files[0]) {
    setStart(find('start-file').files[0]);
  }
});
find('start-clear').addEventListener('click', () => setStart(null));

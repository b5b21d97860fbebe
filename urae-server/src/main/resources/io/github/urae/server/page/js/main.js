import * as api from './api.js';
import * as drawing from './drawing.js';
import * as form from './form.js';
import * as gallery from './gallery.js';
import * as plan from './plan.js';
import * as viewer from './viewer.js';

const find = (id) => document.getElementById(id);

function say(text) {
  find('message').textContent = text;
}

/** Asks for the key; tells whether there is a session now. */
api.onKeyNeeded(() => new Promise((resolve) => {
  const dialog = find('sign-in');
  find('sign-in-form').onsubmit = async (event) => {
    event.preventDefault();
    try {
      await api.openSession(find('key').value);
      find('key').value = '';
      dialog.close();
      resolve(true);
    } catch (refusal) {
      find('sign-in-message').textContent = refusal.message;
    }
  };
  dialog.oncancel = () => resolve(false);
  dialog.showModal();
}));

async function submit() {
  const asked = form.settings();
  const picture = form.startPicture();
  if (!picture) {
    return api.post('/v1/jobs', asked);
  }
  const parts = new FormData();
  for (const [name, value] of Object.entries(asked)) {
    parts.append(name, name === 'adapters' ? JSON.stringify(value) : value);
  }
  parts.append('image', picture, 'start');
  return api.postForm('/v1/jobs', parts);
}

async function draw() {
  // Disabled from here until the job has ended: keys that repeat ask once.
  if (find('draw').disabled || !find('form').reportValidity()) {
    return;
  }
  say('');
  form.mark(null);
  form.forgetSeed();
  find('draw').disabled = true;
  try {
    const job = await submit();
    await finish(job.id);
  } catch (refusal) {
    say(refusal.message);
    form.mark(refusal.parameter);
  } finally {
    find('draw').disabled = false;
  }
}

/** Follows a job to its end and shows what became of it. */
async function finish(id) {
  viewer.hide();
  const job = await drawing.follow(id);
  find('preview').hidden = true;
  if (job.status === 'completed') {
    find('status').textContent = 'Done';
    find('seed').value = job.settings.seed;
    gallery.add(job);
    await viewer.show(job, 0);
    plan.later();
  } else {
    find('status').textContent = job.status === 'cancelled' ? 'Cancelled' : 'Failed';
    say(job.error?.message ?? '');
  }
}

async function startFrom(path) {
  form.setStart(new File([await api.blob(path)], 'start', {type: 'image/png'}));
}

async function loadSettings(file) {
  say('');
  try {
    const settings = await api.postFile('/v1/settings', file);
    form.fill(settings);
    const missing = settings.missing_adapters;
    const notes = [];
    if (missing.length) {
      notes.push(`It was drawn with adapters that are not here: ${missing.join(', ')}.`);
    }
    if (settings.start_picture_needed) {
      notes.push('It was started from a picture, which its file does not hold.');
    }
    say(notes.join(' '));
    find('status').textContent = 'Settings loaded';
  } catch (refusal) {
    say(refusal.message);
  }
}

function listen() {
  find('form').addEventListener('submit', (event) => {
    event.preventDefault();
    draw();
  });
  find('cancel').addEventListener('click', () => {
    find('cancel').disabled = true;
    drawing.cancel().catch((refusal) => say(refusal.message));
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      draw();
    } else if (event.key === 'Escape' && !find('sign-in').open) {
      drawing.cancel().catch((refusal) => say(refusal.message));
    }
  });
  find('again').addEventListener('click', async () => {
    const {job} = viewer.current();
    form.setStart(null);
    form.fill(job.settings);
    if (job.start_picture) {
      await startFrom(job.start_picture);
    }
    await draw();
  });
  find('start-from').addEventListener('click', () => {
    const {job, index} = viewer.current();
    startFrom(job.result.pictures[index].url).catch((refusal) => say(refusal.message));
  });
  gallery.onOpen(async (job, index) => {
    if (!drawing.current()) {
      find('status').textContent = '';
      await viewer.show(job, index);
      find('drawing').scrollIntoView({block: 'nearest'});
      viewer.focus();
    }
  });
  find('settings-file').addEventListener('change', async () => {
    const file = find('settings-file').files[0];
    if (file) {
      await loadSettings(file);
      // So that the same one can be chosen again.
      find('settings-file').value = '';
    }
  });
  listenToDrops();
}

function listenToDrops() {
  const body = document.body;
  for (const name of ['dragenter', 'dragover']) {
    body.addEventListener(name, (event) => {
      event.preventDefault();
      body.classList.add('dropping');
    });
  }
  body.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) {
      body.classList.remove('dropping');
    }
  });
  body.addEventListener('drop', (event) => {
    event.preventDefault();
    body.classList.remove('dropping');
    const file = event.dataTransfer.files[0];
    if (!file) {
      return;
    }
    if (event.target.closest('#start')) {
      form.setStart(file);
    } else {
      loadSettings(file);
    }
  });
}

async function begin() {
  listen();
  const server = await api.get('/v1/server');
  find('model').textContent = server.model;
  form.prepare(server);
  form.onChange(plan.later);
  plan.later();
  await gallery.load();
  document.body.dataset.ready = 'true';
  const left = drawing.remembered();
  if (left) {
    await finish(left);
  }
}

begin().catch((failure) => say(failure.message));

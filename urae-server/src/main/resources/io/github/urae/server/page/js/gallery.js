/** What was drawn here, the newest first. */

import * as api from './api.js';

const list = document.getElementById('gallery');
const more = document.getElementById('more-pictures');
const PAGE = 24;

let open = () => {};
let last = null;

export function onOpen(listener) {
  open = listener;
}

export async function load() {
  const jobs = await api.get(`/v1/jobs?limit=${PAGE}${last ? `&before=${last}` : ''}`);
  for (const job of jobs.data) {
    last = job.number;
    if (job.status === 'completed') {
      list.append(...items(job));
    }
  }
  more.hidden = !jobs.has_more;
}

/** Puts the pictures of a job first. */
export function add(job) {
  list.prepend(...items(job));
  last ??= job.number;
}

function items(job) {
  return job.result.pictures.map((picture, index) => {
    const item = document.createElement('li');
    const button = document.createElement('button');
    button.type = 'button';
    button.dataset.job = job.id;
    const image = document.createElement('img');
    image.src = picture.thumbnail;
    image.loading = 'lazy';
    image.alt = '';
    const text = document.createElement('span');
    text.textContent = job.settings.prompt;
    const size = document.createElement('span');
    size.textContent = `${job.settings.size}, seed ${job.settings.seed}`;
    button.append(image, text, size);
    button.addEventListener('click', () => open(job, index));
    item.append(button);
    return item;
  });
}

more.addEventListener('click', async () => {
  more.disabled = true;
  try {
    await load();
  } finally {
    more.disabled = false;
  }
});

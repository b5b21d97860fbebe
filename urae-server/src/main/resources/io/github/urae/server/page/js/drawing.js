/** A job that is drawn: status, steps, previews. */

import * as api from './api.js';
import * as plan from './plan.js';
import {duration, stage} from './words.js';

const find = (id) => document.getElementById(id);
const CURRENT = 'urae.current-job';

let following = null;

/** The job that is followed; null for none. */
export function current() {
  return following;
}

/** The job that was followed when the page was left. */
export function remembered() {
  return sessionStorage.getItem(CURRENT);
}

export async function cancel() {
  if (following) {
    await api.post(`/v1/jobs/${following}/cancel`);
  }
}

/** Follows a job to its end; returns it. */
export async function follow(id) {
  following = id;
  sessionStorage.setItem(CURRENT, id);
  begin();
  let job = null;
  try {
    for (let attempt = 0; job === null; attempt++) {
      try {
        await api.events(`/v1/jobs/${id}/events?previews=true`, (name, data) => {
          if (name === 'end') {
            job = data;
          } else if (name === 'status') {
            tell(data);
          } else if (name === 'preview') {
            preview(data);
          }
        });
        if (job === null) {
          job = await ended(id);
        }
      } catch (failure) {
        if (failure instanceof api.Refusal || attempt >= 20) {
          throw failure;
        }
        find('status').textContent = 'The connection is lost; trying again ...';
        await new Promise((resolve) => setTimeout(resolve, 2000));
      }
    }
  } finally {
    following = null;
    sessionStorage.removeItem(CURRENT);
    end();
  }
  return job;
}

async function ended(id) {
  const job = await api.get(`/v1/jobs/${id}`);
  return ['queued', 'generating'].includes(job.status) ? null : job;
}

function begin() {
  find('drawing').setAttribute('aria-busy', 'true');
  find('draw').disabled = true;
  find('cancel').hidden = false;
  find('cancel').disabled = false;
  find('progress').removeAttribute('value');
  find('progress').hidden = false;
  find('preview').hidden = true;
  find('status').textContent = 'Asked for';
  showStages(null);
}

function end() {
  find('drawing').setAttribute('aria-busy', 'false');
  find('draw').disabled = false;
  find('cancel').hidden = true;
  find('progress').hidden = true;
  find('stages').replaceChildren();
}

function showStages(current) {
  find('stages').replaceChildren(...plan.latestPhases().map((phase) => {
    const item = document.createElement('li');
    const seconds = phase.seconds === null ? '' : `: ${duration(phase.seconds)}`;
    item.textContent = `${stage(phase.stage, phase.component)}${seconds}`;
    if (current && phase.stage === current.stage) {
      item.setAttribute('aria-current', 'step');
    }
    return item;
  }));
}

let told = '';

function tell(data) {
  const progress = data.progress;
  let text = data.status;
  if (data.status === 'queued') {
    text = data.queue_position ? `Waiting: ${data.queue_position} before this one` : 'Waiting';
  } else if (data.status === 'generating') {
    text = progress.stage ? stage(progress.stage, progress.component) : 'Beginning';
    if (progress.stage && progress.total > 1) {
      text += ` ${progress.done} of ${progress.total}`;
    }
    if (progress.remaining_seconds !== undefined) {
      text += `, ${duration(progress.remaining_seconds)} left`;
    }
    if (progress.steps) {
      find('progress').max = progress.steps;
      find('progress').value = progress.step;
    }
    showStages(progress);
  }
  if (text !== told) {
    told = text;
    find('status').textContent = text;
  }
}

async function preview(data) {
  const bytes = Uint8Array.from(atob(data.b64_json), (character) => character.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes], {type: data.media_type}));
  const canvas = find('preview');
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext('2d').drawImage(picture, 0, 0);
  canvas.setAttribute('aria-label', `Preview after step ${data.step}`);
  canvas.dataset.step = data.step;
  canvas.hidden = following === null;
}

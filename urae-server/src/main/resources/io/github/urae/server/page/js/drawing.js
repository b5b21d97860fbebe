/** A job that is drawn: status, steps, previews. */

import * as api from './api.js';
import * as plan from './plan.js';
import {duration, stage} from './words.js';

const find = (id) => document.getElementById(id);
const CURRENT = 'urae.current-job';

/** Five minutes: a server that is started anew may have to load a large model. */
const MOST_FAILURES = 150;

let following = null;

/** What the job goes through, and where it is. */
let phases = [];
let reached = 0;

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
  let failures = 0;
  try {
    while (job === null) {
      try {
        const now = await api.get(`/v1/jobs/${id}`);
        await plan.phases(now.settings).then(setPhases);
        if (isEnded(now)) {
          job = now;
          break;
        }
        await api.events(`/v1/jobs/${id}/events?previews=true`, (name, data) => {
          failures = 0;
          if (name === 'end') {
            job = isEnded(data) ? data : null;
          } else if (name === 'status') {
            tell(data);
          } else if (name === 'preview') {
            preview(data);
          }
        });
        if (job === null) {
          // Not the job has ended but the server: it goes on after the next start.
          await lost(2);
        }
      } catch (failure) {
        const refused = failure instanceof api.Refusal;
        if (++failures > MOST_FAILURES || (refused && !failure.retryAfter)) {
          throw failure;
        }
        if (!refused) {
          await lost(2);
        } else {
          find('status').textContent = 'Many follow their pictures; asking again ...';
          await pause(Number(failure.retryAfter));
        }
      }
    }
  } finally {
    following = null;
    sessionStorage.removeItem(CURRENT);
    end();
  }
  return job;
}

function isEnded(job) {
  return !['queued', 'generating'].includes(job.status);
}

async function lost(seconds) {
  find('status').textContent = 'The connection is lost; trying again ...';
  await pause(seconds);
}

function pause(seconds) {
  return new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
}

function setPhases(found) {
  phases = found;
  reached = 0;
  showStages(null);
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
  setPhases([]);
}

function end() {
  find('drawing').setAttribute('aria-busy', 'false');
  find('draw').disabled = false;
  find('cancel').hidden = true;
  find('progress').hidden = true;
  find('stages').replaceChildren();
}

/** Shows what is done, what is left of the present stage, and what the later ones are to take. */
function showStages(progress) {
  if (progress) {
    const found = phases.findIndex((phase, index) => index >= reached && isOf(phase, progress));
    reached = found < 0 ? reached : found;
  }
  find('stages').replaceChildren(...phases.map((phase, index) => {
    const item = document.createElement('li');
    const now = progress && index === reached && isOf(phase, progress);
    const seconds = now ? progress.remaining_seconds ?? null : phase.seconds;
    let text = `${stage(phase.stage, phase.component)}${phase.draft ? ' of the draft' : ''}`;
    if (progress && index < reached) {
      text += ': done';
    } else if (seconds !== null) {
      text += `: ${duration(seconds)}${now ? ' left' : ''}`;
    }
    item.textContent = text;
    if (now) {
      item.setAttribute('aria-current', 'step');
    }
    return item;
  }));
}

function isOf(phase, progress) {
  return phase.stage === progress.stage
    && (!progress.component || phase.component === progress.component);
}

/** What is left of all stages; null where that is not known. */
function remaining(progress) {
  const present = progress.remaining_seconds ?? null;
  const later = phases.slice(reached + 1).map((phase) => phase.seconds);
  return phases.length === 0 || present === null || later.includes(null)
    ? null
    : later.reduce((sum, seconds) => sum + seconds, present);
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
    showStages(progress);
    const left = remaining(progress);
    if (left !== null) {
      text += `, ${duration(left)} left in all`;
    } else if (progress.remaining_seconds !== undefined) {
      text += `, ${duration(progress.remaining_seconds)} left`;
    }
    if (progress.steps) {
      find('progress').max = progress.steps;
      find('progress').value = progress.step;
    }
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

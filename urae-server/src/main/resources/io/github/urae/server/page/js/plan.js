/** What a picture takes, told before it is drawn. */

import * as api from './api.js';
import * as form from './form.js';
import {bytes, duration, stage} from './words.js';

const place = document.getElementById('plan');
const PAUSE = 300;

let timer = 0;
let latest = 0;

export function later() {
  clearTimeout(timer);
  timer = setTimeout(show, PAUSE);
}

/** What a job of these settings goes through, with seconds; nothing where that is not known. */
export async function phases(settings) {
  const asked = {...settings, strength: undefined};
  try {
    return (await api.post('/v1/plan', asked)).phases;
  } catch (failure) {
    if (failure instanceof api.Refusal) {
      return [];
    }
    throw failure;
  }
}

async function show() {
  const asked = {...form.settings(), prompt: form.settings().prompt.trim() || 'a picture'};
  delete asked.strength;
  const mine = ++latest;
  try {
    const plan = await api.post('/v1/plan', asked);
    if (mine === latest) {
      tell(plan);
    }
  } catch (refusal) {
    if (mine === latest) {
      place.classList.add('tight');
      place.textContent = refusal.message;
    }
  }
}

function tell(plan) {
  place.classList.toggle('tight', !plan.fits);
  place.replaceChildren();
  const waiting = plan.queued + plan.running;
  add(
    `${plan.size}: ${bytes(plan.peak_bytes)} of memory (${bytes(plan.memory_bytes)} free), `
      + `${plan.seconds === null ? 'time not known before the first picture' : `about ${duration(plan.seconds)}`}`
      + `${waiting ? `, after ${waiting} other${waiting > 1 ? 's' : ''}` : ''}.`);
  if (plan.seconds !== null) {
    const long = plan.phases.filter((phase) => phase.seconds >= 0.5);
    if (long.length > 1) {
      add(long.map((phase) => `${stage(phase.stage)}${phase.draft ? ' of the draft' : ''} ${duration(phase.seconds)}`).join(', '));
    }
  }
  if (!plan.fits) {
    add(plan.would_fit
      ? `It does not fit. ${plan.would_fit.size} would, with ${bytes(plan.would_fit.peak_bytes)}.`
      : 'It does not fit.');
  }
}

function add(text) {
  const line = document.createElement('div');
  line.textContent = text;
  place.append(line);
}

/** Calls of the server. Whoever is not known yet is asked for the key, and the call is made again. */

export class Refusal extends Error {
  constructor(status, error, retryAfter) {
    super(error?.message ?? `The server answered ${status}`);
    this.status = status;
    this.parameter = error?.param ?? null;
    this.code = error?.code ?? null;
    this.retryAfter = retryAfter;
  }
}

let askForKey = async () => false;

/** Sets what asks for the key; tells whether there is a session now. */
export function onKeyNeeded(ask) {
  let asking = null;
  // Calls that are refused side by side wait for one answer.
  askForKey = () => asking ??= ask().finally(() => {
    asking = null;
  });
}

async function call(path, options = {}) {
  for (;;) {
    const response = await fetch(path, options);
    if (response.ok) {
      return response;
    }
    let error = null;
    try {
      error = (await response.json()).error;
    } catch {
      // An answer of something between here and the server.
    }
    if (response.status !== 401 || options.noAsking || !(await askForKey())) {
      throw new Refusal(response.status, error, response.headers.get('Retry-After'));
    }
  }
}

export async function get(path) {
  return (await call(path)).json();
}

export async function post(path, body) {
  const json = body === undefined ? {} : {
    headers: {'Content-Type': 'application/json'},
    body: JSON.stringify(body),
  };
  return (await call(path, {method: 'POST', ...json})).json();
}

export async function postForm(path, form) {
  return (await call(path, {method: 'POST', body: form})).json();
}

export async function postFile(path, file) {
  const headers = {'Content-Type': file.type || 'application/octet-stream'};
  return (await call(path, {method: 'POST', headers, body: file})).json();
}

export async function blob(path) {
  return (await call(path)).blob();
}

export async function openSession(key) {
  const headers = {Authorization: `Bearer ${key}`};
  await call('/v1/session', {method: 'POST', headers, noAsking: true});
}

/** Reads server-sent events until the server ends them; calls `hear(name, data)` for each. */
export async function events(path, hear, signal) {
  const response = await call(path, {signal});
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const {value, done} = await reader.read();
    if (done) {
      return;
    }
    rest += value;
    const whole = rest.split('\n\n');
    rest = whole.pop();
    for (const text of whole) {
      const event = /^event: (.*)\ndata: ([\s\S]*)$/.exec(text);
      if (event) {
        hear(event[1], JSON.parse(event[2]));
      }
    }
  }
}

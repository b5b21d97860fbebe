/** Numbers as people read them. */

export function duration(seconds) {
  if (seconds === null || seconds === undefined) {
    return 'unknown';
  }
  if (seconds < 1) {
    return 'under a second';
  }
  if (seconds < 90) {
    return `${Math.round(seconds)} s`;
  }
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

export function bytes(count) {
  const gigabytes = count / 2 ** 30;
  return gigabytes >= 1 ? `${gigabytes.toFixed(1)} GB` : `${Math.max(1, Math.round(count / 2 ** 20))} MB`;
}

export function stage(id, component) {
  const name = id.replaceAll('_', ' ');
  return component ? `${name} (${component.replaceAll('_', ' ')})` : name;
}

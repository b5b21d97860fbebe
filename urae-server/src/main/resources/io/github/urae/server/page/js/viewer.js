/** Pictures in tiles: what is looked at is fetched, and no more. */

const find = (id) => document.getElementById(id);

let library = null;
let viewer = null;
let shown = null;

function load() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = '/openseadragon/openseadragon.min.js';
    script.onload = () => resolve(window.OpenSeadragon);
    script.onerror = () => reject(new Error('the viewer could not be loaded'));
    document.head.append(script);
  });
  return library;
}

/** Shows a picture of a job. */
export async function show(job, index) {
  const picture = job.result.pictures[index];
  const [width, height] = job.settings.size.split('x').map(Number);
  shown = {job, index};
  find('result').hidden = false;
  find('preview').hidden = true;
  find('download').href = picture.url;
  find('download').textContent = `Save (${job.settings.output_format.toUpperCase()})`;
  find('caption').textContent = caption(job);
  const OpenSeadragon = await load();
  if (!viewer) {
    viewer = OpenSeadragon({
      element: find('viewer'),
      showNavigationControl: false,
      maxZoomPixelRatio: 8,
      visibilityRatio: 0.5,
      animationTime: matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : 0.5,
    });
    // The element inside listens to keys.
    viewer.canvas.setAttribute('role', 'application');
    viewer.canvas.setAttribute('aria-label', 'The picture: arrows move it, plus and minus zoom');
    viewer.addHandler('open', () => {
      busy(true);
      viewer.world.getItemAt(0).addHandler('fully-loaded-change', (event) => busy(!event.fullyLoaded));
    });
  }
  viewer.open({
    width,
    height,
    tileSize: 256,
    tileOverlap: 0,
    getTileUrl: (level, x, y) => `${picture.tiles.replace('.dzi', '_files')}/${level}/${x}_${y}.jpg`,
  });
}

function busy(now) {
  find('viewer').setAttribute('aria-busy', String(now));
}

function caption(job) {
  const settings = job.settings;
  const parts = [`${settings.size}`, `seed ${settings.seed}`];
  if (settings.steps) {
    parts.push(`${settings.steps} steps`);
  }
  if (settings.guidance !== undefined) {
    parts.push(`guidance ${settings.guidance}`);
  }
  if (settings.profile && settings.profile !== 'auto') {
    parts.push(`${settings.profile} profile`);
  }
  if (settings.coarse_to_fine) {
    parts.push('coarse to fine');
  }
  if (settings.strength !== undefined) {
    parts.push(`from a picture, ${settings.strength} of it changed`);
  }
  for (const adapter of settings.adapters) {
    parts.push(`${adapter.name} ${adapter.scale}`);
  }
  const without = settings.negative_prompt
    ? `\nwithout: ${settings.negative_prompt} (weight ${settings.true_cfg})` : '';
  return `${settings.prompt}${without}\n${parts.join(', ')}`;
}

/** The picture that is shown: its job and index. */
export function current() {
  return shown;
}

/** Lets keys move and zoom the picture. */
export function focus() {
  viewer?.canvas.focus({preventScroll: true});
}

export function hide() {
  shown = null;
  find('result').hidden = true;
}

const zoom = (factor) => viewer?.viewport.zoomBy(factor).applyConstraints();
find('zoom-in').addEventListener('click', () => zoom(1.5));
find('zoom-out').addEventListener('click', () => zoom(1 / 1.5));
find('zoom-home').addEventListener('click', () => viewer?.viewport.goHome());
find('zoom-full').addEventListener('click', () =>
  viewer?.viewport.zoomTo(viewer.viewport.imageToViewportZoom(1)).applyConstraints());

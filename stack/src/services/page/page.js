// The page of a running stack. All content of the application is put in as text, never as HTML.
'use strict';

const find = (at) => document.querySelector(at);

/** An element with attributes and children; a string becomes text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Sets a text only if it differs, so that a selection stays. */
const tell = (element, text) => { if (element.textContent !== text) element.textContent = text; };

const plural = (count, what) => `${count} ${what}${count === 1 ? '' : 's'}`;

async function ask(path, options) {
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message ?? `status ${response.status}`);
  return answer;
}

const post = (path, body) => ask(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

/** Elements by their key: each poll changes what is there and adds what is new. */
const known = new Map();
function once(key, into, create) {
  if (!known.has(key)) {
    const created = create();
    known.set(key, created);
    into.append(created.element ?? created);
  }
  return known.get(key);
}

/** A part that is filled, and filled again every `every` milliseconds, while it is open; an address that ends with its id opens it. */
function foldable(id, summary, every, fill) {
  const inside = make('div', { class: 'inside' });
  const element = make('details', { id }, summary, inside);
  let timer = null;
  const again = async () => {
    clearTimeout(timer);
    if (!element.open) return;
    if (!document.hidden) await fill(inside);
    if (every > 0) timer = setTimeout(again, every);
  };
  element.addEventListener('toggle', again);
  if (decodeURIComponent(location.hash) === `#${id}`) element.open = true;
  return { element };
}

// Routes

const PARAMETER = /\{([^}]+)\}/g;
const WITH_BODY = ['POST', 'PUT', 'PATCH', 'DELETE', 'ANY'];

function field(form, label, control) {
  form.append(make('label', {}, label, control));
  return control;
}

function pathOf(resource, values) {
  if (resource === '$default') return values.get('path').value || '/';
  const value = (name) => values.get(name).value;
  return resource.replace(PARAMETER, (_, name) => (name.endsWith('+') ? encodeURI(value(name)) : encodeURIComponent(value(name))));
}

function headersOf(text) {
  return text.split('\n').filter((line) => line.includes(':')).map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
}

function answerOf(into, answer) {
  const good = answer.status < 400 ? 'good' : 'bad';
  const headers = answer.headers.map(([name, value]) => `${name}: ${value}`).join('\n');
  let body = answer.body;
  try { body = JSON.stringify(JSON.parse(body), null, 2); } catch { /* not JSON: as it is */ }
  into.replaceChildren(
    make('p', {}, make('span', { class: `status ${good}` }, String(answer.status)), ` in ${answer.milliseconds.toFixed(1)} ms, ${plural(answer.bytes, 'byte')}`),
    make('pre', { class: 'headers' }, headers),
    make('pre', { class: 'body' }, body === null ? `${plural(answer.bytes, 'byte')} that are not text` : body),
  );
}

function routeForm(inside, api, route) {
  const form = make('form');
  const method = route.method === 'ANY'
    ? field(form, 'method', make('select', {}, ...['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'].map((it) => make('option', {}, it))))
    : null;
  const names = route.resource === '$default' ? ['path'] : [...route.resource.matchAll(PARAMETER)].map((match) => match[1]);
  const values = new Map(names.map((name) => [name, field(form, name, make('input', { name, autocomplete: 'off' }))]));
  const query = field(form, 'query', make('input', { placeholder: 'name=value&other=value', autocomplete: 'off' }));
  const preset = [route.key_required && api.key ? `x-api-key: ${api.key}` : null, WITH_BODY.includes(route.method) ? 'content-type: application/json' : null];
  const headers = field(form, 'headers, one a line', make('textarea', { rows: 2 }));
  headers.value = preset.filter((line) => line !== null).join('\n');
  const body = WITH_BODY.includes(route.method) ? field(form, 'body', make('textarea', { rows: 4 })) : null;
  const button = make('button', {}, 'Send');
  const answer = make('div', { 'aria-live': 'polite' });
  form.append(button, answer);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const path = pathOf(route.resource, values) + (query.value ? `?${query.value.replace(/^\?/, '')}` : '');
      const sent = { api: api.name, method: method?.value ?? route.method, path, headers: headersOf(headers.value), body: body?.value ?? '' };
      answerOf(answer, await post('/brownout/send', sent));
    } catch (why) {
      answer.replaceChildren(make('p', { class: 'problem' }, why.message));
    }
    button.disabled = false;
  });
  inside.replaceChildren(form);
}

function showApi(api) {
  const into = find('#apis .list');
  const box = once(`api ${api.name}`, into, () => make('div', {}, make('h3', {}, `${api.name} (${api.kind}) `, make('code', {}, api.base))));
  for (const route of api.routes) {
    once(`route ${api.name} ${route.method} ${route.resource}`, box, () => {
      const guard = route.authorizer ? `, authorizer ${route.authorizer}` : '';
      const summary = make('summary', {}, make('span', { class: 'method' }, route.method), make('span', { class: 'name' }, route.resource),
        make('span', { class: 'note' }, `→ ${route.to}${guard}`));
      return foldable(`route/${api.name}/${route.method}${route.resource}`, summary, 0, (inside) => { if (!inside.firstChild) routeForm(inside, api, route); });
    });
  }
}

// Functions

const MOST_LETTERS = 400000;

function logOf(name) {
  let next = null;
  const log = make('pre', { class: 'log', tabindex: 0 });
  return async (inside) => {
    if (!inside.firstChild) inside.append(log);
    try {
      const piece = await ask(`/brownout/log?function=${encodeURIComponent(name)}${next === null ? '' : `&after=${next}`}`);
      next = piece.next;
      if (!piece.text && !log.textContent) log.dataset.empty = 'true';
      if (!piece.text) return;
      const follows = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
      log.append(piece.text);
      if (log.textContent.length > MOST_LETTERS) log.textContent = log.textContent.slice(-MOST_LETTERS / 2);
      if (follows) log.scrollTop = log.scrollHeight;
    } catch { /* the state at the top says that the stack does not answer */ }
  };
}

function showFunction(it) {
  const shown = once(`function ${it.name}`, find('#functions .list'), () => {
    const note = make('span', { class: 'note' });
    const problem = it.missing ? make('span', { class: 'problem' }, it.missing) : null;
    const summary = make('summary', {}, make('span', { class: 'name' }, it.name), make('span', { class: 'note' }, it.runtime), note, problem);
    return { ...foldable(`function/${it.name}`, summary, 1000, logOf(it.name)), note };
  });
  const { all, starting, running, waiting } = it.environments;
  const parts = [plural(all, 'environment'), running && `${running} running`, starting && `${starting} starting`, waiting && `${plural(waiting, 'event')} waiting`];
  tell(shown.note, it.missing ? '' : parts.filter(Boolean).join(', '));
}

// Services

function cellOf(service, cell, open) {
  if (cell.opens) return make('button', { type: 'button', onclick: () => open(cell.opens.thing) }, cell.opens.text);
  if (cell.object) {
    const path = [cell.object.bucket, ...cell.object.key.split('/')].map(encodeURIComponent).join('/');
    return make('a', { href: `/brownout/objects/${path}`, target: '_blank', rel: 'noopener' }, cell.object.key);
  }
  return make('div', {}, cell.text);
}

/** The rows of a thing, or those of a part of it that was opened. */
function rowsOf(service, name) {
  let [thing, from, last] = [name, 0, ''];
  return async function fill(inside) {
    try {
      const rows = await ask(`/brownout/rows?service=${service}&thing=${encodeURIComponent(thing)}&from=${from}`);
      const now = JSON.stringify([thing, from, rows]);
      if (now === last) return;
      last = now;
      const go = (to, at) => { [thing, from] = [to, at]; fill(inside); };
      const head = make('tr', {}, ...rows.columns.map((column) => make('th', { scope: 'col' }, column)));
      const long = (cell) => (cell.text ?? '').length > 40;
      const body = rows.rows.map((row) => make('tr', {}, ...row.map((cell, at) => make('td', { class: long(cell) ? 'long' : null, 'data-column': rows.columns[at] }, cellOf(service, cell, (to) => go(to, 0))))));
      const pages = make('p', { class: 'pages' },
        make('button', { type: 'button', disabled: from === 0, onclick: () => go(thing, Math.max(0, from - 50)) }, 'Back'),
        `${from + 1} to ${from + rows.rows.length} of ${rows.total}`,
        make('button', { type: 'button', disabled: from + rows.rows.length >= rows.total, onclick: () => go(thing, from + rows.rows.length) }, 'Next'));
      inside.replaceChildren(
        ...(thing === name ? [] : [make('p', { class: 'pages' }, make('button', { type: 'button', onclick: () => go(name, 0) }, `All of ${name}`), thing)]),
        rows.rows.length ? make('div', { class: 'scroll' }, make('table', {}, make('thead', {}, head), make('tbody', {}, ...body))) : make('p', { class: 'empty' }, 'empty'),
        ...(rows.total > rows.rows.length ? [pages] : []));
    } catch (why) {
      inside.replaceChildren(make('p', { class: 'problem' }, why.message));
      last = '';
    }
  };
}

function fireButton(rule) {
  const button = make('button', { type: 'button' }, 'Fire now');
  button.addEventListener('click', async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const fired = await post('/brownout/fire-schedule', { rule });
      button.textContent = `Fired at ${plural(fired.targets, 'target')}`;
    } catch (why) {
      button.textContent = why.message;
    }
    setTimeout(() => { button.textContent = 'Fire now'; button.disabled = false; }, 1500);
  });
  return button;
}

function showService(service) {
  const box = once(`service ${service.name}`, find('#services'), () => make('section', { id: `service-${service.name}` }, make('h2', {}, service.title)));
  for (const thing of service.things) {
    const shown = once(`thing ${service.name} ${thing.kind} ${thing.name}`, box, () => {
      const [count, note] = [make('span', { class: 'count' }), make('span', { class: 'note' })];
      const summary = make('summary', {}, make('span', { class: 'note' }, thing.kind), make('span', { class: 'name' }, thing.name), count, note,
        thing.fires ? fireButton(thing.name) : null);
      return { ...foldable(`${service.name}/${thing.name}`, summary, 2000, rowsOf(service.name, thing.name)), count, note };
    });
    tell(shown.count, String(thing.count));
    tell(shown.note, thing.note);
  }
}

/** Services that hold nothing, or whose content is not shown. */
function showRest(services) {
  const line = ({ title, things, operations }) => {
    const calls = operations.length ? `; faults can strike ${operations.join(', ')}` : '';
    return things === null ? `${title}: answers calls; what it holds is not shown here${calls}` : `${title}: holds nothing of this stack${calls}`;
  };
  const lines = services.map(line);
  const list = find('#rest ul');
  if (list.dataset.now === lines.join('\n')) return;
  list.dataset.now = lines.join('\n');
  list.replaceChildren(...lines.map((text) => make('li', {}, text)));
}

// All of it

function contents() {
  const sections = [...document.querySelectorAll('main section')].filter((section) => !section.hidden);
  const links = sections.map((section) => [section.id, section.querySelector('h2').textContent]);
  const nav = find('#contents');
  if (nav.dataset.now === JSON.stringify(links)) return;
  nav.dataset.now = JSON.stringify(links);
  nav.replaceChildren(...links.map(([id, title]) => make('a', { href: `#${id}` }, title)));
}

function showPlaces(places) {
  const list = find('#places dl');
  for (const place of places) {
    once(`place ${place.name}`, list, () => make('dt', {}, place.name));
    once(`address ${place.name}`, list, () => make('dd', {}, make('code', {}, place.address)));
  }
}

function show({ stack, services }) {
  if (stack) {
    showPlaces(stack.places);
    stack.apis.forEach(showApi);
    stack.functions.forEach(showFunction);
    find('#places').hidden = false;
    find('#apis').hidden = stack.apis.length === 0;
    find('#functions').hidden = stack.functions.length === 0;
  }
  const holds = (service) => service.things !== null && service.things.some((thing) => thing.kind !== 'list' || thing.count > 0);
  services.filter(holds).forEach(showService);
  showRest(services.filter((service) => !holds(service) && !known.has(`service ${service.name}`)));
  find('#rest').hidden = false;
  contents();
}

async function poll() {
  const state = find('#state');
  try {
    if (!document.hidden) {
      const answer = await ask('/brownout/stack');
      show(answer);
      tell(state, answer.stack ? 'the stack is up' : 'the stack starts');
      state.className = 'good';
    }
  } catch (why) {
    tell(state, 'the stack does not answer');
    state.className = 'bad';
  }
  setTimeout(poll, 2000);
}

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) document.querySelectorAll('details[open]').forEach((details) => details.dispatchEvent(new Event('toggle')));
});
poll();

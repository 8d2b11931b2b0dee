// Draws the page. All content is untrusted: it becomes text and nothing else.
const $ = (id) => document.getElementById(id);
const { rows, spans, notes, title } = JSON.parse($("data").textContent);
const n = rows.length, list = $("list"), detail = $("detail"), canvas = $("canvas"), overview = $("overview");
const classes = document.body.classList, root = document.documentElement;

// Shapes in a box of 16 by 16.
const RING = "M8 2a6 6 0 100 12A6 6 0 008 2z";
const SHAPES = {
  thread: "M3 2v12M3 4h10M3 8h7M3 12h10", run: "M5 3l8 5-8 5z", message: "M2 3h12v8H7l-3 3v-3H2z",
  function: "M11 2.5c-3-1-3 2-3.5 5.5S7 14 4 13.5M5 7h6", code: "M5 4L1 8l4 4M11 4l4 4-4 4",
  search: "M7 2a5 5 0 100 10A5 5 0 007 2zM11 11l3.5 3.5", mcp: "M4 4h8v8H4zM1 8h3M12 8h3",
  agent: "M8 8a3 3 0 100-6 3 3 0 000 6zM2 15c0-5 3-5 6-5s6 0 6 5", mixed: "M2 4h12M2 8h12M2 12h12",
  other: "M8 2l6 6-6 6-6-6z", completed: "M3 8.5L6.5 12 13 4", failed: "M4 4l8 8M12 4l-8 8",
  incomplete: RING + "M8 2v12", expired: RING + "M8 5v3l2.5 2", cancelled: RING + "M4 12l8-8",
  cancelling: RING + "M4 12l8-8", requires_action: "M8 2v8M8 13.5v.1", in_progress: "M3 8h.1M8 8h.1M13 8h.1",
  queued: RING, unknown: "M5 6c0-5 6-4 6-1 0 2-3 2-3 5M8 13.5v.1",
};
const STATUSES = ["failed", "expired", "incomplete", "requires_action", "cancelled", "cancelling", "in_progress", "queued", "completed"];
const known = (status) => (STATUSES.includes(status) ? status : "unknown");

const el = (tag, props, ...children) => {
  const node = document.createElement(tag);
  for (const key in props) key in node ? (node[key] = props[key]) : node.setAttribute(key, props[key]);
  node.append(...children);
  return node;
};
const shape = (name) => {
  const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  svg.setAttribute("viewBox", "0 0 16 16");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
};
const words = (text = "") => text.replaceAll("_", " ");
const show = (number) => number.toLocaleString();
const count = (number, one) => `${show(number)} ${one}${number === 1 ? "" : "s"}`;
const attempt = (act) => { try { return act(); } catch { /* what a frame may not do, or no JSON */ } };
const parse = (text) => attempt(() => JSON.parse(text));
const timed = (row) => row.at !== undefined;
const percent = (part) => part * 100 + "%";

// Times are seconds since 1970, most of them whole.
const date = (t) => new Date(t * 1000);
const format = (options) => { const made = new Intl.DateTimeFormat(undefined, { hourCycle: "h23", ...options }); return (t) => made.format(date(t)); };
const day = format({ dateStyle: "medium" }), brief = format({ month: "short", day: "numeric" }), clock = format({ timeStyle: "medium" }), full = format({ dateStyle: "medium", timeStyle: "long" });
const lasting = (s) => {
  if (s < 1) return s > 0.005 ? `${s.toFixed(2)} s` : "< 1 s";
  if (s < 60) return `${s % 1 ? s.toFixed(1) : s} s`;
  const m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
  return d ? `${d} d ${h % 24} h` : h ? `${h} h ${m % 60} m` : `${m} m ${Math.floor(s % 60)} s`;
};
const timeText = (row) => {
  if (!timed(row) || row.is === "message") return "";
  const text = lasting(row.to - row.at);
  return row.unsaid ? "?" : row.live ? text + "\u2026" : row.is === "call" && text[0] !== "<" ? "\u2264 " + text : text;
};

// Rows stand in order, each below what it belongs to: a tree.
const up = new Int32Array(n).fill(-1), end = new Int32Array(n).fill(n), runOf = new Int32Array(n).fill(-1);
const keys = [], byKey = new Map(), callers = new Map(), open = [], closed = new Set();
rows.forEach((row, i) => {
  while (open.length && rows[open.at(-1)].depth >= row.depth) end[open.pop()] = i;
  const parent = (up[i] = open.at(-1) ?? -1);
  open.push(i);
  runOf[i] = row.is === "run" ? i : parent < 0 ? -1 : runOf[parent];
  let key = row.id || `${keys[parent] ?? row.is}/${row.n ?? i}`;
  if (byKey.has(key)) key += "~" + i;
  byKey.set((keys[i] = key), i);
  if (row.child) callers.set(row.child, i);
  if (row.shared === 1) closed.add(parent); // a step that is one call shows it in its own row
});
const runs = rows.filter((row) => row.is === "run");

// The axis of all time: busy spans, the pauses between them folded to one width.
const busy = spans.reduce((sum, [a, b]) => sum + b - a, 0), unit = Math.max(1, busy / 400);
const pause = Math.max(busy, spans.length) * Math.min(0.025, 0.3 / spans.length);
const froms = spans.map(([a]) => a), wides = spans.map(([a, b]) => Math.max(b - a, unit)), starts = [];
let total = 0;
for (const wide of wides) { starts.push(total); total += wide + pause; }
total = spans.length ? total - pause : 1;
const lastUpTo = (array, value) => {
  let low = 0, high = array.length - 1;
  while (low < high) { const middle = (low + high + 1) >> 1; if (array[middle] <= value) low = middle; else high = middle - 1; }
  return low;
};
const fold = (t) => {
  const k = lastUpTo(froms, t), [a, b] = spans[k];
  if (t <= b || k === spans.length - 1) return starts[k] + Math.max(0, Math.min(t - a, wides[k]));
  return starts[k] + wides[k] + (pause * (t - b)) / (froms[k + 1] - b);
};
const unfold = (x) => {
  const k = lastUpTo(starts, x), [a, b] = spans[k], over = x - starts[k] - wides[k];
  return over > 0 && k < spans.length - 1 ? b + (over / pause) * (froms[k + 1] - b) : a + Math.min(x - starts[k], b - a);
};

let byRun = runs.length > 8, view = [0, total], picked = -1, panel = "", wanted = "", shown = [];
const statuses = new Set(), kinds = new Set(), hits = new Uint8Array(n);
// 0 to 1 in a row's column.
const place = (i, t) => {
  if (!byRun) return (fold(t) - view[0]) / (view[1] - view[0]);
  const run = rows[runOf[i]], a = run.since ?? run.at;
  return (t - a) / Math.max(run.to - a, 1);
};

// A row's parts are [name, style, ...path]: what to show of its object, and how.
let json, object;
const home = (i) => (rows[i].is === "call" ? up[i] : i);
const partsOf = (i) => {
  const row = rows[i], text = rows[home(i)].json, said = row.said && parse(row.said);
  if (text !== json) object = parse((json = text));
  const own = row.is === "call" ? (object?.step_details?.tool_calls ?? object?.step_details?.activities)?.[row.n] : object;
  return (row.parts ?? []).map(([name, style, ...path]) => {
    const value = path.reduce((inner, key) => (key === "@message" ? said : inner?.[key]), own) ?? "";
    return [name, style, typeof value === "string" ? value : JSON.stringify(value, null, 2)];
  });
};
const texts = [];
const textOf = (i) => {
  const { id, name, kind, status, text, error } = rows[i];
  return (texts[i] ??= [id, name, kind, status, text, error, ...partsOf(i).flat()].join("\n").toLowerCase());
};

const filter = () => {
  const active = wanted || statuses.size || kinds.size;
  let matching = 0;
  hits.fill(active ? 0 : 2);
  for (let i = 0; active && i < n; i++) {
    const row = rows[i];
    if ((statuses.size && !statuses.has(row.status)) || (kinds.size && !kinds.has(row.group)) || (wanted && !textOf(i).includes(wanted)) || (row.shared === 1 && hits[up[i]] === 2)) continue;
    hits[i] = 2;
    matching++;
    for (let p = up[i]; p >= 0 && !hits[p]; p = up[p]) hits[p] = 1;
  }
  shown = [];
  for (let i = 0; i < n; i = !active && closed.has(i) ? end[i] : i + 1) if (hits[i]) shown.push(i);
  $("found").textContent = active ? `${show(matching)} of ${count(n, "row")}` : "";
  $("none").textContent = n < 2 ? "Nothing here yet: no runs, no messages." : shown.length ? "" : "Nothing matches.";
  list.ariaRowCount = shown.length + 1;
  redraw();
};

// The list: only rows in view are in the document.
let height = 30, printing = false, frame = 0, stale = true;
const nodes = new Map(), spare = [];
const make = () => {
  const made = {};
  const put = (className, tag, ...children) => (made[className] = el(tag, { className }, ...children));
  const cell = (className, ...children) => (made[className] = el("div", { className, role: "gridcell" }, ...children));
  made.row = el("div", { className: "row", role: "row" },
    cell("what", put("twist", "span", "\u203a"), (made.icon = shape("other")), put("name", "span"), put("error", "span"), put("text", "span")),
    cell("status", (made.mark = shape("other")), put("word", "span")),
    cell("track", put("lead", "i"), put("fill", "i"), put("off", "span")), cell("when"), cell("tokens"));
  return made;
};
const write = (node, text = "") => {
  const from = wanted ? text.toLowerCase().indexOf(wanted) : -1, to = from + wanted.length;
  node.hidden = !text;
  node.textContent = text;
  if (from >= 0) node.replaceChildren(text.slice(0, from), el("mark", {}, text.slice(from, to)), text.slice(to));
};
const across = (bar, from, to) => {
  const left = Math.max(from, -0.01);
  bar.style.left = `min(${percent(left)}, 100% - 6px)`;
  bar.style.width = percent(Math.max(0, Math.min(to, 1.01) - left));
};
const fill = (node, at) => {
  const i = shown[at], row = rows[i], element = node.row, status = row.status && known(row.status), parent = end[i] > i + 1;
  element.id = "row" + i;
  element.style.transform = `translateY(${at * height}px)`;
  element.style.setProperty("--depth", row.depth);
  Object.assign(element.dataset, { is: row.is, kind: row.group, status: status ?? "" });
  Object.assign(element, { ariaRowIndex: at + 2, ariaLevel: row.depth + 1, ariaSelected: i === picked, ariaExpanded: parent ? !closed.has(i) : null });
  node.twist.style.visibility = parent ? "" : "hidden";
  node.icon.firstChild.setAttribute("d", SHAPES[row.group]);
  write(node.name, row.name);
  write(node.error, row.error);
  write(node.text, row.text);
  node.status.style.visibility = status ? "" : "hidden";
  node.mark.firstChild.setAttribute("d", SHAPES[status ?? "unknown"]);
  node.word.textContent = words(row.status);
  node.when.textContent = timeText(row);
  node.when.title = row.is === "call" ? shared(row) : "";
  node.tokens.textContent = row.tokens?.[2] == null ? "" : show(row.tokens[2]);
  const drawn = timed(row) && (!byRun || rows[runOf[i]]?.to > 0), from = drawn ? place(i, row.at) : 0, to = drawn ? place(i, row.to) : 0;
  node.off.textContent = to < 0 ? "\u2039" : from > 1 ? "\u203a" : "";
  node.off.style.left = to < 0 ? 0 : "calc(100% - 8px)";
  node.fill.hidden = !drawn || node.off.textContent !== "";
  node.lead.hidden = node.fill.hidden || row.since === undefined;
  node.fill.className = `fill ${row.unsaid ? "unsaid" : row.live ? "live" : ""} ${row.bad && row.is !== "run" ? "fault" : ""}`;
  across(node.fill, from, to);
  if (!node.lead.hidden) across(node.lead, place(i, row.since), from);
  node.track.ariaLabel = timed(row) ? "from " + clock(row.at) : "";
};
const shared = (row) => `its step's time${row.shared > 1 ? `, which ${row.shared} calls share` : ""}: calls have none of their own`;
const render = () => {
  frame = 0;
  const first = Math.floor(list.scrollTop / height), last = first + Math.ceil(list.clientHeight / height);
  const from = printing ? 0 : Math.max(0, first - 6), to = Math.min(shown.length, printing ? 3000 : last + 6);
  for (const [at, node] of nodes) {
    if (at < from || at >= to) { nodes.delete(at); spare.push(node); } else if (stale) fill(node, at);
  }
  for (let at = from; at < to; at++) {
    if (nodes.has(at)) continue;
    const node = spare.pop() ?? make();
    fill(node, at);
    nodes.set(at, node);
    if (!node.row.parentNode) $("rows").append(node.row);
  }
  for (const node of spare) node.row.remove();
  if (stale) { $("rows").style.height = shown.length * height + "px"; axis(); }
  stale = false;
  list.setAttribute("aria-activedescendant", "row" + picked);
  // Where on the overview these rows are.
  const here = shown.slice(first, last).map((i) => rows[i]).filter(timed);
  if (here.length) band($("seen"), false, fold(Math.min(...here.map((row) => row.at))), fold(Math.max(...here.map((row) => row.to))));
};
const later = () => (frame ||= requestAnimationFrame(render));
const redraw = () => { stale = true; later(); };
const band = (node, hidden, from, to) => {
  node.hidden = hidden;
  node.style.left = percent(from / total);
  node.style.width = percent((to - from) / total);
};

// The axis above the bars, and lines down from it.
const NICE = [1, 5, 15, 60, 300, 900, 3600, 10800, 43200, 86400, 604800, 2592000];
const axis = () => {
  const head = $("axis"), lines = $("lines"), wide = head.clientWidth;
  head.replaceChildren();
  lines.replaceChildren();
  const put = (into, tag, x, className, text = "") => {
    const made = into.appendChild(el(tag, { className }, text));
    made.style.left = x + "px";
    return made;
  };
  const line = (x) => put(lines, "i", head.offsetLeft + x, "");
  if (byRun || !spans.length) return put(head, "span", 0, "", "each run from its start to its end");
  const px = wide / (view[1] - view[0]), step = NICE.find((seconds) => seconds * px > 80) ?? 31536000;
  let free = 0, freeFold = 30, today = "";
  for (let k = lastUpTo(starts, view[0]); k < spans.length && starts[k] < view[1]; k++) {
    const [a, b] = spans[k], zone = date(a).getTimezoneOffset() * 60, ticks = [a];
    for (let t = Math.ceil((Math.max(a, unfold(view[0])) - zone) / step) * step + zone; t < b && ticks.length < 60; t += step) ticks.push(t);
    for (const t of ticks) {
      const x = (fold(t) - view[0]) * px, text = brief(t) === today ? clock(t) : `${brief(t)}, ${clock(t)}`, needs = text.length * 6.5 + 10;
      if (x < free || x + needs > wide) continue;
      line(x);
      put(head, "span", x, "", text);
      free = x + needs;
      today = brief(t);
    }
    if (k + 1 === spans.length) break;
    const x = (starts[k] + wides[k] - view[0]) * px, middle = x + (pause * px) / 2;
    Object.assign(line(x), { className: "fold" }).style.width = pause * px + "px";
    if (middle < freeFold || middle > wide - 30) continue;
    put(head, "span", middle, "fold", lasting(froms[k + 1] - b));
    freeFold = middle + 60;
  }
};

// The overview: problems and messages, runs, steps.
const TONES = { completed: "run", failed: "bad", expired: "warn", incomplete: "warn", requires_action: "warn" };
const paint = () => {
  const dots = devicePixelRatio, px = canvas.clientWidth / total, pen = canvas.getContext("2d"), colours = {};
  canvas.width = canvas.clientWidth * dots;
  canvas.height = canvas.clientHeight * dots;
  pen.scale(dots, dots);
  const box = (name, x, y, w, h) => {
    if (!colours[name]) { canvas.style.color = `var(--${name}, var(--run))`; colours[name] = getComputedStyle(canvas).color; }
    pen.fillStyle = colours[name];
    pen.fillRect(x, y, w, h);
  };
  for (const start of starts.slice(1)) box("line", (start - pause) * px, 0, Math.max(1, pause * px), 99);
  for (const row of rows) {
    if (!timed(row) || row.is === "call") continue;
    const x = fold(row.at) * px, wide = Math.max(1.5, fold(row.to) * px - x);
    if (row.is === "message") box("message", x, 4, 1, 7);
    else if (row.is === "run") box(TONES[known(row.status)] ?? "dim", x, 14, wide, 8);
    else box(row.group, x, 25, wide, 13);
    if (row.bad) box("bad", x, 3, Math.min(3, wide + 1), 9);
  }
};

const setView = (from = view[0], to = view[1]) => {
  const wide = Math.max(Math.min(total, 2), Math.min(total, to - from)), left = Math.max(0, Math.min(from, total - wide));
  view = [left, left + wide];
  $("byrun").ariaPressed = byRun;
  $("bytime").ariaPressed = !byRun;
  $("wider").disabled = $("closer").disabled = byRun;
  band($("window"), byRun || wide >= total, ...view);
  redraw();
};
const setScale = (each) => { byRun = each; setView(); };
const zoom = (by) => {
  const row = rows[picked] ?? {}, middle = timed(row) ? fold(row.at) + fold(row.to) : view[0] + view[1], wide = (view[1] - view[0]) * by;
  if (!byRun) setView((middle - wide) / 2, (middle + wide) / 2);
};

// Picking a row, and links to rows.
let naming = 0;
const pick = (i, opened, centre) => {
  picked = i;
  panel = "";
  classes.add("picked");
  for (let p = up[i]; p >= 0; p = up[p]) closed.delete(p);
  if (!hits[i]) clear();
  if (!shown.includes(i)) filter();
  const top = shown.indexOf(i) * height, room = list.clientHeight - $("columns").offsetHeight;
  $("rows").style.height = shown.length * height + "px";
  list.scrollTop = centre ? top - room / 3 : Math.max(top + height - room, Math.min(top, list.scrollTop));
  clearTimeout(naming);
  naming = setTimeout(() => attempt(() => history.replaceState(null, "", "#" + encodeURIComponent(keys[i]))), 150);
  if (opened) classes.add("open");
  details();
  redraw();
};
const clear = () => {
  statuses.clear();
  kinds.clear();
  $("search").value = wanted = "";
  for (const chip of document.querySelectorAll(".chip")) chip.ariaPressed = false;
  filter();
};
const follow = () => {
  const i = byKey.get(attempt(() => decodeURIComponent(location.hash.slice(1))));
  if (i !== undefined) pick(i, true, true);
};
const move = (by) => shown.length && pick(shown[Math.max(0, Math.min(shown.length - 1, picked < 0 ? 0 : shown.indexOf(picked) + by))]);
const toggle = (i) => { if (!closed.delete(i)) closed.add(i); filter(); };
const problem = () => {
  for (let k = 1; k <= n; k++) if (rows[(picked + k) % n].bad) return pick((picked + k) % n, true, true);
};

// Details.
const pretty = (text) => {
  // As it is, where reading it would change a long number.
  const value = /^\s*[[{]/.test(text) && text.length < 2e5 && !/\d{16}/.test(text) && parse(text);
  return value ? JSON.stringify(value, null, 2) : text;
};
const section = ([name, style, text]) => {
  // Only what the page holds can be shown: it asks for nothing.
  if (style === "image" && text.startsWith("data:image/")) return [el("h3", {}, name), el("img", { src: text, alt: name })];
  if (!text) return [];
  return [el("h3", {}, name), el("pre", { className: style, tabIndex: 0 }, style ? text : pretty(text))];
};
const link = (i, text = rows[i].name) => el("a", { href: "#" + encodeURIComponent(keys[i]) }, text);
const swatch = () => el("i", { className: "swatch" });
const head = (name) => [el("button", { id: "close", onclick: back }, "Close"), el("h2", {}, name)];
const describe = (i) => {
  const row = rows[i], run = rows[runOf[i]], facts = el("dl"), within = [], call = row.is === "call";
  const fact = (name, ...values) => { if (values[0]) facts.append(el("dt", {}, name), el("dd", {}, ...values)); };
  const moment = (t) => el("time", { title: date(t).toISOString() }, full(t));
  fact("Status", words(row.status));
  if (row.kind !== row.is) fact("Kind", words(row.kind));
  if (timed(row)) {
    if (row.since !== undefined) fact("Asked for", moment(row.since), `, waited ${lasting(row.at - row.since)}`);
    fact(row.is === "message" ? "Written" : "Began", moment(row.at));
    if (row.is !== "message") fact(row.live ? "Goes on" : "Ended", row.unsaid ? "its own times are not given" : moment(row.to));
    fact("Time", timeText(row), call ? ` (${shared(row)})` : "");
  }
  const [prompt, completion, sum, cached] = (row.tokens ?? []).map((number) => number != null && show(number));
  fact("Tokens", sum, ` (${prompt || "?"} prompt${cached ? `, ${cached} of them cached` : ""}, ${completion || "?"} completion)`);
  fact("Model", row.model);
  fact("Assistant", row.assistant);
  fact("Thread", row.thread);
  if (run && run !== row) fact("Run", link(runOf[i]), ` ${run.id ?? ""}`);
  if (call) fact("Step", link(up[i], rows[up[i]].id || "its step"));
  fact("Agent's run", row.child && (byKey.has(row.child) ? link(byKey.get(row.child), row.child) : `${row.child}, not on this page`), ` in ${row.child_thread || "an unnamed thread"}`);
  if (row.is === "run" && callers.has(row.id)) fact("Called by", link(callers.get(row.id)));
  for (let k = i + 1; k < end[i] && within.length < 99; k++) if (up[k] === i) within.push(el("li", { "data-kind": rows[k].group }, shape(rows[k].group), link(k), `${words(rows[k].status)} ${timeText(rows[k])}`));
  const raw = el("details", {}, el("summary", {}, call ? "JSON of its step" : "JSON"));
  raw.ontoggle = () => raw.children[1] ?? raw.append(...section(["", "", rows[home(i)].json]));
  const parts = partsOf(i), split = parts.findLastIndex((part) => part[1] === "fault") + 1;
  return [...head(row.name), el("p", { className: "id" }, row.id ?? ""), ...parts.slice(0, split).flatMap(section), facts, ...parts.slice(split).flatMap(section),
    ...(within.length ? [el("h3", {}, "Within it"), el("ul", {}, ...within)] : []), ...(rows[home(i)].json ? [raw] : [])];
};
const explain = () => {
  const rules = { Arrows: "move, open, close", Enter: "details", Esc: "back", e: "next problem", "/": "search", s: "scale", "+ - 0": "zoom in, out, all", "u ?": "usage, this" };
  return [...head("How to read it"),
    el("p", {}, "Bars: thin a run, after a line while it waited; solid a step; hatched a call, over its step's time; a diamond a message. A dotted end: still going on. Dashed: times not given. Outlined in red: did not go well."),
    el("p", {}, "Times are whole seconds on most servers: < 1 s is within one, and what shares one stands in order of arrival. Long pauses are folded."),
    el("dl", {}, ...Object.entries(rules).flatMap(([key, does]) => [el("dt", {}, key), el("dd", {}, does)])),
    ...notes.flatMap((note) => section(["Note", "said", note]))];
};
let sumBy = "model";
const usage = () => {
  const found = new Map(), body = el("tbody");
  for (const row of runs) {
    const key = (sumBy === "day" ? row.at && date(row.since ?? row.at).toISOString().slice(0, 10) : row[sumBy]) || "unknown";
    const sum = found.get(key) ?? [0, 0, 0, 0];
    found.set(key, sum.map((number, k) => number + (k ? row.tokens?.[k - 1] ?? 0 : 1)));
  }
  const sums = [...found].sort(sumBy === "day" ? undefined : (a, b) => b[1][3] - a[1][3]), most = Math.max(1, ...sums.map(([, sum]) => sum[3]));
  for (const [key, sum] of sums.slice(0, 200)) {
    const meter = el("div", { className: "meter" }, el("i"), el("i"));
    meter.style.width = percent(sum[3] / most);
    for (const k of [0, 1]) meter.children[k].style.flex = Math.max(0, sum[k + 1]);
    body.append(el("tr", {}, el("th", { scope: "row" }, key, meter), ...sum.map((value) => el("td", {}, show(value)))));
  }
  const choice = el("select", { ariaLabel: "Sum by" }, ...["model", "assistant", "day", "thread"].map((name) => el("option", { value: name, selected: name === sumBy }, "by " + name)));
  choice.onchange = () => { sumBy = choice.value; details(); detail.querySelector("select").focus(); };
  const headings = [["", sumBy], ["", "runs"], ["message", "prompt"], ["code", "completion"], ["", "tokens"]].map(([kind, name]) => el("th", { "data-kind": kind }, ...(kind ? [swatch()] : []), name));
  return [...head("Usage"), choice, el("table", {}, el("thead", {}, el("tr", {}, ...headings)), body), el("p", { className: "id" }, "Sums over runs; days are UTC.")];
};
const details = () => {
  $("usage").ariaPressed = panel === "usage";
  $("help").ariaPressed = panel === "help";
  detail.replaceChildren(...(panel === "usage" ? usage() : panel || picked < 0 ? explain() : describe(picked)));
  detail.scrollTop = 0;
};
const turn = (name) => {
  panel = panel === name ? "" : name;
  classes.toggle("open", panel !== "");
  details();
};
const back = () => { classes.remove("open"); list.focus({ preventScroll: true }); };

// What the reader does.
const parent = () => end[picked] > picked + 1;
const ACTS = {
  ArrowDown: () => move(1), ArrowUp: () => move(-1), PageDown: () => move(20), PageUp: () => move(-20), Home: () => move(-n), End: () => move(n),
  ArrowRight: () => { if (closed.has(picked)) toggle(picked); else if (parent()) move(1); },
  ArrowLeft: () => { if (parent() && !closed.has(picked)) toggle(picked); else if (up[picked] >= 0) pick(up[picked]); },
  Enter: () => { if (picked >= 0) { pick(picked, true); detail.focus(); } },
  e: problem, s: () => setScale(!byRun), "+": () => zoom(0.5), "-": () => zoom(2), 0: () => setView(0, total),
  u: () => turn("usage"), "?": () => turn("help"), "/": () => $("search").focus(),
};
document.onkeydown = (event) => {
  if (event.key === "Escape" && event.target !== $("search")) return back();
  // Single keys count where the rows have the focus, or nothing has.
  if ((event.target !== list && event.target !== document.body) || event.ctrlKey || event.metaKey || event.altKey || !ACTS[event.key]) return;
  event.preventDefault();
  ACTS[event.key]();
};
list.addEventListener("scroll", later, { passive: true });
$("rows").onclick = (event) => {
  const element = event.target.closest(".row"), i = element && Number(element.id.slice(3));
  if (!element || !getSelection().isCollapsed) return;
  if (event.target.closest(".twist")) toggle(i); else pick(i, true);
};
const looked = () => { list.scrollTop = 0; filter(); };
let typing = 0;
$("search").oninput = () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    wanted = $("search").value.trim().toLowerCase();
    looked();
  }, 120);
};
$("search").onkeydown = (event) => {
  if (event.key !== "Enter" && event.key !== "ArrowDown") return;
  const first = shown.find((i) => hits[i] === 2);
  list.focus();
  if (first !== undefined) pick(first);
};
const CLICKS = { problem, usage: ACTS.u, help: ACTS["?"], byrun: () => setScale(true), bytime: () => setScale(false), wider: ACTS["-"], closer: ACTS["+"] };
for (const id in CLICKS) $(id).onclick = (event) => { CLICKS[id](); if (event.detail) list.focus(); };
$("problem").disabled = !rows.some((row) => row.bad);
const NEXT = { auto: "light", light: "dark", dark: "auto" };
const setTheme = (name) => {
  root.dataset.theme = name;
  $("theme").textContent = "Theme: " + name;
  paint();
};
$("theme").onclick = () => setTheme(NEXT[root.dataset.theme]);
let pressed = null;
const along = (event) => ((event.clientX - overview.getBoundingClientRect().left) / overview.clientWidth) * total;
const dragged = (event) => pressed && Math.abs(event.clientX - pressed[0]) > 4;
overview.onpointerdown = (event) => { pressed = [event.clientX, along(event)]; overview.setPointerCapture(event.pointerId); };
overview.onpointermove = (event) => {
  if (!dragged(event)) return;
  byRun = false;
  setView(...[pressed[1], along(event)].sort((a, b) => a - b));
};
overview.onpointerup = (event) => {
  const t = unfold(along(event)), far = (i) => (timed(rows[i]) ? Math.max(rows[i].at - t, t - rows[i].to, 0) : Infinity);
  if (pressed && !dragged(event) && shown.length) pick(shown.reduce((best, i) => (far(i) < far(best) ? i : best)), false, true);
  pressed = null;
};
addEventListener("hashchange", follow);
addEventListener("beforeprint", () => { printing = stale = true; nodes.clear(); $("rows").replaceChildren(); render(); });
addEventListener("afterprint", () => { printing = false; redraw(); });
matchMedia("(prefers-color-scheme: dark)").onchange = paint;
const phone = matchMedia("(max-width: 699px)");
(phone.onchange = () => ($("filters").open = !phone.matches))();
new ResizeObserver(() => {
  height = parseFloat(getComputedStyle(root).getPropertyValue("--row"));
  paint();
  redraw();
}).observe(list);

// The head.
const tally = (of) => {
  const found = new Map();
  for (const name of rows.map(of)) if (name) found.set(name, (found.get(name) ?? 0) + 1);
  return found;
};
const chips = (area, set, found, shapeOf) => {
  for (const value of [...found.keys()].sort((a, b) => STATUSES.indexOf(a) - STATUSES.indexOf(b)).slice(0, 30)) {
    const chip = el("button", { className: "chip", ariaPressed: false, ["data-" + area]: shapeOf(value) }, shape(shapeOf(value)), el("span", {}, words(value)), el("small", {}, show(found.get(value))));
    chip.onclick = () => {
      if (!set.delete(value)) set.add(value);
      chip.ariaPressed = set.has(value);
      looked();
    };
    $(area).append(chip);
  }
};
chips("status", statuses, tally((row) => row.status), known);
chips("kind", kinds, tally((row) => row.is !== "thread" && row.group), (kind) => kind);
$("title").textContent = $("title").title = title;
const number = tally((row) => row.is), bad = tally((row) => row.is === "run" && row.bad && row.status);
const summary = [...["run", "step", "call"].map((is) => count(number.get(is) ?? 0, is)), count(runs.reduce((sum, row) => sum + (row.tokens?.[2] ?? 0), 0), "token")];
if (spans.length) summary.push(`${day(spans[0][0])}, ${lasting(spans.at(-1)[1] - spans[0][0])} in all`);
$("summary").append(summary.join(" \u00b7 "), el("b", {}, [...bad].map(([status, runs]) => ` \u00b7 ${show(runs)} ${words(status)}`).join("")));
overview.hidden = !spans.length;
setTheme("auto");
setView();
filter();
details();
follow();

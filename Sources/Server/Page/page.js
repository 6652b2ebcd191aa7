"use strict";
// SPDX-License-Identifier: Apache-2.0
const $ = (id) => document.getElementById(id);
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in element && key !== "list") element[key] = value; else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
};
const svg = (tag, attributes, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
};
const colors = ["#3ee06b", "#ffb13d", "#4db4ff", "#ff6fa8", "#c58bff", "#f2e14c", "#3fe0d0", "#ff7a59"];
const number = (value, digits = 0) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const ms = (value) => number(value, value < 10 ? 1 : 0) + " ms";
const bytes = (value) => number(value / 1e6) + " MB";
const clock = (seconds) => {
  const s = Math.max(0, Math.floor(seconds));
  return (s >= 3600 ? Math.floor(s / 3600) + ":" + String(Math.floor(s / 60) % 60).padStart(2, "0") : Math.floor(s / 60)) + ":" + String(s % 60).padStart(2, "0");
};

let socket, graph, state, pause = 500, frozen = false, cursor = -1, alone = null;
const tiles = new Map(), hidden = new Set(), samples = [], show = { scores: true, labels: true, ages: true };
const page = (window.vpipe = { drawn: 0, errors: [], tiles, get state() { return state; } });
const say = (message) => { if (socket && socket.readyState === 1) socket.send(JSON.stringify(message)); };
const report = (text) => { page.errors.push(text); say({ error: String(text).slice(0, 200) }); };
addEventListener("error", (event) => report(event.message));
addEventListener("unhandledrejection", (event) => report(event.reason));

// ---- The connection

function connect() {
  const address = new URL("live", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => { pause = 500; notice(""); };
  socket.onmessage = (event) => {
    if (typeof event.data !== "string") return picture(event.data);
    const message = JSON.parse(event.data);
    handlers[message.type]?.(message);
  };
  socket.onclose = () => {
    $("dot").className = "dot bad";
    notice(state && !state.running ? "The run is over." : "No connection to vpipe; trying again.");
    setTimeout(connect, pause);
    pause = Math.min(8000, pause * 2);
  };
}
const notice = (text) => { $("notice").hidden = !text; $("notice").textContent = text; };
const watch = () => say({ watch: document.hidden || frozen ? [] : alone ? [alone] : graph.views });
document.addEventListener("visibilitychange", () => { if (graph) watch(); });

const handlers = {
  graph(message) {
    const isNew = JSON.stringify(graph?.views) !== JSON.stringify(message.views);
    graph = message;
    $("name").textContent = document.title = graph.name;
    $("foot").textContent = "vpipe " + graph.version;
    if (isNew || !tiles.size) makeTiles();
    makeControls();
    drawGraph();
    watch();
  },
  past(message) {
    samples.length = 0;
    samples.push(...message.samples);
    $("events").replaceChildren();
    message.events.forEach(addEvent);
    if (!message.events.length) $("events").append(make("li", { className: "empty" }, make("time"), "nothing has happened"));
    drawCharts();
  },
  state(message) {
    state = message;
    if (message.sample) {
      samples.push(message.sample);
      if (samples.length > 300) samples.shift();
      drawCharts();
    }
    drawFigures();
    drawGraph();
  },
  event(message) {
    $("events").querySelector(".empty")?.remove();
    addEvent(message.event);
  },
  set(message) {
    const control = document.querySelector(`[data-key="${CSS.escape(message.node + "." + message.parameter)}"]`);
    if (!control) return;
    control.classList.remove("waiting");
    control.classList.toggle("refused", !message.ok);
    control.title = message.ok ? "" : message.text;
    if (!message.ok) notice(message.text); else notice("");
  },
};

// ---- Pictures

function makeTiles() {
  tiles.clear();
  $("tiles").replaceChildren();
  const views = alone ? [alone] : graph.views;
  const columns = views.length < 2 ? 1 : views.length < 5 ? 2 : 3;
  $("tiles").style.setProperty("--columns", columns);
  graph.views.forEach((name, index) => {
    if (!views.includes(name)) return;
    const canvas = make("canvas", { width: 16, height: 9 });
    const caption = make("figcaption", {}, name);
    const wait = make("p", {}, "waiting for a picture");
    const figure = make("figure", { className: "tile" + (graph.views.length < 2 ? " alone" : ""), title: graph.views.length < 2 ? "" : alone ? "show all" : "show this one alone" }, canvas, wait, caption);
    figure.onclick = () => {
      if (graph.views.length < 2) return;
      alone = alone ? null : name;
      makeTiles();
      watch();
    };
    $("tiles").append(figure);
    tiles.set(index, { name, index, canvas, caption, wait, context: canvas.getContext("2d"), past: [], times: [], busy: Promise.resolve() });
  });
}

function picture(buffer) {
  const view = new DataView(buffer);
  const index = view.getUint8(1), length = view.getUint16(2), serial = view.getUint32(4);
  const tile = tiles.get(index);
  if (!tile) return;
  const results = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 24, length)) || "{}");
  const shot = {
    frame: Number(view.getBigUint64(8)), pts: view.getFloat64(16), results,
    blob: new Blob([new Uint8Array(buffer, 24 + length)], { type: "image/jpeg" }),
  };
  // One after the other, so that pictures are drawn in the order of their frames.
  tile.busy = tile.busy.then(async () => {
    if (!frozen) {
      tile.past.push(shot);
      if (tile.past.length > 90) tile.past.shift();
      await draw(tile, shot);
    }
    say({ drawn: [index, serial] });
  }).catch(report);
}

async function draw(tile, shot) {
  const bitmap = await createImageBitmap(shot.blob);
  const { canvas, context } = tile;
  const aspect = shot.results.aspect || 1;
  const width = Math.round(bitmap.width * aspect), height = bitmap.height;
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  tile.wait.hidden = true;
  if (shot.results.results) drawResults(context, shot.results, width, height);
  tile.shot = shot;
  const now = performance.now();
  tile.times.push(now);
  while (tile.times[0] < now - 2000) tile.times.shift();
  page.drawn += 1;
  const fps = tile.times.length > 1 ? (tile.times.length - 1) * 1000 / (now - tile.times[0]) : 0;
  tile.caption.textContent = `${tile.name} · ${number(fps)} pictures/s`;
  $("shown").textContent = `frame ${shot.frame}, ${shot.pts.toFixed(2)} s`;
}

const colorOf = (node) => colors[Math.max(0, finders().indexOf(node)) % colors.length];
const finders = () => (graph ? graph.nodes.filter((n) => n.category === "inference").map((n) => n.id) : []);
const known = new Set();

function drawResults(context, info, width, height) {
  const sx = width / info.width, sy = height / info.height, unit = Math.max(width, height) / 960;
  for (const layer of info.results) {
    if (!known.has(layer.node)) { known.add(layer.node); makeLayers(); }
    if (hidden.has(layer.node)) continue;
    const color = colorOf(layer.node);
    context.lineWidth = Math.max(1.5, 2.2 * unit);
    context.strokeStyle = context.fillStyle = color;
    context.font = `600 ${Math.max(11, Math.round(14 * unit))}px system-ui, sans-serif`;
    context.setLineDash(layer.age ? [6 * unit, 5 * unit] : []);
    for (const item of layer.items) {
      if (item.mask) drawMask(context, item.mask, sx, sy);
      if (item.from && item.to) {
        context.beginPath();
        context.moveTo(item.from[0] * sx, item.from[1] * sy);
        context.lineTo(item.to[0] * sx, item.to[1] * sy);
        context.stroke();
      }
      if (item.box) {
        const [x, y, w, h] = [item.box[0] * sx, item.box[1] * sy, item.box[2] * sx, item.box[3] * sy];
        context.strokeRect(x, y, w, h);
        const words = [];
        if (show.labels) words.push(item.label ?? item.class ?? item.name ?? "", item.track ?? item.id ?? "");
        if (show.scores && item.score !== undefined) words.push(item.score.toFixed(2));
        if (show.ages && layer.age) words.push(Math.round(layer.age * 1000) + " ms old");
        const text = words.filter((word) => word !== "").join(" ");
        if (text) label(context, text, x, y, color, unit);
      }
      for (const point of item.landmarks ?? []) {
        context.beginPath();
        context.arc(point[0] * sx, point[1] * sy, 2.4 * unit, 0, 7);
        context.fill();
      }
    }
  }
  context.setLineDash([]);
}

function label(context, text, x, y, color, unit) {
  const size = Math.max(11, Math.round(14 * unit)), wide = context.measureText(text).width + 8 * unit;
  const top = y > size + 8 ? y - size - 6 * unit : y;
  context.fillStyle = "rgba(8,14,13,.72)";
  context.fillRect(x - context.lineWidth / 2, top, wide, size + 6 * unit);
  context.fillStyle = color;
  context.fillText(text, x + 4 * unit, top + size + 1 * unit);
}

function drawMask(context, mask, sx, sy) {
  const [columns, rows] = mask.size;
  const image = new ImageData(columns, rows);
  let cell = 0;
  for (let run = 0; run < mask.runs.length; run += 2) {
    const hex = parseInt(colors[mask.runs[run] % colors.length].slice(1), 16);
    for (let left = mask.runs[run + 1]; left > 0 && cell < columns * rows; left--, cell++) {
      image.data.set([hex >> 16, (hex >> 8) & 255, hex & 255, 95], cell * 4);
    }
  }
  const sheet = new OffscreenCanvas(columns, rows);
  sheet.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(sheet, mask.box[0] * sx, mask.box[1] * sy, mask.box[2] * sx, mask.box[3] * sy);
  context.imageSmoothingEnabled = true;
}

function makeLayers() {
  const toggles = [...known].map((node) => {
    const button = make("button", { className: "layer", ariaPressed: String(!hidden.has(node)) }, make("span", { className: "swatch" }), node);
    button.firstChild.style.background = colorOf(node);
    button.onclick = () => {
      if (!hidden.delete(node)) hidden.add(node);
      makeLayers();
      redraw();
    };
    return button;
  });
  for (const word of Object.keys(show)) {
    const button = make("button", { ariaPressed: String(show[word]) }, word);
    button.onclick = () => {
      show[word] = !show[word];
      makeLayers();
      redraw();
    };
    toggles.push(button);
  }
  $("layers").replaceChildren(...toggles);
}

function redraw() {
  for (const tile of tiles.values()) if (tile.shot) tile.busy = tile.busy.then(() => draw(tile, tile.shot)).catch(report);
}
function freeze(wanted) {
  frozen = wanted;
  cursor = -1;
  $("freeze").setAttribute("aria-pressed", frozen);
  $("freeze").textContent = frozen ? "Go on" : "Freeze";
  if (graph) watch();
}
function step(by) {
  if (!frozen) freeze(true);
  for (const tile of tiles.values()) {
    const place = cursor < 0 ? tile.past.length - 1 : cursor;
    cursor = Math.min(tile.past.length - 1, Math.max(0, place + by));
    const shot = tile.past[cursor];
    if (shot) tile.busy = tile.busy.then(() => draw(tile, shot)).catch(report);
  }
}
$("freeze").onclick = () => freeze(!frozen);
$("back").onclick = () => step(-1);
$("forth").onclick = () => step(1);
addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, button, summary")) return;
  if (event.key === " ") { freeze(!frozen); event.preventDefault(); }
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});

// ---- Figures

function drawFigures() {
  const rows = [];
  const target = graph?.target ?? {};
  const row = (name, value, kind = "", title = "") => rows.push(make("div", { title }, make("dt", {}, name), make("dd", { className: kind }, value)));
  $("dot").className = "dot " + (state.running && !state.down.length ? "good" : "bad");
  row("fps", number(state.fps, 1) + (target.fps ? ` of ${number(target.fps)}` : ""), target.fps ? (state.fps >= target.fps * .97 ? "good" : "bad") : "");
  row("latency p50 / p99", `${ms(state.p50)} / ${ms(state.p99)}`, target.latencyMs ? (state.p99 <= target.latencyMs ? "good" : "bad") : "");
  row("frames", number(state.delivered));
  row("dropped", number(state.dropped), state.dropped ? "warn" : "", state.drops.map((d) => `${d[2]} at ${d[0]}: ${d[1]}`).join("\n"));
  if (graph?.rungs.length > 1) row("rung", `${state.rung}: ${graph.rungs[state.rung] ?? ""}`, state.rung ? "warn" : "good");
  if (state.held?.[0] && target.fps) row("seconds held", `${number(100 * state.held[1] / state.held[0])} %`);
  row("cores", number(state.cores, 2));
  row("memory", bytes(state.memory));
  row("viewers", `${state.viewers}`, "", `picture to screen p50 ${ms(state.drawnP50)}, p95 ${ms(state.drawnP95)}; ${state.skipped} pictures skipped by slow viewers`);
  if (state.down.length) row("away", state.down.join(", "), "bad");
  $("figures").replaceChildren(...rows);
}

function layout() {
  const depth = new Map(), of = (id) => graph.nodes.find((n) => n.id === id);
  for (const node of graph.nodes) depth.set(node.id, Math.max(-1, ...node.inputs.map((i) => depth.get(i) ?? -1)) + 1);
  const columns = [];
  for (const node of graph.nodes) (columns[depth.get(node.id)] ??= []).push(node.id);
  const place = new Map(), tall = Math.max(...columns.map((c) => c.length));
  columns.forEach((ids, column) => ids.forEach((id, row) => place.set(id, { x: column * 240 + 8, y: (row + (tall - ids.length) / 2) * 84 + 14 })));
  return { place, width: columns.length * 240 - 48, height: tall * 84 + 4, of };
}

function drawGraph() {
  if (!graph) return;
  const { place, width, height } = layout();
  const drawing = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img" });
  const now = new Map((state?.nodes ?? []).map((n) => [n[0], n]));
  for (const node of graph.nodes) {
    for (const from of new Set(node.inputs)) {
      const a = place.get(from), b = place.get(node.id);
      if (!a) continue;
      const [x1, y1, x2, y2] = [a.x + 176, a.y + 30, b.x, b.y + 30];
      const path = `M${x1} ${y1}C${x1 + 28} ${y1} ${x2 - 28} ${y2} ${x2} ${y2}`;
      drawing.append(svg("path", { class: "wire", d: path }));
      const edge = (state?.edges ?? []).find((e) => e[0] === from && e[1] === node.id);
      if (!edge) continue;
      if (edge[4] > .01) {
        drawing.append(svg("path", { class: "level" + (edge[4] >= .5 ? " full" : ""), d: path, pathLength: 100, "stroke-dasharray": `${Math.min(100, edge[4] * 100)} 200` }));
      }
      const middle = (y1 + y2) / 2;
      drawing.append(svg("text", { class: "soft", x: (x1 + x2) / 2, y: middle - 8, "text-anchor": "middle" }, `${edge[2]}/${edge[3]}`));
      if (edge[5]) drawing.append(svg("text", { class: "drop", x: (x1 + x2) / 2, y: middle + 17, "text-anchor": "middle" }, `−${number(edge[5])}`));
    }
  }
  for (const node of graph.nodes) {
    const { x, y } = place.get(node.id), figures = now.get(node.id);
    const binding = state?.binding === node.id;
    drawing.append(svg("rect", { class: "node" + (figures?.[5] ? " failed" : binding ? " binding" : ""), x, y, width: 176, height: 60, rx: 8 }));
    drawing.append(svg("text", { x: x + 10, y: y + 19, "font-weight": 600 }, clip(node.id, 21)));
    drawing.append(svg("text", { class: "soft", x: x + 10, y: y + 35 }, clip(node.type === node.id ? "" : node.type, 24)));
    if (figures) drawing.append(svg("text", { class: "soft", x: x + 10, y: y + 51 }, `${number(figures[1], 1)}/s · ${ms(figures[2])}, p99 ${ms(figures[3])}`));
    if (binding) drawing.append(svg("text", { class: "mark", x: x + 166, y: y + 19, "text-anchor": "end" }, "binds"));
  }
  $("drawing").replaceChildren(drawing);
}
const clip = (text, length) => (text.length > length ? text.slice(0, length - 1) + "…" : text);

const charts = [
  { name: "frames per second", lines: [1], text: (s) => number(s[1], 1), target: () => graph?.target.fps },
  { name: "latency, p50 and p99", lines: [2, 3], text: (s) => `${ms(s[2])} / ${ms(s[3])}`, target: () => graph?.target.latencyMs },
  { name: "cores in use", lines: [4], text: (s) => number(s[4], 2) },
  { name: "memory", lines: [5], text: (s) => `${number(s[5])} MB` },
  { name: "dropped per second", lines: [6], text: (s) => number(s[6], 1) },
  { name: "rung", lines: [7], text: (s) => number(s[7]), only: () => graph?.rungs.length > 1 },
];
function drawCharts() {
  const style = getComputedStyle(document.documentElement), dense = devicePixelRatio || 1;
  for (const chart of charts) {
    if (!chart.canvas) {
      chart.value = make("b");
      chart.canvas = make("canvas");
      chart.element = make("div", { className: "chart" }, make("header", {}, chart.name, chart.value), chart.canvas);
      $("charts").append(chart.element);
    }
    chart.element.hidden = chart.only ? !chart.only() : false;
    if (chart.element.hidden) continue;
    const { canvas } = chart, width = canvas.clientWidth * dense, height = 62 * dense;
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    const context = canvas.getContext("2d"), last = samples.at(-1);
    context.clearRect(0, 0, width, height);
    if (!last) continue;
    chart.value.textContent = chart.text(last);
    const target = chart.target?.();
    const top = Math.max(1e-9, target ?? 0, ...samples.flatMap((s) => chart.lines.map((i) => s[i]))) * 1.12;
    const x = (s) => width - (last[0] - s[0]) * width / 300, y = (v) => height - 1 - v / top * (height - 3);
    context.lineWidth = dense;
    context.strokeStyle = style.getPropertyValue("--track");
    context.beginPath();
    context.moveTo(0, height - .5);
    context.lineTo(width, height - .5);
    context.stroke();
    if (target) {
      context.strokeStyle = style.getPropertyValue("--warn");
      context.setLineDash([4 * dense, 4 * dense]);
      context.beginPath();
      context.moveTo(0, y(target));
      context.lineTo(width, y(target));
      context.stroke();
      context.setLineDash([]);
    }
    context.lineWidth = 1.6 * dense;
    chart.lines.forEach((index, order) => {
      context.strokeStyle = style.getPropertyValue(order ? "--soft" : "--accent");
      context.beginPath();
      samples.forEach((s, i) => (i ? context.lineTo(x(s), y(s[index])) : context.moveTo(x(s), y(s[index]))));
      context.stroke();
    });
  }
}
addEventListener("resize", drawCharts);

// ---- Events and settings

function addEvent(event) {
  const words = { lost: "lost: ", returned: "is back", dropped: event.count === 1 ? "1 frame dropped: " : `${number(event.count)} frames dropped: `, failed: "failed: ", changed: "", flawed: `${number(event.count)} ` };
  const text = (event.node ? event.node + (event.kind === "changed" ? "." : " ") : "") + (words[event.kind] ?? "") + event.text;
  $("events").prepend(make("li", {}, make("time", {}, clock(event.t)), make("span", { className: event.kind }, text)));
  while ($("events").children.length > 200) $("events").lastChild.remove();
}

function makeControls() {
  const focused = document.activeElement?.closest?.(".control")?.dataset.key;
  const opened = new Set([...document.querySelectorAll("#controls details[open]")].map((d) => d.dataset.node));
  const nodes = graph.nodes.filter((node) => node.parameters.length);
  const first = !$("controls").children.length;
  const groups = nodes.map((node) => {
    const group = make("details", { open: first ? nodes.length < 4 : opened.has(node.id) }, make("summary", {}, node.id), ...node.parameters.map((p) => control(node, p)));
    group.dataset.node = node.id;
    return group;
  });
  if (focused && document.activeElement.matches("input[type=range]:active")) return;
  $("controls").replaceChildren(...(groups.length ? groups : [make("p", { className: "empty" }, "No parameter of this pipeline can be changed while it runs.")]));
}

function control(node, parameter) {
  const key = `${node.id}.${parameter.name}`, id = "set-" + key;
  const value = make("output", {}, parameter.value === undefined ? "" : String(parameter.value) + (parameter.unit ? " " + parameter.unit : ""));
  const send = (wanted) => {
    box.classList.add("waiting");
    say({ set: { node: node.id, parameter: parameter.name, value: wanted } });
  };
  let input;
  if (parameter.kind === "boolean") {
    input = make("input", { type: "checkbox", checked: parameter.value === true });
    input.onchange = () => send(input.checked);
    value.textContent = "";
  } else if (parameter.kind === "choice") {
    input = make("select", {}, ...parameter.choices.map((choice) => make("option", { value: choice, selected: choice === parameter.value }, choice)));
    input.onchange = () => send(input.value);
    value.textContent = "";
  } else if (parameter.kind !== "text" && parameter.min !== undefined && parameter.max !== undefined) {
    const whole = parameter.kind === "integer";
    input = make("input", { type: "range", min: parameter.min, max: parameter.max, step: whole ? 1 : (parameter.max - parameter.min) / 200 });
    input.value = parameter.value ?? parameter.min;
    input.oninput = () => (value.textContent = String(whole ? input.value : +(+input.value).toPrecision(3)) + (parameter.unit ? " " + parameter.unit : ""));
    input.onchange = () => send(whole ? Math.round(input.value) : +(+input.value).toPrecision(6));
  } else {
    input = make("input", { type: "text", value: parameter.value ?? "" });
    input.onchange = () => send(parameter.kind === "text" ? input.value : Number(input.value));
    value.textContent = parameter.unit ?? "";
  }
  input.id = id;
  const box = make("div", { className: "control", title: parameter.doc + (parameter.rebuilds ? "; the network is built anew, which takes a moment" : "") }, make("label", { htmlFor: id }, parameter.name), input, value);
  box.dataset.key = key;
  return box;
}

makeLayers();
connect();

// SPDX-License-Identifier: Apache-2.0
// Draws what the server shows: a section for each vehicle, over one socket, while the page is seen.
import { EVIDENCE, HEIGHT, WIDTH, evidenceOf, overlay, paint, shares } from "/own/maps.js";
import { drawPoints, turnable } from "/own/points.js";

const WINDOW_S = 30;
const CLASSES = window.semcomClasses; // name, red, green, blue
const shownEvidence = new Set();
const vehicles = new Map();
const byId = (id) => document.getElementById(id);
const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--${name}`);

function tile(area, what, title, note) {
  return `<figure style="grid-area:${area}"><figcaption>${title}<span>${note}</span></figcaption>
    <canvas width="${WIDTH}" height="${HEIGHT}" class="${what}" role="img" aria-label="${title}"></canvas>`;
}

class Vehicle {
  constructor(name) {
    this.maps = {};
    this.root = document.createElement("section");
    this.root.className = "vehicle";
    this.root.innerHTML = `
      <header><h2></h2><span class="state" role="status"></span><ul class="alerts" role="alert"></ul></header>
      <div class="stage">
        <h3 style="grid-area:v">Vehicle</h3><h3 class="of-air" style="grid-area:a">Air</h3>
        <h3 style="grid-area:r">Roadside unit</h3>
        ${tile("c1", "camera", "Camera", "")}</figure>
        ${tile("c2", "sent", "Map sent", "")}</figure>
        <div class="air"></div>
        ${tile("r1", "received", "Map at the RSU", "")}</figure>
        ${tile("r2", "image", "Image at the RSU", "")}
          <div class="evidence">${Object.entries(EVIDENCE).map(([name, rgb]) =>
            `<button data-evidence="${name}" style="--own:rgb(${rgb})" title="Show its pixels (key E: all)"></button>`).join("")}</div></figure>
        ${tile("p1", "points", "Points in 3D", "drag to turn")}</figure>
        <div class="meters" style="grid-area:p2"></div>
      </div>
      <div class="key">${["arrived", "damaged", "lost"].map((name) =>
        `<span><i style="background:var(--${name})"></i>${name}</span>`).join("")}
        <span><i style="background:var(--snr)"></i>SNR</span><span class="span">bytes a frame, last ${WINDOW_S} s</span></div>
      <canvas class="timeline" role="img" aria-label="Bytes and losses over time"></canvas>`;
    this.part("h2").textContent = name.replace(/^\//, "") || "/";
    for (const button of this.root.querySelectorAll("[data-evidence]"))
      button.onclick = () => toggleEvidence(button.dataset.evidence);
    const draw = () => this.points && drawPoints(this.part(".points"), this.points, CLASSES);
    turnable(this.part(".points"), draw);
    this.drawPoints = draw;
    for (const what of ["sent", "received"])
      this.part(`.${what}`).onmousemove = (event) => this.explain(event, what);
    byId("vehicles").append(this.root);
  }

  part(selector) { return this.root.querySelector(selector); }

  async show(head, blobs) {
    const of = (what) => head.pictures[what] && blobs.subarray(head.pictures[what][0],
      head.pictures[what][0] + head.pictures[what][1]);
    this.head = head;
    this.tell();
    for (const what of ["camera", "image"]) if (of(what)) {
      const picture = await createImageBitmap(new Blob([of(what)], { type: "image/jpeg" }));
      this.maps[what]?.close();
      this.maps[what] = picture;
    }
    if (!head.sends_labels && this.maps.sent) {
      delete this.maps.sent;
      this.context("sent").clearRect(0, 0, WIDTH, HEIGHT);
    }
    for (const what of ["sent", "received", "confidence"])
      if (of(what)) this.maps[what] = await inflated(of(what));
    if (of("points")) { this.points = await inflated(of("points")); this.drawPoints(); }
    this.draw();
  }

  tell() {
    const { state, alerts, totals, radio, latency, image_hz, codec, sends_labels, every_s } = this.head;
    const chip = this.part(".state");
    chip.className = `state ${state[0]}`;
    write(chip, state[1]);
    this.root.classList.toggle("stale", state[0] === "lost");
    for (const what of ["camera", "sent", "received", "image", "points"])
      this.part(`.${what}`).classList.toggle("stale", this.head.old.includes(what));
    const told = alerts.join("\n");
    if (told !== this.told) {
      this.told = told;
      this.part(".alerts").replaceChildren(...alerts.map((text) => {
        const line = document.createElement("li");
        line.textContent = text;
        return line;
      }));
    }
    const note = (of, text) => write(this.part(`.${of}`).parentNode.querySelector("span"), text);
    note("camera", every_s ? `every ${every_s.toFixed(1)} s: the drive is late` : "");
    note("sent", sends_labels ? "what is in the street" : "none: the map is made at the RSU");
    note("received", sends_labels ? "dim: less sure" : "as the RSU reads it");
    note("image", sends_labels ? "a guess, with objects of the map" : "as received");
    const mcs = [...new Set(radio.mcs.split(" "))].join(" ");
    const ratio = totals.bytes ? Math.round(3 * WIDTH * HEIGHT / totals.bytes) : 0;
    const facts = [[`${totals.bytes}`, "bytes a frame"],
      [ratio ? `1 : ${ratio}` : "–", "of its pixels"], [`${totals.kbps}`, "kbit/s"],
      radio.channel === "none" ? ["ideal", "radio"] : [radio.snr_db ? `${radio.snr_db} dB` : "–", "SNR"],
      [mcs.replaceAll("_", " ") || codec || "–", mcs ? "modulation, code" : "codec"],
      [totals.lost === null ? "–" : `${Math.round(100 * totals.lost)} %`, "lost"]];
    write(this.part(".air"), facts.map(([value, text], i) =>
      `<div><${i ? "i" : "b"}>${escaped(value)}</${i ? "i" : "b"}><span>${text}</span></div>`).join(""), "innerHTML");
    const meters = [["labels", "Camera to map"], ["image", "Camera to image"]].map(([of, title]) => {
      const { p50, worst, limit } = latency[of];
      const share = Math.min(100, 50 * (p50 ?? 0) / limit);
      return `<div class="meter"><div><b>${title}</b><span>${p50 === null ? "–" :
        `${p50.toFixed(0)} ms, worst ${worst.toFixed(0)} ms`}, limit ${limit} ms</span></div>
        <div class="track"><i class="${p50 > limit ? "over" : ""}" style="width:${share}%"></i><u style="left:50%"></u></div></div>`;
    });
    write(this.part(".meters"), meters.join("") + `<div class="flow">
      <div><b>${totals.rate_hz.toFixed(1)} Hz</b><span>frames sent</span></div>
      <div><b>${image_hz ? Number(image_hz).toFixed(1) : "–"} Hz</b><span>images made</span></div>
      <div><b>${this.head.boxes.length}</b><span>objects</span></div></div>`, "innerHTML");
  }

  draw() {
    const { camera, sent, received, image } = this.maps;
    const confidence = this.head.old.includes("confidence") ? undefined : this.maps.confidence;
    if (camera) this.context("camera").drawImage(camera, 0, 0);
    if (sent) paint(this.context("sent"), sent);
    if (received) {
      const context = this.context("received");
      paint(context, received, confidence);
      if (confidence) this.overlay(context, confidence);
    }
    if (image) this.drawImage(image, confidence);
    this.countEvidence(confidence);
    drawTimeline(this.part(".timeline"), this.head.timeline);
  }

  explain({ target, offsetX, offsetY }, what) {
    const x = Math.floor(WIDTH * offsetX / target.clientWidth);
    const at = x + WIDTH * Math.floor(HEIGHT * offsetY / target.clientHeight);
    const name = CLASSES[this.maps[what]?.[at]]?.[0] ?? "nothing known";
    const sure = what === "received" ? this.maps.confidence?.[at] : undefined;
    target.title = sure === undefined ? name : `${name}: ${evidenceOf(sure)}, ${Math.round(sure / 2.55)} % sure`;
  }

  context(what) { return this.part(`.${what}`).getContext("2d"); }

  drawImage(image, confidence) {
    const canvas = this.part(".image"), scale = 2;
    if (canvas.width !== scale * WIDTH) { canvas.width = scale * WIDTH; canvas.height = scale * HEIGHT; }
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    if (confidence) this.overlay(context, confidence, scale);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.font = "500 11px Roboto, sans-serif";
    for (const [name, score, left, top, width, height] of this.head.boxes) {
      const [, r, g, b] = CLASSES.find(([known]) => known === name) ?? ["", 40, 40, 40];
      context.strokeStyle = "#fff"; context.lineWidth = 2.5; context.strokeRect(left, top, width, height);
      context.strokeStyle = `rgb(${r} ${g} ${b})`; context.lineWidth = 1.5; context.strokeRect(left, top, width, height);
      if (width < 14) continue;
      const text = width < 40 ? name : `${name} ${score.toFixed(2)}`, wide = context.measureText(text).width + 6;
      const x = Math.max(0, Math.min(left, WIDTH - wide)), y = Math.max(13, top);
      context.fillStyle = `rgb(${r} ${g} ${b})`; context.fillRect(x, y - 13, wide, 13);
      context.fillStyle = r + 2 * g + b > 480 ? "#111" : "#fff"; context.fillText(text, x + 3, y - 3);
    }
  }

  overlay(context, confidence, scale = 1) {
    if (shownEvidence.size) overlay(context, confidence, shownEvidence, scale);
  }

  countEvidence(confidence) {
    const found = confidence && shares(confidence);
    for (const button of this.root.querySelectorAll("[data-evidence]")) {
      const name = button.dataset.evidence, share = found?.[name];
      write(button, `${name} ${!found ? "–" : share > 0 && share < 1 ? "<1" : share.toFixed(0)} %`);
      button.setAttribute("aria-pressed", shownEvidence.has(name));
    }
  }
}

// What is there already costs nothing: a change makes the browser lay out the page anew.
function write(element, text, as = "textContent") {
  if (element.written !== text) element[as] = element.written = text;
}

function escaped(text) {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function drawTimeline(canvas, frames) {
  const ratio = window.devicePixelRatio, width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * ratio; canvas.height = height * ratio;
  const pen = canvas.getContext("2d"), left = 34, right = width - 34, base = height - 16, top = 6;
  pen.scale(ratio, ratio);
  pen.font = "11px Roboto, sans-serif";
  const most = Math.max(256, ...frames.map((frame) => frame[1])) * 1.1;
  const x = (age) => right - (right - left) * age / WINDOW_S;
  const y = (bytes) => base - (base - top) * bytes / most;
  const ySnr = (snr) => base - (base - top) * (Math.max(-20, Math.min(40, snr)) + 20) / 60;
  pen.strokeStyle = colour("line"); pen.fillStyle = colour("soft");
  for (let age = 0; age <= WINDOW_S; age += 5) {
    pen.textAlign = age ? "center" : "right";
    pen.fillText(age ? `−${age} s` : "now", x(age), height - 3);
  }
  const grid = most > 1000 ? 400 : most > 500 ? 200 : 100;
  for (let bytes = 0; bytes < most; bytes += grid) {
    pen.beginPath(); pen.moveTo(left, y(bytes)); pen.lineTo(right, y(bytes)); pen.stroke();
    pen.textAlign = "right"; pen.fillText(bytes, left - 5, y(bytes) + 4);
  }
  const wide = Math.max(1.5, Math.min(7, (right - left) / WINDOW_S / 10 - 1));
  for (const [age, bytes, , , outcome] of frames) {
    pen.fillStyle = colour(outcome === "sent" ? "soft" : outcome);
    pen.fillRect(x(age) - wide, y(bytes), wide, base - y(bytes));
  }
  const heard = frames.filter((frame) => frame[5] !== null);
  if (!heard.length) return;
  pen.strokeStyle = pen.fillStyle = colour("snr"); pen.lineWidth = 1.6; pen.textAlign = "left";
  pen.beginPath();
  for (const [age, , , , , snr] of heard) pen.lineTo(x(age), ySnr(snr));
  pen.stroke();
  for (const snr of [-20, 0, 20, 40]) pen.fillText(snr === 40 ? "40 dB" : snr, right + 4, ySnr(snr) + 4);
}

function toggleEvidence(...names) {
  const all = names.every((name) => shownEvidence.has(name));
  for (const name of names) all ? shownEvidence.delete(name) : shownEvidence.add(name);
  for (const vehicle of vehicles.values()) vehicle.draw();
}

function showEmpty(text) {
  if (vehicles.size) return;
  byId("vehicles").innerHTML = `<p class="empty">${text}</p>`;
}

let socket, busy = false;
function connect() {
  if (socket || document.hidden) return;
  socket = new WebSocket(`${location.origin.replace("http", "ws")}/live`);
  socket.binaryType = "arraybuffer";
  socket.onclose = () => {
    socket = undefined;
    for (const { root } of vehicles.values()) {
      root.classList.add("stale");
      root.querySelector(".state").className = "state lost";
      write(root.querySelector(".state"), "the dashboard has gone");
    }
    showEmpty("The dashboard has gone: start it again and this page goes on.");
    setTimeout(connect, 1000);
  };
  socket.onmessage = async ({ data }) => {
    if (busy) return;
    busy = true;
    try {
      const size = new DataView(data).getUint32(0, true);
      const heads = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, size)));
      const blobs = new Uint8Array(data, 4 + size);
      for (const [name, { root }] of vehicles) // a dashboard that was started anew knows none that went
        if (!heads.some((head) => head.name === name)) { root.remove(); vehicles.delete(name); }
      showEmpty("No vehicle yet: start a drive and it appears.");
      for (const head of heads) {
        if (!vehicles.size) byId("vehicles").replaceChildren();
        if (!vehicles.has(head.name)) vehicles.set(head.name, new Vehicle(head.name));
        await vehicles.get(head.name).show(head, blobs);
      }
    } finally { busy = false; }
  };
}

document.addEventListener("visibilitychange", () => document.hidden ? socket?.close() : connect());
document.addEventListener("keydown", (event) => {
  if (event.key === "e" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest("input, textarea, select"))
    toggleEvidence("inferred", "invented");
});
const waiting = setInterval(() => {
  if (!byId("vehicles")) return; // the page is still being laid out
  clearInterval(waiting);
  connect();
}, 50);

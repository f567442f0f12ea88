// SPDX-License-Identifier: Apache-2.0
// A cloud of points seen from where the visitor turns it to; no WebGL is needed for some thousands.
const EYE = { yaw: 0.22, pitch: 0.34, away: 0.85 };
const FAR_CM = 6000, MIDDLE_CM = 1600;

export function turnable(canvas, draw) {
  canvas.eye = { ...EYE };
  canvas.tabIndex = 0;
  const turn = (yaw, pitch, away = 1) => {
    const eye = canvas.eye;
    eye.yaw += yaw;
    eye.pitch = Math.max(-0.2, Math.min(1.5, eye.pitch + pitch));
    eye.away = Math.max(0.3, Math.min(3, eye.away * away));
    draw();
  };
  canvas.onpointermove = (event) => event.buttons && turn(-event.movementX / 200, event.movementY / 200);
  canvas.onpointerdown = (event) => canvas.setPointerCapture(event.pointerId);
  canvas.onwheel = (event) => {
    if (document.activeElement !== canvas) return; // the page is scrolled
    event.preventDefault();
    turn(0, 0, event.deltaY > 0 ? 1.1 : 0.9);
  };
  canvas.onkeydown = (event) => {
    const by = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
    if (by) { event.preventDefault(); turn(...by); }
  };
  canvas.ondblclick = () => { canvas.eye = { ...EYE }; draw(); };
}

// bytes: int16 [n, 3] in cm (x right, y down, z ahead of the camera), then uint8 [n] labels.
export function drawPoints(canvas, bytes, classes) {
  const n = Math.floor(bytes.length / 7), xyz = new Int16Array(bytes.slice(0, 6 * n).buffer);
  const pen = canvas.getContext("2d"), { width, height } = canvas, { yaw, pitch, away } = canvas.eye;
  const [sy, cy, sp, cp] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
  const seen = [];
  for (let i = 0; i < n; i++) {
    const x = xyz[3 * i], y = xyz[3 * i + 1], z = xyz[3 * i + 2] - MIDDLE_CM;
    if (z > FAR_CM - MIDDLE_CM) continue;
    const across = cy * x + sy * z, along = cy * z - sy * x;
    const depth = cp * along + sp * y + 2600 * away, down = cp * y - sp * along;
    if (depth > 100) seen.push([depth, width / 2 + 420 * across / depth, height * 0.5 + 420 * down / depth, bytes[6 * n + i]]);
  }
  seen.sort((a, b) => b[0] - a[0]);
  pen.clearRect(0, 0, width, height);
  for (const [depth, x, y, label] of seen) {
    const [, r, g, b] = classes[label] ?? ["", 120, 120, 120], size = Math.max(1.2, Math.min(6, 5000 / depth));
    pen.fillStyle = `rgb(${r + 30} ${g + 30} ${b + 30})`;
    pen.fillRect(x, y, size, size);
  }
}

// Canvases over one axis of time.

const PALETTE = ["#8b93a0", "#4fb3d9", "#e3b505", "#2f6fbf", "#d6382d", "#8e5bb5", "#4f9a3c", "#ee8a2a"];
const HEAT = [[13, 8, 60], [84, 15, 109], [187, 55, 84], [249, 142, 9], [252, 255, 164]];
const LEFT = 50, RIGHT = 10, TOP = 6, BOTTOM = 20;

export function colour(place) {
  return place < PALETTE.length ? PALETTE[place] : `hsl(${(place * 137) % 360} 55% 55%)`;
}

export function drawWaveform(canvas, { low, high }, seconds) {
  const { pen, box, style } = begin(canvas);
  const most = Math.max(0.01, ...high, ...low.map((value) => -value));
  const middle = box.y + box.h / 2;
  const scale = (0.47 * box.h) / most;
  pen.fillStyle = style("--accent");
  low.forEach((value, i) => {
    const top = middle - high[i] * scale;
    pen.fillRect(box.x + (i * box.w) / low.length, top, Math.max(1, box.w / low.length), Math.max(1, (high[i] - value) * scale));
  });
  label(pen, style, [[`${most.toFixed(2)}`, box.y + 5], ["0", middle], [`-${most.toFixed(2)}`, box.y + box.h - 5]], box);
  times(pen, style, box, seconds);
}

export function drawSpectrogram(canvas, { db, top_hz }, seconds) {
  const { pen, box, style } = begin(canvas);
  const bands = db[0].length;
  const image = new ImageData(db.length, bands);
  db.forEach((column, x) => column.forEach((value, band) => {
    image.data.set([...heat((value + 80) / 80), 255], 4 * ((bands - 1 - band) * db.length + x));
  }));
  const small = new OffscreenCanvas(db.length, bands);
  small.getContext("2d").putImageData(image, 0, 0);
  pen.drawImage(small, box.x, box.y, box.w, box.h);
  const mel = (hz) => (hz < 1000 ? (3 * hz) / 200 : 15 + Math.log(hz / 1000) / (Math.log(6.4) / 27)); // Slaney's, as librosa's
  const marks = [500, 1000, 2000, 4000, 8000].filter((hz) => hz <= top_hz);
  label(pen, style, marks.map((hz) => [hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`, box.y + 5 + (box.h - 5) * (1 - mel(hz) / mel(top_hz))]), box);
  times(pen, style, box, seconds);
}

export function drawProbabilities(canvas, windows, classes, seconds) {
  const { pen, box, style } = begin(canvas);
  const x = (time) => box.x + (time / seconds) * box.w;
  const middles = windows.map(({ start, end }) => x((start + end) / 2));
  const places = [box.x, ...middles, box.x + box.w];
  const rows = [windows[0], ...windows, windows[windows.length - 1]];
  let below = rows.map(() => 0);
  classes.forEach((name, place) => {
    const above = rows.map((row, i) => below[i] + row.probabilities[name]);
    pen.beginPath();
    places.forEach((at, i) => pen.lineTo(at, box.y + box.h * (1 - above[i])));
    [...places.keys()].reverse().forEach((i) => pen.lineTo(places[i], box.y + box.h * (1 - below[i])));
    pen.closePath();
    pen.fillStyle = colour(place);
    pen.fill();
    pen.strokeStyle = style("--card");
    pen.stroke();
    below = above;
  });
  label(pen, style, [["1", box.y + 5], ["0.5", box.y + box.h / 2], ["0", box.y + box.h - 5]], box);
  times(pen, style, box, seconds);
}

function begin(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = Number(canvas.dataset.height ??= canvas.getAttribute("height"));
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.height = `${height}px`;
  const values = getComputedStyle(document.documentElement);
  const style = (name) => values.getPropertyValue(name).trim();
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = "12px system-ui, sans-serif";
  const box = { x: LEFT, y: TOP, w: width - LEFT - RIGHT, h: height - TOP - BOTTOM };
  pen.fillStyle = style("--plot");
  pen.fillRect(box.x, box.y, box.w, box.h);
  return { pen, box, style };
}

function label(pen, style, marks, box) {
  pen.fillStyle = style("--soft");
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  marks.forEach(([text, y]) => pen.fillText(text, box.x - 5, y));
}

function times(pen, style, box, seconds) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300];
  const step = steps.find((one) => (one / seconds) * box.w >= 55) ?? 600;
  pen.fillStyle = style("--soft");
  pen.textBaseline = "top";
  for (let i = 0; i * step <= seconds; i++) {
    const at = box.x + ((i * step) / seconds) * box.w;
    pen.textAlign = i === 0 ? "left" : at > box.x + box.w - 18 ? "right" : "center";
    pen.fillText(`${Number((i * step).toFixed(1))} s`, at, box.y + box.h + 5);
    pen.fillRect(at, box.y + box.h, 1, 3);
  }
}

function heat(value) {
  const at = Math.max(0, Math.min(1, value)) * (HEAT.length - 1);
  const lower = Math.min(HEAT.length - 2, Math.floor(at));
  return HEAT[lower].map((one, i) => Math.round(one + (at - lower) * (HEAT[lower + 1][i] - one)));
}

import { colour, drawProbabilities, drawSpectrogram, drawWaveform } from "/drawing.js";
import { Recording, decoded, full } from "/recording.js";

const at = (id) => document.getElementById(id);
const counted = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
const percent = (value) => `${(100 * value).toFixed(1)} %`;
let about, answer, recording, address;

function make(kind, text = "", names = "") {
  const made = document.createElement(kind);
  made.textContent = text;
  made.className = names;
  return made;
}

function say(text) {
  at("status").textContent = text;
}

function fail(text) {
  at("fault").textContent = text;
  at("fault").hidden = !text;
}

function busy(state) {
  at("file").disabled = at("record").disabled = state;
}

// --- the bundle

async function introduce() {
  const response = await fetch("/api/bundle");
  about = await response.json();
  if (!response.ok) throw new Error(about.error);
  const { limits } = about;
  const scored = ({ value, low, high }) => {
    const interval = low === null ? "too few test speakers for an interval" : `${about.confidence * 100} % interval ${low.toFixed(3)} to ${high.toFixed(3)}`;
    return `${value.toFixed(3)} (${interval})`;
  };
  const tested = about.classes.filter((name) => typeof about.recalls[name] === "number");
  const chance = (1 / tested.length).toFixed(3);
  const corpora = about.corpora.map((one) => `${one.title} (${counted(one.clips, "clip")}, ${counted(one.speakers, "speaker")}; licence: ${one.licence})`);
  const others = about.others.map((one) => `${scored(one.uar)} on ${one.title}, ${counted(one.clips, "clip")}`);
  const facts = {
    Name: about.name + (about.members > 1 ? `, ${about.members} classifiers` : ""),
    Emotions: about.classes.join(", "),
    "Trained on": corpora.join("; "),
    UAR: `${scored(about.uar)}; chance is ${chance}. Cross-validation by speaker, ${counted(about.tested_clips, "clip")} of ${counted(about.tested_speakers, "speaker")}`,
    ...(others.length ? { "UAR elsewhere": `${others.join("; ")}. It was not trained on these` } : {}),
    Recalls: tested.map((name) => `${name} ${about.recalls[name].toFixed(2)}`).join(", "),
    "Unsure below": about.threshold.toFixed(2),
    Temperature: about.temperature.toFixed(2),
  };
  at("bundle").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
  at("example").hidden = !about.example;
  at("synthetic").hidden = !about.corpora.some((one) => one.synthetic);
  at("limits").textContent = `At most ${limits.megabytes}\u00a0MB and ${limits.seconds}\u00a0s.`;
}

// --- a recording

async function predict(file, name) {
  fail("");
  if (about && file.size > about.limits.megabytes * 1e6) {
    fail(`${name}: larger than ${about.limits.megabytes} MB`);
    return;
  }
  busy(true);
  say(`${name} is being computed …`);
  try {
    const [sound, heard] = await asked(file);
    answer = heard;
    say(`${name}: ${answer.seconds.toFixed(1)} s at ${answer.rate.toLocaleString("en")} Hz`);
    listen(sound);
    show();
  } catch (error) {
    say("");
    fail(`${name}: ${error.message}`);
    ["result", "pictures", "player"].forEach((id) => (at(id).hidden = true)); // they are another recording's
  } finally {
    busy(false);
  }
}

// Ask the server; a file that it cannot read is decoded here, if the browser can, and sent again.
async function asked(file) {
  const first = await sent(file);
  if (first.ok || first.status !== 422 || !first.body.error.startsWith("not readable")) return [file, checked(first)];
  const again = await decoded(file).catch(() => null);
  return again ? [again, checked(await sent(again))] : [file, checked(first)];
}

async function sent(file) {
  const query = new URLSearchParams({ window: at("window").value, hop: at("hop").value, picture: "true" });
  const request = { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } };
  const response = await fetch(`/api/predict?${query}`, request).catch(() => {
    throw new Error("the server does not answer");
  });
  return { ok: response.ok, status: response.status, body: await response.json() };
}

function checked({ ok, body }) {
  if (!ok) throw new Error(body.error);
  return body;
}

function listen(file) {
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(file);
  at("player").src = address;
  at("player").hidden = false;
}

// --- the answer

function show() {
  at("result").hidden = at("pictures").hidden = false;
  const { prediction } = answer;
  at("headline").textContent = prediction ? prediction.emotion : longText();
  at("headline").classList.toggle("none", !prediction);
  at("sure").textContent = prediction ? sureText(prediction) : "";
  at("warnings").replaceChildren(...(prediction?.warnings ?? []).map((line) => make("li", line)));
  at("bars").hidden = !prediction;
  at("bars").tBodies[0].replaceChildren(...(prediction ? bars(prediction) : []));
  at("legend").replaceChildren(...about.classes.map((name, place) => entry(name, place)).reverse());
  table();
  draw();
}

function longText() {
  return `This recording is longer than ${about.limits.clip_seconds} s, so that there is no prediction for it as a whole. Its windows are shown over time.`;
}

function sureText({ confidence, unsure }) {
  const said = `Probability ${percent(confidence)}`;
  return unsure ? `Unsure: ${said.toLowerCase()} is below ${percent(about.threshold)}` : said;
}

function bars({ probabilities, emotion }) {
  return about.classes.map((name, place) => {
    const row = make("tr", "", name === emotion ? "first" : "");
    const head = make("th", name);
    head.scope = "row";
    const track = make("div", "", "track"), bar = make("div", "", "bar");
    bar.style.width = percent(probabilities[name]).replace(" ", "");
    bar.style.background = colour(place);
    track.append(bar);
    const cell = make("td");
    cell.append(track);
    row.append(head, cell, make("td", percent(probabilities[name]), "value"));
    return row;
  });
}

function entry(name, place) {
  const item = make("li"), swatch = make("span", "", "swatch");
  swatch.style.background = colour(place);
  item.append(swatch, name);
  return item;
}

function table() {
  const row = (kind, values) => {
    const made = make("tr");
    made.append(...values.map((value) => make(kind, value, Number.isNaN(Number.parseFloat(value)) ? "word" : "")));
    return made;
  };
  at("windows").tHead.replaceChildren(row("th", ["start, s", "end, s", "emotion", "unsure", ...about.classes]));
  at("windows").tBodies[0].replaceChildren(...answer.windows.map((one) => row("td", [
    one.start.toFixed(2), one.end.toFixed(2), one.emotion, one.unsure ? "unsure" : "–", ...about.classes.map((name) => one.probabilities[name].toFixed(3)),
  ])));
}

function draw() {
  if (!answer) return;
  const { picture, windows, seconds } = answer;
  drawWaveform(at("waveform"), picture, seconds);
  drawSpectrogram(at("spectrogram"), picture, seconds);
  drawProbabilities(at("probabilities"), windows, about.classes, seconds);
  const most = Math.max(...picture.high, ...picture.low.map((value) => -value));
  at("waveform").setAttribute("aria-label", `Waveform of ${seconds.toFixed(1)} s; the largest sample is ${most.toFixed(2)} of full scale`);
  at("spectrogram").setAttribute("aria-label", `Spectrogram of ${seconds.toFixed(1)} s, 0 to ${picture.top_hz} Hz`);
  const turns = windows.filter((one, i) => i === 0 || one.emotion !== windows[i - 1].emotion);
  const told = turns.slice(0, 20).map((one) => `from ${one.start.toFixed(1)} s ${one.emotion}`).join(", ");
  at("probabilities").setAttribute("aria-label", `Most probable emotion of the windows: ${told}${turns.length > 20 ? ", and so on" : ""}. A table follows.`);
}

// --- controls

async function record() {
  if (recording) {
    const ended = recording;
    recording = null;
    pressed(false);
    busy(true);
    const file = await ended.end().finally(() => busy(false));
    await predict(file, "your recording");
    return;
  }
  fail("");
  const focused = document.activeElement === at("record"); // what is disabled loses the focus
  busy(true); // the browser may ask for permission, and a second click would begin a second recording
  try {
    recording = await Recording.begin((seconds, bytes) => {
      if (!recording) return;
      say(`recording: ${seconds.toFixed(1)} s`);
      if (about && full(seconds, bytes, about.limits)) record();
    });
  } catch (error) {
    fail(error.name === "NotAllowedError" ? "The browser does not allow this page to use the microphone." : error.message);
  } finally {
    busy(false);
    pressed(Boolean(recording));
    if (focused) at("record").focus();
  }
}

function pressed(state) {
  at("record").textContent = state ? "Stop" : "Record";
  at("record").setAttribute("aria-pressed", state);
  at("file").disabled = state;
}

function dropping(event, over) {
  event.preventDefault();
  at("drop").classList.toggle("over", over);
}

at("record").addEventListener("click", record);
at("file").addEventListener("change", async ({ target }) => {
  const [file] = target.files;
  if (file) await predict(file, file.name);
  target.value = ""; // so that the same file can be chosen again
});
["dragenter", "dragover"].forEach((name) => addEventListener(name, (event) => dropping(event, true)));
addEventListener("dragleave", (event) => event.relatedTarget === null && dropping(event, false));
addEventListener("drop", (event) => {
  dropping(event, false);
  const [file] = event.dataTransfer.files;
  if (file && !recording && !at("file").disabled) predict(file, file.name);
});
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
introduce().catch((error) => fail(`the bundle is not known: ${error.message}`));

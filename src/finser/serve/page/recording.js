// The microphone as a WAV file, without the compression and the noise suppression of a browser.

const RAW = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const HEADER = 44; // bytes of a WAV file before its samples

export class Recording {
  // Ask for the microphone, and begin. `told` is called with the seconds, and the bytes of the file, so far.
  static async begin(told) {
    if (!navigator.mediaDevices || !window.AudioWorkletNode) {
      throw new Error("This page may not record: browsers allow it on this computer (127.0.0.1) or over https alone.");
    }
    const recording = new Recording();
    recording.stream = await navigator.mediaDevices.getUserMedia({ audio: RAW });
    try {
      await recording.listen(told);
    } catch (error) {
      await recording.close(); // otherwise the microphone stays open
      throw error;
    }
    return recording;
  }

  async listen(told) {
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule("/recorder.js");
    const node = new AudioWorkletNode(this.context, "finser-recorder", { numberOfOutputs: 1 });
    this.blocks = [];
    this.count = 0;
    node.port.onmessage = ({ data }) => {
      this.blocks.push(data);
      this.count += data.length;
      told(this.seconds, HEADER + 2 * this.count);
    };
    this.context.createMediaStreamSource(this.stream).connect(node);
    node.connect(this.context.destination); // it is silent; a node that leads nowhere may not be run
  }

  async close() {
    this.stream.getTracks().forEach((track) => track.stop());
    await this.context?.close();
  }

  get seconds() {
    return this.count / this.context.sampleRate;
  }

  // End, and return the file.
  async end() {
    await this.close();
    return wav(this.blocks, this.context.sampleRate);
  }
}

// Return whether a recording is a second before the most seconds or the most bytes that the server takes: blocks come until it ends.
export function full(seconds, bytes, limits) {
  const second = (bytes - HEADER) / seconds;
  return seconds >= limits.seconds - 1 || bytes >= limits.megabytes * 1e6 - second;
}

// Return blocks of float samples as a mono WAV file of 16 bits.
export function wav(blocks, rate) {
  const count = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(HEADER + 2 * count));
  const text = (at, letters) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * count, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // mono
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * count, true);
  let at = HEADER;
  for (const block of blocks) {
    for (const value of block) {
      view.setInt16(at, Math.round(32767 * Math.max(-1, Math.min(1, value))), true);
      at += 2;
    }
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}

// Return a file that the browser can decode, and libsndfile cannot (M4A, WebM), as WAV.
export async function decoded(file) {
  const context = new AudioContext();
  try {
    const sound = await context.decodeAudioData(await file.arrayBuffer());
    const mean = new Float32Array(sound.length);
    for (let channel = 0; channel < sound.numberOfChannels; channel++) {
      sound.getChannelData(channel).forEach((value, i) => (mean[i] += value / sound.numberOfChannels));
    }
    return wav([mean], sound.sampleRate);
  } finally {
    await context.close();
  }
}

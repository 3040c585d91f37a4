// The microphone as a WAV file, without the compression and the noise suppression of a browser.

const RAW = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };

export class Recording {
  // Ask for the microphone, and begin. `told` is called with the seconds and the bytes so far.
  static async begin(told) {
    if (!navigator.mediaDevices || !window.AudioWorkletNode) {
      throw new Error("This page may not record: browsers allow it on this computer (127.0.0.1) or over https alone.");
    }
    const recording = new Recording();
    recording.stream = await navigator.mediaDevices.getUserMedia({ audio: RAW });
    recording.context = new AudioContext();
    try {
      await recording.context.audioWorklet.addModule("/recorder.js");
    } catch (error) {
      recording.release(); // or the microphone would stay on
      throw error;
    }
    const node = new AudioWorkletNode(recording.context, "finser-recorder", { numberOfOutputs: 1 });
    recording.blocks = [];
    recording.count = 0;
    node.port.onmessage = ({ data }) => {
      recording.blocks.push(data);
      recording.count += data.length;
      told(recording.seconds, recording.bytes);
    };
    recording.context.createMediaStreamSource(recording.stream).connect(node);
    node.connect(recording.context.destination); // it is silent; a node that leads nowhere may not be run
    return recording;
  }

  get seconds() {
    return this.count / this.context.sampleRate;
  }

  // The size of the file so far.
  get bytes() {
    return 44 + 2 * this.count;
  }

  async release() {
    this.stream.getTracks().forEach((track) => track.stop());
    await this.context.close();
  }

  // End, and return the file.
  async end() {
    await this.release();
    return wav(this.blocks, this.context.sampleRate);
  }
}

// Return blocks of float samples as a mono WAV file of 16 bits.
export function wav(blocks, rate) {
  const count = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
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
  let at = 44;
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

// Sends the samples of the microphone to the page, which encodes them: browsers record to WebM, which libsndfile does not read.
class Recorder extends AudioWorkletProcessor {
  process([input]) {
    if (input.length) this.port.postMessage(input[0].slice());
    return true;
  }
}
registerProcessor("finser-recorder", Recorder);

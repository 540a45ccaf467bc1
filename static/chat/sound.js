// chat/sound.js – two soft tones, made by the browser: no file to load.
//
//   chime()  does nothing until the person has touched the page (browsers insist)

/** @type {AudioContext|undefined} */
let audio;

export function chime() {
  try {
    audio ??= new AudioContext();
    if (audio.state === "suspended") return void audio.resume().catch(() => {});
    tone(audio, 660, 0);
    tone(audio, 880, 0.12);
  } catch {
    // No sound device: nothing to hear.
  }
}

/** @param {AudioContext} audio @param {number} pitch @param {number} delay */
function tone(audio, pitch, delay) {
  const start = audio.currentTime + delay;
  const volume = audio.createGain();
  volume.gain.setValueAtTime(0, start);
  volume.gain.linearRampToValueAtTime(0.08, start + 0.02);
  volume.gain.exponentialRampToValueAtTime(0.001, start + 0.35);
  const source = audio.createOscillator();
  source.frequency.value = pitch;
  source.connect(volume).connect(audio.destination);
  source.start(start);
  source.stop(start + 0.4);
}

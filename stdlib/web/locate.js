// Finds the one byte of a line that was changed, by trying every other value at every place until the
// hash is right again.

import { addBlock, firstState, paddedTail } from "./sha256.js";

const longest = 3000, patience = 60000, slice = 15;

/**
 * Gives { at, was }, the place in `bytes` and its earlier value; null when more than one byte differs,
 * or the line is too long to try. `hash` has the first 32 hex digits. It yields to the page.
 */
export async function locateByte(bytes, hash) {
  if (bytes.length > longest) return null;
  const message = paddedTail(bytes, 0), words = new Int32Array(64), state = firstState();
  const wanted = [0, 8, 16, 24].map((at) => parseInt(hash.slice(at, at + 8), 16));
  const states = [firstState()];
  for (let at = 0; at < message.length; at += 64) {
    addBlock(state, words, message, at);
    states.push(state.slice());
  }
  const began = performance.now();
  let paused = began;
  for (let place = 0; place < bytes.length; place++) {
    const is = message[place], block = place - (place % 64), before = states[block / 64];
    for (let value = 0; value < 256; value++) {
      if (value === is) continue;
      message[place] = value;
      state.set(before);
      for (let at = block; at < message.length; at += 64) addBlock(state, words, message, at);
      if (state[0] === wanted[0] && wanted.every((word, i) => state[i] === word)) return { at: place, was: value };
    }
    message[place] = is;
    if (performance.now() - paused < slice) continue;
    await new Promise((resume) => setTimeout(resume));
    paused = performance.now();
    if (paused - began > patience) return null;
  }
  return null;
}

// Finds the one changed byte of a line. It tries every other value at every position until the hash
// matches.

import { addBlock, firstState, paddedTail } from "./sha256.js";

const longest = 3000, patience = 60000, slice = 15;

/**
 * Returns the position of the changed byte and its earlier value as { at, was }. Returns null if more
 * than one byte differs, the line is too long, or a minute has passed. `hash` has the first 32 hex
 * digits of the correct hash. The search yields to the page regularly.
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

// A synchronous SHA-256, because a promise for each of ten thousand lines is slow. It also works where
// a page has no secure context and so no crypto.subtle, as with file:// in some browsers.

const rounds = new Uint32Array(64);
const start = new Uint32Array(8);

function fillConstants() {
  let found = 0;
  for (let number = 2; found < 64; number++) {
    let isPrime = true;
    for (let factor = 2; factor * factor <= number; factor++) {
      if (number % factor === 0) isPrime = false;
    }
    if (!isPrime) continue;
    if (found < 8) start[found] = (Math.sqrt(number) % 1) * 0x100000000;
    rounds[found++] = (Math.cbrt(number) % 1) * 0x100000000;
  }
}
fillConstants();

function rotate(word, by) {
  return (word >>> by) | (word << (32 - by));
}

/** Adds the 64 bytes at `at` to a state. `words` is an Int32Array(64) as scratch memory. */
export function addBlock(state, words, bytes, at) {
  for (let i = 0; i < 16; i++, at += 4) {
    words[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  }
  for (let i = 16; i < 64; i++) {
    const near = words[i - 15], far = words[i - 2];
    const low = rotate(near, 7) ^ rotate(near, 18) ^ (near >>> 3);
    const high = rotate(far, 17) ^ rotate(far, 19) ^ (far >>> 10);
    words[i] = words[i - 16] + low + words[i - 7] + high;
  }
  let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  for (let i = 0; i < 64; i++) {
    const high = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const first = (h + high + ((e & f) ^ (~e & g)) + rounds[i] + words[i]) | 0;
    const low = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const second = (low + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + first) | 0;
    d = c; c = b; b = a; a = (first + second) | 0;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d;
  state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

/** Returns the state before the first block. */
export function firstState() {
  return start.slice();
}

/** Returns the end of a message with its padding: the bytes from offset `whole` on. */
export function paddedTail(bytes, whole) {
  const rest = bytes.length - whole;
  const tail = new Uint8Array(rest % 64 < 56 ? rest - (rest % 64) + 64 : rest - (rest % 64) + 128);
  tail.set(bytes.subarray(whole));
  tail[rest] = 0x80;
  const view = new DataView(tail.buffer);
  view.setUint32(tail.length - 8, Math.floor(bytes.length / 0x20000000));
  view.setUint32(tail.length - 4, (bytes.length << 3) >>> 0);
  return tail;
}

/** Returns the SHA-256 of a Uint8Array as 64 hex digits. */
export function sha256(bytes) {
  const state = firstState(), words = new Int32Array(64);
  const whole = bytes.length - (bytes.length % 64);
  for (let at = 0; at < whole; at += 64) addBlock(state, words, bytes, at);
  const tail = paddedTail(bytes, whole);
  for (let at = 0; at < tail.length; at += 64) addBlock(state, words, tail, at);
  return Array.from(state, (word) => word.toString(16).padStart(8, "0")).join("");
}

// Checks the record of a run. Each line of its journal contains the hash of the previous line, the
// journal contains the hash of run.json, and run.json contains the hashes of the other files.

import { locateByte } from "./locate.js";
import { sha256 } from "./sha256.js";

const utf8 = new TextDecoder("utf-8");
const form = new RegExp('^\\{"number":(\\d+),"generation":(\\d+),("rest_durable":true,)?"previous":"([^"]*)",' +
  '"hash":"([0-9a-f]{32})",("body":.*)$', "s");
const first = "moonlet-journal-2";

/**
 * Returns a text with one character for each byte, so that it can be cut by characters. A decoder for
 * "latin1" would not do: browsers decode windows-1252, in which 0x89 has the low byte of "0".
 */
function textOfBytes(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}

/** Returns the hashed bytes of a line: all but its own hash. */
function hashedBytes(parts) {
  const text = `{"number":${parts[1]},"generation":${parts[2]},${parts[3] || ""}"previous":"${parts[4]}",${parts[6]}`;
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function hashOf(parts) {
  return sha256(hashedBytes(parts)).slice(0, 32);
}

function firstDifference(one, other) {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  return at;
}

/**
 * Finds the altered byte of a damaged line. Resolves to { at, was }, its offset in the line and its
 * earlier value (undefined if unknown), or to null if it cannot be found.
 */
async function findByte(parts, previous, next) {
  if (!parts) return null;
  const ownHash = parts[0].indexOf('"hash":"') + 8, link = parts[0].indexOf('"previous":"') + 12;
  if (next && hashOf(parts) === next[4]) return { at: ownHash + firstDifference(parts[5], next[4]) };
  const linked = parts.slice();
  linked[4] = previous;
  if (hashOf(linked) === parts[5]) return { at: link + firstDifference(parts[4], previous) };
  const found = await locateByte(hashedBytes(parts), parts[5]);
  // The hashed bytes lack the field "hash" (42 bytes), so offsets behind it shift by that.
  return found && { at: found.at < ownHash - 8 ? found.at : found.at + 42, was: found.was };
}

/**
 * Checks a journal. Returns { records, head, bodies, damage }. `bodies` has the parsed records before
 * the damage. `damage` is null, or { line, from, to, bytes, find } for the first altered line, where
 * `find()` searches that line for its altered byte.
 */
export function checkJournal(bytes) {
  const result = { records: 0, head: "", bodies: [], damage: null };
  let previous = first, from = 0;
  while (from < bytes.length) {
    const newline = bytes.indexOf(10, from);
    const to = newline < 0 ? bytes.length : newline;
    const parts = form.exec(textOfBytes(bytes.subarray(from, to)));
    const number = result.records + 1;
    const isWhole = newline >= 0 && parts && Number(parts[1]) === number && parts[4] === previous &&
      hashOf(parts) === parts[5];
    let body = null;
    if (isWhole) {
      try {
        body = JSON.parse(utf8.decode(bytes.subarray(from, to))).body;
      } catch {
        body = null;
      }
    }
    if (!body) {
      const end = bytes.indexOf(10, to + 1);
      const next = form.exec(textOfBytes(bytes.subarray(to + 1, end < 0 ? bytes.length : end)));
      const link = previous;
      result.damage = { line: number, from, to, bytes: bytes.subarray(from, to),
        find: () => findByte(parts, link, next) };
      return result;
    }
    result.bodies.push(body);
    result.records = number;
    result.head = previous = parts[5];
    from = to + 1;
  }
  return result;
}

/** Lists the files that differ from the record: [{ path, why }]. */
export function checkFiles(files, journal, run) {
  const altered = [];
  let recorded = "", ended = null;
  for (const body of journal.bodies) {
    if (typeof body.record === "string") recorded = body.record;
    if (body.type === "over" || body.type === "imported") ended = body;
  }
  const own = files.get("run.json");
  if (own && !journal.damage && ended && sha256(own) !== recorded) {
    altered.push({ path: "run.json", why: "its hash is not the one in the journal" });
  }
  const listed = (run && run.files) || {};
  for (const [name, bytes] of files) {
    const entry = name.startsWith("sidecar/") ? listed[name.slice(8)] : null;
    if (!entry || !entry.sha256) continue;
    const bound = entry.grows ? bytes.subarray(0, entry.bytes) : bytes;
    if (sha256(bound) !== entry.sha256) altered.push({ path: name, why: "its hash is not the one in run.json" });
  }
  return altered;
}

// Unpacks the record in a page: a tar archive (ustar), compressed with gzip, in base64.

const block = 512;
const latin1 = new TextDecoder("latin1");
const utf8 = new TextDecoder("utf-8");

function field(bytes, at, size) {
  const part = bytes.subarray(at, at + size);
  const end = part.indexOf(0);
  return end < 0 ? part : part.subarray(0, end);
}

/** Reads a tar archive into a Map of name -> Uint8Array, in the archive's order. */
export function readArchive(bytes) {
  const files = new Map();
  for (let at = 0; at + block <= bytes.length && bytes[at] !== 0;) {
    const prefix = utf8.decode(field(bytes, at + 345, 155));
    const name = utf8.decode(field(bytes, at, 100));
    const size = parseInt(latin1.decode(field(bytes, at + 124, 12)), 8) || 0;
    files.set(prefix ? prefix + "/" + name : name, bytes.subarray(at + block, at + block + size));
    at += block + Math.ceil(size / block) * block;
  }
  return files;
}

function fromBase64(text) {
  const raw = atob(text.trim());
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

/** Unpacks the base64 text of a record into a Map of name -> Uint8Array. */
export async function unpack(text) {
  const stream = new Blob([fromBase64(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return readArchive(new Uint8Array(await new Response(stream).arrayBuffer()));
}

/** Returns a file as text, or "" if it is missing. */
export function textOf(files, name) {
  const bytes = files.get(name);
  return bytes ? utf8.decode(bytes) : "";
}

/** Parses a file as JSON. Returns null if it is missing or malformed. */
export function jsonOf(files, name) {
  try {
    return JSON.parse(textOf(files, name));
  } catch {
    return null;
  }
}

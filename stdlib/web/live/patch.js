// Updates the page's elements in place, so that focus, selection, scroll positions and open details
// stay. An element with data-key is recognised even if its position has changed.

const keyOf = (node) => (node.nodeType === 1 ? node.getAttribute("data-key") : null);

function sameKind(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);
}

function patchAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    // Only the reader opens and closes <details>.
    if (!fresh.hasAttribute(name) && name !== "open" && name !== "style") old.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (name !== "open" && name !== "style" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  // The page's security policy forbids style attributes, so set styles through the DOM.
  if (fresh.style.length) old.style.cssText = fresh.style.cssText;
}

/** Changes `old` until it equals `fresh`. */
export function patchNode(old, fresh) {
  if (old.nodeType !== 1) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  // Such an element draws itself, or the reader is writing in it.
  if (old.hasAttribute("data-own")) return;
  patchAttributes(old, fresh);
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(old.nodeName)) return;
  patchChildren(old, fresh);
}

/** Changes the children of `old` until they equal those of `fresh`. */
export function patchChildren(old, fresh) {
  const keyed = new Map();
  for (const child of old.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const known = keyOf(wanted) && keyed.get(keyOf(wanted));
    if (known && sameKind(known, wanted)) {
      if (known === at) at = at.nextSibling; else old.insertBefore(known, at);
      patchNode(known, wanted);
    } else if (at && !keyOf(wanted) && sameKind(at, wanted)) {
      patchNode(at, wanted);
      at = at.nextSibling;
    } else {
      old.insertBefore(wanted, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** Updates a container to show these elements. */
export function show(container, ...children) {
  const fresh = document.createElement("div");
  fresh.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  patchChildren(container, fresh);
}

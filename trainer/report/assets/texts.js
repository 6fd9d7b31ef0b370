"use strict";
// Texts of completions: as they are, with their steps coloured.

const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/;

const word = (mark) => (mark === 1 ? "right" : mark === 0 ? "wrong" : "");

// Return a text as it is, with its steps coloured; characters that one cannot see are named.
function shownText(text, steps, strings) {
  const node = h("div", { class: "text", dir: "auto" });
  const characters = /[\ud800-\udfff]/.test(text) ? Array.from(text) : text; // steps count characters, not UTF-16
  const part = (from, to) => (typeof characters === "string" ? characters.slice(from, to) : characters.slice(from, to).join(""));
  let at = 0;
  for (const [start, end, value, advantage, reason] of steps || []) {
    plain(node, part(at, start));
    const kind = value === null ? "" : value >= 0.5 ? "right" : "wrong";
    const span = h("span", { class: `step ${kind}`, title: `mark ${number(value)} ${strings[reason]}` });
    plain(span, part(start, end));
    const said = advantage === null ? number(value) : `${number(value)}, A ${number(advantage)}`;
    node.append(span, h("sub", {}, ` ${said}`));
    at = end;
  }
  plain(node, part(at, characters.length));
  return node;
}

function plain(node, text) {
  for (const piece of text.split(new RegExp(`(${HIDDEN.source})`))) {
    if (piece.length === 1 && HIDDEN.test(piece)) {
      node.append(h("span", { class: "code" }, `U+${piece.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`));
    } else if (piece) node.append(piece);
  }
}

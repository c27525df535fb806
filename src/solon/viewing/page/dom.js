// Elements of text alone: nothing that a model wrote is ever read as markup.

const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u034f\u115f\u1160\u3164\uffa0\u17b4\u17b5\u2800]/gu;

// The text with every character that cannot be seen spelled out; line feeds and tabs stay.
export function visible(text) {
  return text.replaceAll("\r\n", "\n").replace(UNSEEN, (char) =>
    char === "\n" || char === "\t" ? char : `⟨U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

// An element with attributes and children; a child that is a text becomes a text.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "class") made.className = value;
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export const $ = (id) => document.getElementById(id);

export const percent = (share) => `${(100 * share).toFixed(1)}%`;

export const count = (number) => number.toLocaleString("en");

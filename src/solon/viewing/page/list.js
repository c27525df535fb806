// A list of any length: only the rows that can be seen are elements, and only those near them are held.

import { $, count, element, visible } from "/dom.js";
import { ask } from "/server.js";

const ROW = 54; // pixels, as in app.css
const BLOCK = 100; // rows that are fetched at once
const BLOCKS = 12; // that are held
const TALLEST = 12_000_000; // pixels: browsers draw no taller element
const MARKS = { first: "1", second: "2", tie: "=", both_bad: "×", score: "★", cannot_say: "?", skip: "–" };

export class List {
  constructor(chosen, lost) {
    this.chosen = chosen;
    this.lost = lost;
    this.box = $("list");
    this.sizer = $("sizer");
    this.pool = [];
    this.reset("", 0);
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(this.box);
    this.box.addEventListener("click", (event) => {
      const row = event.target.closest("[data-number]");
      if (row) this.choose(Number(row.dataset.number));
    });
  }

  reset(name, total) {
    this.name = name;
    this.total = total;
    this.at = -1;
    this.blocks = new Map();
    this.box.scrollTop = 0;
    this.sizer.style.height = `${Math.min(total * ROW, TALLEST)}px`;
    this.draw();
  }

  // The pixel of the whole list that is at the top: the sizer may be shorter than the list.
  get offset() {
    const room = this.sizer.clientHeight - this.box.clientHeight;
    return room > 0 ? (this.box.scrollTop / room) * (this.total * ROW - this.box.clientHeight) : 0;
  }

  draw() {
    const top = this.offset, first = Math.max(0, Math.floor(top / ROW) - 4);
    const last = Math.min(this.total, Math.ceil((top + this.box.clientHeight) / ROW) + 4);
    while (this.pool.length < last - first) {
      const row = element("div", { role: "option", class: "row" });
      this.pool.push(row);
      this.sizer.append(row);
    }
    this.pool.forEach((row, place) => {
      // a number keeps its element while it can be seen, so that nothing is drawn twice
      const spread = this.pool.length, base = first + ((place - first) % spread + spread) % spread;
      const shown = base < last;
      row.hidden = !shown;
      if (!shown) return;
      row.style.transform = `translateY(${this.box.scrollTop + base * ROW - top}px)`;
      const value = this.row(base);
      if (row.dataset.number === String(base) && row.drawn === value && row.current === (base === this.at)) return;
      row.dataset.number = String(base);
      row.id = `row-${base}`;
      row.drawn = value;
      row.current = base === this.at;
      row.setAttribute("aria-selected", String(row.current));
      row.setAttribute("aria-setsize", String(this.total));
      row.setAttribute("aria-posinset", String(base + 1));
      row.replaceChildren(...contents(base, value));
    });
    if (this.at >= 0) this.box.setAttribute("aria-activedescendant", `row-${this.at}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  row(number) {
    const block = Math.floor(number / BLOCK), held = this.blocks.get(block);
    if (held === undefined) this.fetch(block);
    return Array.isArray(held) ? held[number % BLOCK] : undefined;
  }

  fetch(block) {
    const name = this.name;
    const waiting = ask("rows", { list: name, from: block * BLOCK, count: BLOCK }).then(({ rows }) => {
      if (this.name !== name) return;
      this.blocks.delete(block);
      this.blocks.set(block, rows);
      for (const old of this.blocks.keys()) {
        if (this.blocks.size <= BLOCKS) break;
        this.blocks.delete(old);
      }
      this.draw();
      return rows;
    });
    this.blocks.set(block, waiting);
    waiting.catch((error) => {
      if (this.name === name) this.lost(error);
    });
    return waiting;
  }

  async choose(number) {
    if (number < 0 || number >= this.total) return false;
    this.at = number;
    const top = number * ROW, offset = this.offset;
    if (top < offset || top + ROW > offset + this.box.clientHeight) {
      const room = this.total * ROW - this.box.clientHeight, wanted = Math.max(0, top - this.box.clientHeight / 3);
      this.box.scrollTop = room > 0 ? (wanted / room) * (this.sizer.clientHeight - this.box.clientHeight) : 0;
    }
    this.draw();
    const block = Math.floor(number / BLOCK), held = this.blocks.get(block);
    const rows = Array.isArray(held) ? held : await (held ?? this.fetch(block));
    if (this.at === number && rows?.[number % BLOCK]) await this.chosen(rows[number % BLOCK].place);
    return true;
  }

  // Tells the row of an item what was said of it.
  note(item) {
    for (const rows of this.blocks.values()) {
      const place = Array.isArray(rows) ? rows.findIndex((row) => row.place === item.place) : -1;
      if (place >= 0) rows[place] = item.row;
    }
    this.draw();
  }
}

function contents(number, row) {
  if (!row) return [element("span", { class: "number" }, count(number + 1)), element("span", { class: "snippet" }, "…")];
  const said = element("span", { class: "said", title: row.said ? `I said: ${row.said.replace("_", " ")}` : "" }, MARKS[row.said] ?? "");
  const about = [row.principles.join(", "), row.topic].filter(Boolean).map(visible).join(" · ");
  const judge = row.judge ?? {};
  const flags = [judge.orders && "orders disagree", judge.panel && "panel disagrees", ...(judge.reasons ?? [])].filter(Boolean);
  return [
    element("span", { class: "number" }, count(number + 1)), said,
    element("span", { class: "snippet" }, visible(row.prompt)),
    element("span", { class: "about" }, about, flags.map((flag) => element("b", {}, flag))),
  ];
}

// What judges said: both orders, votes, rankings, revisions, failures; or what was measured of two answers.

import { count, element, percent, visible } from "/dom.js";

export function verdict(item, about) {
  const box = element("article", { class: "judge", id: "judge", "aria-label": "The judge's verdict" },
    element("h2", {}, item.measured ? "What was measured" : "The judge"));
  if (item.measured) box.append(...item.measured.map(measured));
  else box.append(summary(item, about), ...item.judgments.map((one) => judgment(one, about)));
  return box;
}

function summary(item, about) {
  const { lean } = item;
  if (lean === null) return element("p", { class: "lean" }, "No verdict: what failed is below.");
  if (item.options.length === 1) {
    const { low, high } = about.scale;
    return element("p", { class: "lean" }, `Score ${(low + lean * (high - low)).toFixed(2)} on the scale from ${low} to ${high}.`);
  }
  const says = lean === 0 ? "Tie" : lean > 0 ? "A is better" : "B is better";
  return element("p", { class: "lean" }, `${says}, margin ${Math.abs(lean).toFixed(2)}.`);
}

function judgment(one, about) {
  const head = element("h3", {}, visible(one.labeler),
    one.order.length === 2 ? element("small", {}, one.rounds ? ` revises ${one.order[0]}` : ` is shown ${one.order.join(", then ")}`) : "");
  return element("section", { class: one.failed ? "judgment failed" : "judgment" }, head, outcome(one, about),
    one.rationale ? element("div", { class: "text", dir: "auto" }, visible(one.rationale)) : null,
    cost(one), votes(one, about));
}

function outcome(one, about) {
  if (one.failed) {
    return element("div", {}, element("p", {}, element("b", {}, `Failed: ${one.failed}`)),
      one.raw ? element("div", { class: "text raw", dir: "auto" }, visible(one.raw)) : null);
  }
  if (one.rounds) return element("ol", {}, one.rounds.map(round));
  if (one.ranking) return element("ol", { class: "ranking" }, one.ranking.map(ranked));
  const sure = one.probability === null || one.probability === undefined ? "" : `, sure to ${percent(one.probability)}`;
  if (one.order.length === 2) {
    const [first, second] = one.scores;
    const better = first === second ? "neither" : one.order[first > second ? 0 : 1];
    const meter = element("meter", { min: 0, max: 1, value: one.order[0] === "A" ? first : second, "aria-label": "Share for A" });
    return element("p", {}, meter, ` ${better} is better: ${percent(Math.max(first, second))}${better === "neither" ? " each" : ` for ${better}`}${sure}`);
  }
  if (one.scale === "logit") return element("p", {}, `logit ${one.scores[0].toFixed(3)}${sure}`);
  const { low, high } = about.scale;
  return element("p", {}, `${percent(one.scores[0])} of the scale, ${(low + one.scores[0] * (high - low)).toFixed(2)} from ${low} to ${high}${sure}`);
}

function round(one) {
  return element("li", {}, element("h4", {}, `critique under ${visible(one.principle)}`),
    element("div", { class: "text", dir: "auto" }, visible(one.critique)), element("h4", {}, "revision"),
    element("div", { class: "text", dir: "auto" }, visible(one.revision)));
}

function ranked(one) {
  return element("li", {}, element("b", {}, `${one.letter} ${percent(one.score)} `), visible(one.text.slice(0, 500)));
}

function cost(one) {
  const parts = [one.tokens ? `${count(one.tokens)} tokens` : "", one.usd ? `$${one.usd.toPrecision(3)}` : ""].filter(Boolean);
  return parts.length ? element("p", { class: "small" }, parts.join(", ")) : null;
}

function votes(one, about) {
  if (!one.votes.length) return null;
  return element("details", { open: true }, element("summary", {}, `${one.votes.length} votes`), one.votes.map((vote) => judgment(vote, about)));
}

function measured(one) {
  const rows = Object.entries(one.changes).map(([name, both]) => element("tr", {}, element("th", { scope: "row" }, visible(name)),
    both.map((value) => element("td", {}, shown(value)))));
  return element("table", {}, element("caption", {}, `decoding: ${one.decoding}`),
    element("thead", {}, element("tr", {}, ["", "before", "after"].map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, rows));
}

function shown(value) {
  if (value === null) return "–";
  return typeof value === "boolean" ? (value ? "yes" : "no") : String(Number(value.toPrecision(4)));
}

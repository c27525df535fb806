// One question: the prompt, the principles, what is compared or rated, and what to say of it.

import { difference } from "/diff.js";
import { $, count, element, visible } from "/dom.js";
import { verdict } from "/judge.js";

export const SAID = {
  first: "A is better", second: "B is better", tie: "tie", both_bad: "both bad", cannot_say: "cannot say", skip: "skipped",
};

// What is hidden at first: of labels the judge's verdict, of answers which model's is which.
const HIDDEN = {
  labels: { hidden: "The judge's verdict is hidden", show: "Show the judge's", told: "the judge's was shown" },
  answers: { hidden: "Which is whose, and what was measured, is hidden", show: "Show whose", told: "you were told whose they are" },
};
const of = (about) => HIDDEN[about.kind];

let marking = true;

export function toggleMarks() {
  marking = !marking;
}

// Notes by the question's id: those that were typed and go with no verdict yet, and those of verdicts, for when one is taken back.
const drafts = new Map(), given = new Map();

// Keeps the note that is being written, for when its question is seen again.
export function keepDraft() {
  const note = $("note");
  if (!note) return;
  if (note.value === note.dataset.recorded) drafts.delete(note.dataset.item);
  else drafts.set(note.dataset.item, note.value);
}

// Draws an item. `about` is what is known of the run, `say` records what somebody says of it.
export function draw(item, about, say) {
  const box = $("item"), note = element("textarea", {
    id: "note", rows: 1, maxlength: 10000, placeholder: "Note (n)", "aria-label": "Note",
  });
  // what is drawn again stays as it was left: the note that is being written, and where the page was
  const same = box.dataset.place === String(item.place), top = same ? box.scrollTop : 0;
  const written = same ? $("note")?.value : null, recorded = item.mine?.note ?? "";
  keepDraft();
  if (item.mine) given.set(item.id, recorded);
  note.value = written ?? drafts.get(item.id) ?? (item.mine ? recorded : given.get(item.id)) ?? "";
  Object.assign(note.dataset, { item: item.id, recorded });
  box.dataset.place = item.place;
  // whoever goes from button to button stays where they are
  const { id, dataset } = document.activeElement ?? {}, held = box.contains(document.activeElement);
  const place = !held ? "" : id ? `#${id}` : dataset.say ? `[data-say="${dataset.say}"][data-score="${dataset.score}"]` : "";
  box.replaceChildren(
    ...principles(item), conversation(item), options(item), actions(item, about, say, note), mine(item, about),
    item.revealed ? verdict(item, about) : element("p", { class: "hidden" }, `${of(about).hidden} until you ask for it (Enter).`),
  );
  if (place) (box.querySelector(place) ?? box).focus({ preventScroll: true });
  box.scrollTop = top;
}

function principles(item) {
  return item.principles.map((one) => element("p", { class: "principle" },
    element("b", {}, visible(one.id)), one.hard ? element("i", {}, " hard ") : " ", visible(one.text)));
}

function conversation(item) {
  const turns = item.messages.map((turn) => element("div", { class: `turn ${turn.role}` },
    item.messages.length > 1 ? element("h3", {}, turn.role) : null, body(turn, [{ same: true, text: turn.text }])));
  const more = [item.topic && `topic: ${item.topic}`, item.reference && `reference answer: ${item.reference}`].filter(Boolean);
  return element("article", { class: "prompt", "aria-label": "Prompt" }, element("h2", {}, "Prompt"), turns,
    more.map((line) => element("p", { class: "small" }, visible(line))));
}

function options(item) {
  const [first, second] = item.options;
  const marked = second && marking ? difference(first.text, second.text) : null;
  const plain = (option) => [{ same: true, text: option.text }];
  const one = (option, letter, runs) => {
    const picked = item.mine && (item.mine.said === "first" ? "A" : item.mine.said === "second" ? "B" : "") === letter;
    const title = second ? letter : "Response";
    const whose = item.answers ? `${item.answers[letter === "A" ? 0 : 1]} training` : "";
    return element("article", { class: `option ${picked ? "picked" : ""}`, "aria-label": second ? `Response ${letter}` : title },
      element("h2", {}, title, element("small", {}, visible([whose, option.model].filter(Boolean).map((word) => ` ${word}`).join(" ·")),
        option.stop === "end" ? "" : ` (${option.stop})`, picked ? " · your choice" : "")), body(option, runs));
  };
  const same = second && first.text === second.text;
  const note = same ? "Both responses are the same text."
    : marked?.whole ? "They have too little in common for differences to be marked." : "";
  return element("div", { class: second ? "options two" : "options" },
    one(first, "A", marked?.first ?? plain(first)), second ? one(second, "B", marked?.second ?? plain(second)) : null,
    note ? element("p", { class: "small wide" }, note) : null);
}

function body(text, runs) {
  const shown = runs.map((run) => (run.same ? visible(run.text) : element("mark", {}, visible(run.text))));
  const empty = text.text === "" ? element("i", {}, "(empty)") : null;
  const more = text.more ? element("p", { class: "small" }, `… ${count(text.more)} more characters, which are not shown`) : null;
  return element("div", { class: "text", dir: "auto" }, empty, shown, more);
}

function actions(item, about, say, note) {
  const button = (said, label, key, score) => {
    const on = item.mine?.said === said && (score === undefined || item.mine.score === score);
    const made = element("button", { type: "button", "data-say": said, "data-score": score ?? "", "aria-pressed": String(on), "aria-keyshortcuts": key },
      label, " ", element("kbd", {}, key));
    made.addEventListener("click", () => say(said, score));
    return made;
  };
  const { low, high, meaning } = about.scale;
  const scores = Array.from({ length: Math.min(high - low, 100) + 1 }, (_, step) => low + step);
  const verdicts = item.options.length === 2
    ? [button("first", "A is better", "1"), button("tie", "Tie", "0"), button("second", "B is better", "2"), button("both_bad", "Both bad", "x")]
    : scores.map((score) => {
      const made = button("score", String(score), score >= 0 && score <= 9 ? String(score) : "", score);
      if (meaning[score]) made.title = meaning[score];
      return made;
    });
  const shows = element("button", { type: "button", "data-say": "reveal", "data-score": "", "aria-keyshortcuts": "Enter" }, `${of(about).show} `, element("kbd", {}, "Enter"));
  shows.addEventListener("click", () => say("reveal"));
  return element("div", { class: "actions", role: "group", "aria-label": "Your verdict" },
    verdicts, button("cannot_say", "Cannot say", "f"), button("skip", "Skip", "s"), item.revealed ? null : shows, note);
}

function mine(item, about) {
  const said = item.mine;
  if (!said) return element("p", { class: "mine", id: "mine" }, "");
  const what = said.said === "score" ? `a score of ${said.score} from ${about.scale.low} to ${about.scale.high}` : SAID[said.said];
  const blind = `${said.blind ? "before" : "after"} ${of(about).told}`;
  return element("p", { class: "mine", id: "mine" }, `You said: ${what}, ${blind}.`);
}

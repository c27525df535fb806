// The page as a whole: what is looked at, what is filtered, which key does what.

import { $, count, element, visible } from "/dom.js";
import { draw, keepDraft, toggleMarks } from "/item.js";
import { List } from "/list.js";
import { ask, look, looking, tell } from "/server.js";

const KINDS = { labels: "Labels", answers: "Before and after" };
const list = new List(open, (error) => toast(error.message, true));
let about = null, item = null, filtering = 0, waiting = 0, queue = Promise.resolve(), queued = 0;

// One deed after the other, in the order in which they were asked for, however fast somebody types.
function guarded(deed) {
  queued++;
  queue = queue.then(async () => {
    try {
      toast("");
      await deed();
    } catch (error) {
      toast(error.message, true);
    } finally {
      queued--;
    }
  });
}

function toast(text, wrong = false) {
  $("toast").textContent = visible(text);
  $("toast").className = wrong ? "wrong" : "";
}

async function begin(kind) {
  if (kind) look(kind);
  about = await ask("about");
  look(about.kind);
  $("name").textContent = visible(about.name);
  document.title = `${visible(about.name)} – solon view`;
  document.body.classList.toggle("rating", about.rates);
  $("margin").textContent = !about.rates ? "Margin" : about.blind ? "Score, where it was shown" : "Score";
  for (const name of ["principle", "judge", "topic", "reason"]) choices(name, about[`${name}s`]);
  const orders = about.rates ? ["file", "random", "lowest", "highest"] : ["file", "random", "closest", "clearest"];
  for (const entry of filters().elements.order.options) entry.hidden = !orders.includes(entry.value);
  $("kinds").replaceChildren(...(about.kinds.length > 1 ? about.kinds : []).map((each) => {
    const button = element("button", { type: "button", "aria-pressed": String(each === about.kind) }, KINDS[each]);
    button.addEventListener("click", () => guarded(() => begin(each)));
    return button;
  }));
  stand(about.counts);
  await filter();
}

function choices(name, texts) {
  const select = filters().elements[name], kept = select.value;
  select.replaceChildren(select.options[0], ...texts.map((text) => element("option", { value: text }, visible(text))));
  select.value = texts.includes(kept) ? kept : "";
  select.closest("label").hidden = texts.length === 0;
}

const filters = () => $("filters");

async function filter() {
  const mine = ++filtering, values = Object.fromEntries(new FormData(filters()));
  for (const end of ["low", "high"]) {
    const number = Number.parseFloat(values[end]);
    values[end] = Number.isFinite(number) ? Math.min(1, Math.max(0, number)) : end === "low" ? 0 : 1;
  }
  const answer = await tell("list", { filters: values });
  if (mine !== filtering) return;
  $("found").textContent = `${count(answer.total)} ${answer.total === 1 ? "question" : "questions"}`
    + (about.drawn ? `, of ${count(about.drawn.n)} drawn at random from ${count(about.drawn.of)} (seed ${about.drawn.seed})` : "")
    + (about.partial ? ", the run is still at work" : "") + chosen(answer);
  keepDraft();
  list.reset(answer.list, answer.total);
  item = null;
  delete $("item").dataset.place;
  $("item").replaceChildren(element("p", { class: "hidden" }, answer.total ? "" : "No question passes these filters."));
  await list.choose(0);
}

// Why what is said here tells of no other labels, where a sample was asked for.
function chosen(answer) {
  if (!about.drawn) return "";
  if (about.partial) return ": what you say counts as chosen, not drawn, until it is done and you refresh (r)";
  return answer.chosen ? "; by a filter or an order, so what you say of them counts as chosen, not drawn" : "";
}

async function open(place) {
  const found = await ask("item", { place });
  show(found);
}

function show(found) {
  item = found;
  draw(item, about, (said, score) => guarded(saying(said, score)));
  stand(item.counts);
}

function stand(counts) {
  const hidden = about.blind ? "" : " · the judge's verdicts are shown, so yours count for no agreement";
  const others = counts.others ? ` · ${counts.others} more ${counts.others === 1 ? "person has" : "people have"} judged here` : "";
  $("told").textContent = `${visible(about.annotator)}: ${count(counts.verdicts)} ${counts.verdicts === 1 ? "verdict" : "verdicts"} in ${about.file}${others}${hidden}`;
}

// What is said is of the question that is seen now, whatever else has yet to be done before it.
function saying(said, score) {
  if (!item) return null;
  const { place } = item, note = said === "reveal" ? "" : $("note").value, from = list.name;
  return async () => {
    const told = await tell("say", { place, list: from, said, note, ...(score === undefined ? {} : { score }) });
    list.note(told);
    if (item?.place !== place) return;
    show(told);
    if (said === "skip") await list.choose(list.at + 1);
  };
}

async function undo() {
  const told = await tell("undo");
  list.note(told);
  show(told);
  toast("Taken back: this question has no verdict of yours now.");
}

async function refresh() {
  about = await tell("refresh");
  await begin(looking());
  toast("Read again.");
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  const typing = event.target.matches("input, textarea, select");
  if (event.key === "Escape" && typing) {
    event.target.blur();
    $("list").focus();
    return;
  }
  if (typing) return;
  if (event.key === "Enter" && event.target.matches("button, summary, a")) return;
  const deed = deeds(event.key);
  if (!deed) return;
  event.preventDefault();
  if (deed.now) {
    deed();
    return;
  }
  if (event.repeat && (!deed.repeats || queued)) return;
  guarded(deed);
}

const now = (deed) => Object.assign(deed, { now: true });
const step = (by) => Object.assign(() => list.choose(list.at + by), { repeats: true });

function deeds(pressed) {
  const name = pressed.length === 1 ? pressed.toLowerCase() : pressed;
  const common = {
    j: step(1), ArrowDown: step(1), k: step(-1), ArrowUp: step(-1),
    f: saying("cannot_say"), s: saying("skip"), u: undo, r: refresh,
    "?": now(() => $("keys").showModal()), "/": now(() => {
      $("filtering").open = true;
      filters().elements.search.focus();
    }),
    n: now(() => $("note")?.focus()),
    d: () => {
      toggleMarks();
      if (item) show(item);
    },
    Enter: item && !item.revealed ? saying("reveal") : step(1),
  };
  if (common[name]) return common[name];
  if (!about || !item) return null;
  if (about.rates) {
    const score = /^[0-9]$/.test(name) ? Number(name) : null;
    return score !== null && score >= about.scale.low && score <= about.scale.high ? saying("score", score) : null;
  }
  const said = { 1: "first", a: "first", 2: "second", b: "second", 0: "tie", t: "tie", x: "both_bad" }[name];
  return said ? saying(said) : null;
}

document.addEventListener("keydown", key);
$("help").addEventListener("click", () => $("keys").showModal());
$("refresh").addEventListener("click", () => guarded(refresh));
filters().addEventListener("submit", (event) => event.preventDefault());
filters().addEventListener("reset", () => setTimeout(() => guarded(filter)));
filters().addEventListener("input", (event) => {
  clearTimeout(waiting);
  waiting = setTimeout(() => guarded(filter), event.target.type === "search" ? 150 : 0);
});
$("filtering").open = !matchMedia("(max-width: 760px)").matches;
guarded(() => begin(""));

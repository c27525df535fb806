// Filters, search and order of the held-out answers. It reads what stands in the page and writes plain text only.
(() => {
  "use strict";
  const section = document.getElementById("examples");
  const controls = section && section.querySelector(".controls");
  if (!controls) return;
  const FIRST = 12, MORE = 48;
  const find = (name) => section.querySelector(`[data-role="${name}"]`);
  const any = { value: "" }; // in place of a list that the page has no use for
  const metric = find("metric") || any, topic = find("topic") || any, order = find("order") || any;
  const list = find("list"), search = find("search");
  const told = find("told"), none = find("none"), more = find("more");
  const kinds = [...controls.querySelectorAll("input[type=radio]")];
  const plain = (text) => text.normalize("NFC").toLowerCase().replace(/\s+/g, " ").trim();
  const samples = [...list.children].map((node) => ({
    node,
    kind: node.dataset.kind,
    tag: node.querySelector(".kind"),
    topic: node.dataset.topic || "",
    gains: new Map(node.dataset.gains.split(" ").filter(Boolean).map((pair) => {
      const [number, by] = pair.split(":");
      return [number, Number(by)];
    })),
    text: plain([...node.querySelectorAll(".said")].map((said) => said.textContent).join("\n")),
  }));
  let limit = FIRST, found = [];

  const kindOf = (sample) => {
    if (!metric.value) return sample.kind;
    const by = sample.gains.get(metric.value);
    return by === undefined ? "unjudged" : by > 0 ? "improved" : by < 0 ? "degraded" : "unchanged";
  };

  const sorted = (found) => {
    if (!metric.value || !order.value) return found;
    const sign = order.value === "best" ? -1 : 1;
    const by = (sample) => sample.gains.get(metric.value);
    const measured = found.filter((sample) => by(sample) !== undefined).sort((a, b) => sign * (by(a) - by(b)));
    return [...measured, ...found.filter((sample) => by(sample) === undefined)];
  };

  const update = () => {
    const wanted = (kinds.find((input) => input.checked) || any).value;
    const words = plain(search.value);
    const fits = samples.filter((sample) =>
      (!topic.value || sample.topic === topic.value) && (!words || sample.text.includes(words)));
    for (const input of kinds) {
      const count = input.value ? fits.filter((sample) => kindOf(sample) === input.value).length : fits.length;
      input.parentElement.querySelector("[data-role=count]").textContent = count.toLocaleString("en");
    }
    found = sorted(fits.filter((sample) => !wanted || kindOf(sample) === wanted));
    order.disabled = !metric.value;
    for (const sample of samples) {
      sample.node.hidden = true;
      const kind = kindOf(sample);
      sample.tag.textContent = kind === "unjudged" ? "" : kind;
      sample.tag.className = `kind ${kind}`;
    }
    for (const sample of found) list.append(sample.node);
    for (const sample of found.slice(0, limit)) sample.node.hidden = false;
    const left = found.length - Math.min(limit, found.length);
    const unmeasured = metric.value ? found.filter((sample) => !sample.gains.has(metric.value)).length : 0;
    told.textContent = `${found.length.toLocaleString("en")} of ${samples.length.toLocaleString("en")} samples`
      + (unmeasured ? `, ${unmeasured.toLocaleString("en")} of them not measured` : "");
    none.hidden = found.length > 0;
    more.hidden = left === 0;
    more.textContent = `Show ${Math.min(MORE, left)} more of ${left.toLocaleString("en")}`;
  };

  const anew = () => { limit = FIRST; update(); };
  const clear = () => {
    for (const input of kinds) input.checked = !input.value;
    for (const choice of [metric, topic, order]) choice.value = "";
    search.value = "";
    anew();
  };
  controls.addEventListener("input", anew);
  find("clear").addEventListener("click", () => { clear(); search.focus(); });
  more.addEventListener("click", () => {
    const next = found[limit];
    limit += MORE;
    update();
    if (next) next.node.focus();
  });
  controls.hidden = false;
  update();
})();

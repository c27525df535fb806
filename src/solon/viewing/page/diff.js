// Which words of two texts are not in the other: Myers' shortest edit script (1986) over words, spaces and marks.

const MOST_EDITS = 1200; // beyond that two texts have too little in common for marks to help
const MOST_WORDS = 60000;

export function words(text) {
  return text.match(/[\p{L}\p{M}\p{N}_]+|\s+|[^\p{L}\p{M}\p{N}_\s]/gu) ?? [];
}

// Runs of both texts: {same, text}. `whole` says that too much differs, and nothing is marked.
export function difference(first, second) {
  const a = words(first), b = words(second);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const left = a.slice(head, a.length - tail), right = b.slice(head, b.length - tail);
  const kept = left.length + right.length > MOST_WORDS ? null : common(left, right);
  if (kept === null) return { first: [{ same: true, text: first }], second: [{ same: true, text: second }], whole: true };
  const marked = (all, middle, side) => runs([
    ...all.slice(0, head).map((word) => [true, word]),
    ...middle.map((word, place) => [kept[side].has(place), word]),
    ...all.slice(all.length - tail).map((word) => [true, word]),
  ]);
  return { first: marked(a, left, 0), second: marked(b, right, 1), whole: false };
}

function runs(pairs) {
  const found = [];
  for (const [same, word] of pairs) {
    const last = found.at(-1);
    if (last && last.same === same) last.text += word;
    else found.push({ same, text: word });
  }
  return found;
}

// The places of the words that both have in common, in either; null where it takes more than MOST_EDITS.
function common(a, b) {
  const n = a.length, m = b.length, most = Math.min(n + m, MOST_EDITS);
  const kept = [new Set(), new Set()];
  if (n === 0 || m === 0) return kept;
  const furthest = new Int32Array(2 * most + 3), middle = most + 1, history = [];
  let edits = -1;
  search: for (let d = 0; d <= most; d++) {
    history.push(furthest.slice(middle - d, middle + d + 1));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && furthest[middle + k - 1] < furthest[middle + k + 1]);
      let x = down ? furthest[middle + k + 1] : furthest[middle + k - 1] + 1;
      while (x < n && x - k < m && a[x] === b[x - k]) x++;
      furthest[middle + k] = x;
      if (x >= n && x - k >= m) {
        edits = d;
        break search;
      }
    }
  }
  if (edits < 0) return null;
  let x = n, y = m;
  for (let d = edits; d >= 0; d--) {
    const before = history[d], at = (k) => before[k + d] ?? 0, k = x - y;
    const down = d > 0 && (k === -d || (k !== d && at(k - 1) < at(k + 1)));
    const startX = d === 0 ? 0 : down ? at(k + 1) : at(k - 1), startY = d === 0 ? 0 : startX - (down ? k + 1 : k - 1);
    while (x > startX && y > startY && x > 0 && y > 0 && a[x - 1] === b[y - 1]) {
      x--;
      y--;
      kept[0].add(x);
      kept[1].add(y);
    }
    x = startX;
    y = startY;
  }
  return kept;
}

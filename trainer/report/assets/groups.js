"use strict";
// The browser of groups: a list that holds only the items in sight, and the chosen group with its completions.

const HEIGHT = 46;

const FILTERS = {
  all: ["all groups", () => true],
  differ: ["different share right in the two", (g) => g.differs > 0],
  disputed: ["mark disputed by a label or another entry", (g) => g.disputed > 0],
  paid: ["paid wrongly: right here, wrong elsewhere", (g) => g.paid > 0],
  missed: ["unpaid wrongly: wrong here, right elsewhere", (g) => g.missed > 0],
  wrong: ["no completion right", (g) => g.known > 0 && g.right === 0],
  mixed: ["some right, some wrong", (g) => g.right > 0 && g.right < g.known],
  right: ["all right", (g) => g.known > 0 && g.right === g.known],
  flat: ["all values equal: nothing to learn", (g) => g.low === g.high],
  failed: ["a status other than ok", (g) => g.failed > 0],
  alarm: ["shown by an alarm", (g) => g.alarms.length > 0],
  cut: ["cut off at the longest length", (g) => g.cut > 0],
};
const ORDERS = {
  worst: ["worst first", (g) => g.mean],
  best: ["best first", (g) => -g.mean],
  disputed: ["most different first", (g) => -(10 * g.differs + g.disputed / g.count)],
  advantage: ["largest |advantage| first", (g) => -g.advantage],
  longest: ["longest first", (g) => -g.tokens],
  step: ["by step", (g) => g.step],
};

// Turn columns into groups with what filters and orders need; rows stay in their columns.
function groupsOf(data) {
  const { groups, rows, strings } = data;
  let first = 0;
  const found = groups.count.map((count, i) => {
    const g = { i, first, count, source: groups.source[i], step: groups.step[i], problem: groups.problem[i],
      prompt: strings[groups.prompt[i]], reference: strings[groups.reference[i]], alarms: groups.alarms[i],
      right: 0, known: 0, differs: 0, disputed: 0, paid: 0, missed: 0, failed: 0, cut: 0, tokens: 0, advantage: 0,
      low: Infinity, high: -Infinity, mean: 0, pair: null };
    let values = 0;
    for (let r = first; r < first + count; r++) {
      const value = rows.value[r];
      if (value !== null) {
        values++;
        g.mean += value;
        g.low = Math.min(g.low, value);
        g.high = Math.max(g.high, value);
      }
      if (rows.right[r] >= 0) {
        g.known++;
        g.right += rows.right[r];
      }
      if (strings[rows.disputed[r]]) {
        g.disputed++;
        g[rows.right[r] === 1 ? "paid" : "missed"]++;
      }
      g.failed += strings[rows.status[r]] !== "ok";
      g.cut += rows.cut[r];
      g.tokens = Math.max(g.tokens, rows.tokens[r] || rows.text[r].length);
      g.advantage = Math.max(g.advantage, Math.abs(rows.advantage[r] || 0));
    }
    g.mean = values ? g.mean / values : Infinity;
    first += count;
    return g;
  });
  const byKey = new Map();
  for (const g of found) if (g.source === 1) byKey.set(`${g.problem}\n${g.step}`, g).set(g.problem, g);
  for (const g of found) {
    const other = g.source === 0 && data.kind !== "run" ? byKey.get(`${g.problem}\n${g.step}`) || byKey.get(g.problem) : null;
    if (!other || other.pair) continue;
    [g.pair, other.pair] = [other, g];
    g.differs = Math.abs(g.right / (g.known || 1) - other.right / (other.known || 1));
  }
  return found;
}

class Groups {
  constructor(data, changed) {
    this.data = data;
    this.changed = changed;
    this.all = groupsOf(data);
    this.listed = this.all.filter((g) => !(g.source === 1 && g.pair));
    this.shown = [];
    this.texts = [];
    const compared = data.kind === "comparison" || data.kind === "audit";
    this.start = { order: compared ? "disputed" : "worst", filter: compared && this.all.some((g) => g.differs) ? "differ" : "all" };
    this.state = { q: "", step: "", reason: "", group: null, ...this.start };
  }

  // Return the section, whose list is filled by `refresh`.
  section() {
    const set = (name) => (event) => this.set({ [name]: event.target.value });
    const choice = (name, options) =>
      h("select", { "aria-label": name, id: name, onchange: set(name) },
        ...options.map(([value, text]) => h("option", { value }, text)));
    const count = (test) => this.listed.filter(test).length;
    const filters = Object.entries(FILTERS).filter(([name, [, test]]) => name === "all" || count(test));
    this.search = h("input", { type: "search", id: "q", placeholder: "search (/)", "aria-label": "search in prompts, answers and reasons", oninput: set("q") });
    this.step = h("input", { type: "search", id: "step", size: 6, placeholder: "step", "aria-label": "step", oninput: set("step") });
    this.filter = choice("filter", filters.map(([name, [text, test]]) => [name, `${text} (${count(test)})`]));
    this.ordering = choice("order", Object.entries(ORDERS).map(([name, [text]]) => [name, text]));
    this.reason = choice("reason", [["", "any reason"], ...this.reasons()]);
    this.count = h("span", { class: "dim", "aria-live": "polite" });
    const hasSteps = this.all.some((g) => g.step);
    this.inner = h("div", {});
    this.list = h("div", { class: "list", tabindex: 0, role: "listbox", "aria-label": "groups", onscroll: () => this.fill(), onkeydown: (event) => this.key(event) }, this.inner);
    this.detail = h("div", { class: "detail", id: "detail" });
    const controls = [this.search, this.filter, this.reason, this.ordering, hasSteps ? this.step : null, this.count];
    return h("section", { id: "groups" }, h("h2", {}, "Groups"),
      h("p", { class: "dim" }, "Keys: j and k move (in the list also the arrows, Home and End), / searches, t changes the theme. The address of the page keeps what is chosen."),
      h("div", { class: "controls" }, ...controls), h("div", { class: "browser" }, this.list, this.detail));
  }

  // Return the reasons of each entry by how often they come, as values and texts of a choice.
  reasons() {
    const counts = new Map();
    this.data.entries.forEach((entry, e) => {
      for (const part of this.data.rows.parts[e]) {
        if (!part) continue;
        const name = `${entry}: ${this.data.strings[part[2]].split(";")[0].slice(0, 60)}`;
        counts.set(name, (counts.get(name) || 0) + 1);
      }
    });
    return [...counts].sort((a, b) => b[1] - a[1]).slice(0, 60).map(([name, n]) => [name, `${name} (${n})`]);
  }

  set(changes) {
    Object.assign(this.state, changes);
    this.refresh();
    this.changed(this.state);
  }

  // The text of a group in lower case, made when it is first searched.
  text(g) {
    if (this.texts[g.i] === undefined) {
      const { rows, strings } = this.data;
      const parts = [g.prompt, g.reference, g.problem];
      for (const one of g.pair ? [g, g.pair] : [g]) {
        for (let r = one.first; r < one.first + one.count; r++) {
          parts.push(rows.text[r], strings[rows.status[r]], strings[rows.disputed[r]]);
          rows.parts.forEach((column, e) => column[r] && parts.push(`${this.data.entries[e]}: ${strings[column[r][2]]}`));
        }
      }
      this.texts[g.i] = parts.join("\n").toLowerCase();
    }
    return this.texts[g.i];
  }

  hasReason(g, wanted) {
    const [entry, ...rest] = wanted.split(": ");
    const column = this.data.rows.parts[this.data.entries.indexOf(entry)] || [];
    const head = rest.join(": ");
    const has = (one) => column.slice(one.first, one.first + one.count).some((part) => part && this.data.strings[part[2]].startsWith(head));
    return has(g) || (g.pair !== null && has(g.pair));
  }

  refresh() {
    if (!FILTERS[this.state.filter]) this.state.filter = "all";
    if (!ORDERS[this.state.order]) this.state.order = "worst";
    const { q, step, reason, filter, order, group } = this.state;
    this.filter.value = filter;
    this.ordering.value = order;
    this.reason.value = reason;
    if (this.search.value !== q) this.search.value = q;
    if (this.step.value !== String(step)) this.step.value = step;
    const wanted = q.toLowerCase();
    const test = FILTERS[filter][1];
    const key = ORDERS[order][1];
    this.shown = this.listed.filter((g) =>
      test(g) && (step === "" || g.step === +step) && (!reason || this.hasReason(g, reason)) && (!wanted || this.text(g).includes(wanted)));
    this.shown.sort((a, b) => key(a) - key(b) || a.i - b.i);
    this.inner.textContent = "";
    this.inner.setAttribute("data-count", this.shown.length);
    this.inner.style.height = `${this.shown.length * HEIGHT}px`;
    this.count.textContent = `${this.shown.length} of ${this.listed.length} groups`;
    const chosen = this.shown.find((g) => g.i === group) || this.all[group] || this.shown[0];
    this.show(chosen);
    this.reveal();
    this.fill();
  }

  // Scroll the list so that the chosen item is in sight.
  reveal() {
    const top = Math.max(this.shown.indexOf(this.chosen), 0) * HEIGHT;
    const { scrollTop, clientHeight } = this.list;
    if (top < scrollTop || top + HEIGHT > scrollTop + clientHeight) this.list.scrollTop = top - clientHeight / 3;
  }

  // Put the items in sight into the list.
  fill() {
    const from = Math.max(0, Math.floor(this.list.scrollTop / HEIGHT) - 5);
    const to = Math.min(this.shown.length, from + Math.ceil(this.list.clientHeight / HEIGHT) + 10);
    this.inner.textContent = "";
    for (let i = from; i < to; i++) {
      const item = this.item(this.shown[i]);
      item.style.top = `${i * HEIGHT}px`;
      this.inner.append(item);
    }
  }

  item(g) {
    const { rows } = this.data;
    const squares = (one) => this.order(one).slice(0, 16).map((r) => h("span", { class: `mark ${word(rows.right[r])}` }));
    const marks = g.pair ? [...squares(g), " | ", ...squares(g.pair)] : squares(g);
    const flags = [
      g.step ? h("span", { class: "dim" }, `step ${g.step} `) : null,
      g.disputed ? h("span", { class: "tag warn" }, `${g.disputed} disputed`) : null,
      g.alarms.length ? h("span", { class: "tag warn" }, "alarm") : null,
    ];
    const value = Number.isFinite(g.mean) ? number(g.mean) : "no value";
    return h("div", { class: "item", role: "option", id: `g${g.i}`, "aria-selected": g === this.chosen, onclick: () => this.set({ group: g.i }) },
      h("div", {}, ...marks, ` ${value} `, ...flags),
      h("div", { class: "line" }, (g.prompt + " ").slice(0, 160).replace(/\s+/g, " ")));
  }

  key(event) {
    const move = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9 }[event.key];
    if (!move || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.move(move);
  }

  move(by) {
    const at = Math.min(Math.max(this.shown.indexOf(this.chosen) + by, 0), this.shown.length - 1);
    if (at < 0) return;
    this.list.scrollIntoView({ block: "nearest" });
    this.set({ group: this.shown[at].i });
  }

  show(g) {
    this.chosen = g;
    this.detail.textContent = "";
    if (!g) return this.detail.append(h("p", { class: "dim" }, "No group fits."));
    const alarms = g.alarms.map((a) => h("p", { class: "alarm" }, `${this.data.alarms[a].kind}: ${this.data.alarms[a].message}`));
    this.detail.append(
      h("h3", {}, `Problem ${g.problem}${g.step ? `, step ${g.step}` : ""}`), ...alarms,
      h("div", { class: "dim" }, "prompt"), shownText(g.prompt),
      h("div", { class: "dim" }, "reference"), shownText(g.reference || "none"),
      h("div", { class: "sides" }, ...(g.pair ? [g, g.pair] : [g]).map((one) => this.side(one))));
  }

  side(g) {
    const name = this.data.sources.length > 1 ? h("h3", {}, this.data.sources[g.source].name) : null;
    return h("div", {}, name, ...this.order(g).map((r) => this.completion(r)));
  }

  // The rows of a group from the highest value on; where two sources have the same texts, by text in both.
  order(g) {
    const { value, text } = this.data.rows;
    const order = [...Array(g.count).keys()].map((i) => g.first + i);
    const other = g.pair ? new Set(text.slice(g.pair.first, g.pair.first + g.pair.count)) : null;
    if (other && order.some((r) => other.has(text[r]))) return order.sort((a, b) => (text[a] < text[b] ? -1 : 1));
    return order.sort((a, b) => (value[b] ?? -Infinity) - (value[a] ?? -Infinity));
  }

  completion(r) {
    const { rows, strings, entries } = this.data;
    const right = rows.right[r];
    const disputed = strings[rows.disputed[r]];
    const advantage = rows.advantage[r];
    const tags = [
      h("b", {}, number(rows.value[r])), " ", h("span", { class: `tag ${word(right)}` }, word(right) || "undecided"),
      disputed ? h("span", { class: "tag warn" }, disputed) : null,
      h("span", { class: "tag" }, `advantage ${advantage > 0 ? "+" : ""}${number(advantage)}${rows.tokens[r] ? ` on each of ${rows.tokens[r]} tokens` : ""}`),
      strings[rows.status[r]] === "ok" ? null : h("span", { class: "tag warn" }, strings[rows.status[r]]),
      rows.cut[r] ? h("span", { class: "tag warn" }, "cut off") : null,
      rows.place[r] >= 0 ? h("span", { class: "dim" }, `${strings[rows.place[r]]}:${rows.line[r]}`) : null,
    ];
    const parts = entries.map((entry, e) => {
      const part = rows.parts[e][r];
      return part ? h("tr", {}, h("td", {}, entry), h("td", {}, `${number(part[0])} × ${number(part[1])}`), h("td", {}, strings[part[2]])) : null;
    });
    const steps = (rows.steps.length && rows.steps[r]) || [];
    return h("div", { class: `completion${disputed ? " disputed" : ""}` }, h("div", {}, ...tags),
      shownText(rows.text[r], steps, strings), h("div", { class: "scroll" }, h("table", { class: "parts" }, ...parts)));
  }
}

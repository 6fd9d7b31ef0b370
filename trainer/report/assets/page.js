"use strict";
// The page of a report: unpacks the data, and puts the sections together.

async function unpack(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function summary(data) {
  const told = (data.told || []).map((text) => h("p", { class: "told" }, text));
  const sources = (data.sources || []).map((source) =>
    h("div", {}, data.sources.length > 1 ? h("h3", {}, source.name) : null,
      h("div", { class: "figures" }, ...source.figures.map(([name, value]) => h("div", {}, name, h("b", {}, value)))),
      h("details", {}, h("summary", {}, "all figures"), h("pre", {}, source.words.join("\n")),
        ...source.notes.map((note) => h("p", {}, note)))));
  return h("section", { id: "summary" }, h("h2", {}, "Summary"), ...told, ...sources);
}

function table(head, rows, kind) {
  const line = (cells, tag) => h("tr", {}, ...cells.map((cell) => h(tag, {}, cell)));
  return h("div", { class: "scroll" }, h("table", { class: kind }, line(head, "th"), ...rows.map((row) => line(row, "td"))));
}

function comparison(data) {
  const [a, b] = data.sources.map((source) => source.name);
  const rows = data.differences.map((one) => [one.name, number(one.a), number(one.b),
    `${number(one.difference)} [${number(one.low)}, ${number(one.high)}]`, `${one.p < 0.0002 ? "< 0.0002" : number(one.p)}, ${one.beyond_chance ? "beyond chance" : "no more than chance"}`]);
  const { problems, completions, marked_differently } = data.common;
  return h("section", { id: "comparison" }, h("h2", {}, "Comparison"),
    h("p", {}, `${problems} problems and ${completions} completions are in both; ${marked_differently} of these are marked differently.`),
    rows.length ? table(["", a, b, "difference, 95 % interval", "p"], rows) : null,
    h("details", { open: data.settings.length < 15 }, h("summary", {}, `settings that differ: ${data.settings.length || "none"}`),
      table(["setting", a, b], data.settings, "settings")));
}

function findings(data) {
  const sign = (good) => (good === true ? "ok" : good === false ? "FAIL" : "--");
  const rank = { FAIL: 0, "--": 1, ok: 2 };
  const sorted = [...data.findings].sort((x, y) => rank[sign(x.good)] - rank[sign(y.good)]);
  return h("section", { id: "findings" }, h("h2", {}, "Findings"), ...sorted.map((one) => {
    const examples = (one.examples || []).map((example) => h("div", { class: "completion" },
      h("div", {}, `${example.place}: ${example.trick}`, example.earned === null ? "" : `; earns ${number(example.earned)} of a right answer`),
      shownText(example.completion), h("div", { class: "dim" }, example.reasons)));
    const details = examples.length ? examples : one.details.length ? [h("pre", {}, one.details.join("\n"))] : [];
    return h("div", { class: `finding ${sign(one.good)}`, id: `finding-${one.name}` }, h("b", {}, `${sign(one.good)} ${one.name}`), `: ${one.said}`, ...details);
  }));
}

function alarms(data, groups) {
  const many = data.sources.length > 1;
  return h("section", { id: "alarms" }, h("h2", {}, "Alarms"), h("p", { class: "dim" }, "Alarms about a drift compare the means of the first 5 and of the last 5 steps."), ...data.alarms.map((alarm, i) => {
    const shown = groups.all.filter((g) => g.alarms.includes(i));
    const links = shown.map((g, n) => h("button", { type: "button", onclick: () => see(groups, { group: g.i, filter: "all", q: "", reason: "", step: "" }) }, `group ${n + 1}`));
    const step = h("button", { type: "button", onclick: () => see(groups, { step: String(alarm.step), filter: "all", q: "", reason: "" }) }, `step ${alarm.step}`);
    return h("div", { class: "alarm" }, h("b", {}, alarm.kind), ` at step ${alarm.step} (${many ? data.sources[alarm.source].name : alarm.task}): ${alarm.message} `, step, ...links);
  }));
}

function see(groups, changes) {
  groups.set(changes);
  document.getElementById("groups").scrollIntoView();
  groups.list.focus({ preventScroll: true });
}

function chartSection(data, charts) {
  const boxes = [];
  const many = data.sources.length > 1;
  const titles = [...new Set(data.sources.flatMap((source) => source.charts.map((chart) => chart.title)))];
  for (const title of titles) {
    data.sources.forEach((source, number) => {
      const chart = source.charts.find((one) => one.title === title);
      if (chart) boxes.push(charts.box({ ...chart, source: number, name: many ? source.name : "" }));
    });
  }
  return boxes.length ? h("section", { id: "charts" }, h("h2", {}, "Charts"), h("div", { class: "charts" }, ...boxes)) : null;
}

// The address after # keeps what is chosen, so that it can be shared.
function readAddress(start) {
  const given = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const group = given.group === undefined ? null : +given.group;
  return { q: "", step: "", reason: "", ...start, ...given, group };
}

function writeAddress(state, start) {
  const kept = Object.entries(state).filter(([name, value]) => value !== "" && value !== null && value !== start[name]);
  history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
}

// The theme that a reader has chosen, where the browser lets a page keep it.
function keptTheme(chosen) {
  try {
    if (chosen) localStorage.setItem("markscheme-theme", chosen);
    return localStorage.getItem("markscheme-theme");
  } catch {
    return null;
  }
}

async function main() {
  const data = await unpack(document.getElementById("data").textContent);
  const place = document.getElementById("main");
  const root = document.documentElement;
  root.dataset.theme = keptTheme() || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  place.textContent = "";
  let groups = null;
  let charts = null;
  if (data.kind === "check") place.append(findings(data));
  else {
    groups = new Groups(data, (state) => writeAddress(state, groups.start));
    charts = new Charts((step) => see(groups, { step: String(step), filter: "all" }), data.alarms);
    const sections = [summary(data), data.settings ? comparison(data) : null, data.alarms.length ? alarms(data, groups) : null,
      chartSection(data, charts), groups.section()];
    place.append(...sections.filter(Boolean));
    groups.state = { ...groups.state, ...readAddress(groups.start) };
    groups.refresh();
    charts.draw(); // only now, when every box has its place and its width
    if (groups.state.group !== null) document.getElementById("groups").scrollIntoView();
    addEventListener("hashchange", () => { groups.state = readAddress(groups.start); groups.refresh(); });
  }
  for (const section of place.querySelectorAll("section")) {
    const name = section.querySelector("h2").textContent;
    document.getElementById("nav").append(h("a", { href: "", onclick: (event) => { event.preventDefault(); section.scrollIntoView(); } }, name));
  }
  const flip = () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    keptTheme(root.dataset.theme);
    if (charts) charts.draw();
  };
  document.getElementById("theme").addEventListener("click", flip);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
    if (event.key === "Escape" && typing) {
      event.preventDefault(); // a search box would empty itself without a word
      event.target.blur();
    }
    if (typing) return;
    if (event.key === "t") flip();
    if (groups && event.key === "/") {
      event.preventDefault();
      document.getElementById("groups").scrollIntoView();
      groups.search.focus({ preventScroll: true });
    }
    if (groups && event.target !== groups.list && (event.key === "j" || event.key === "k")) groups.move(event.key === "j" ? 1 : -1);
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = one.querySelectorAll("tr").length < 30; }));
  root.dataset.ready = "true";
}

main().catch((error) => {
  document.getElementById("main").textContent = `The data of this page cannot be read: ${error.message}. A browser of 2023 or later is needed.`;
});

"use strict";
// Charts of a report, drawn by uPlot, each with its numbers as a table for readers and for print.

function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const number = (value) => (value === null || value === undefined ? "-" : String(+(+value).toPrecision(4)));
const WHOLE = [1, 2, 5].flatMap((one) => [one, 10 * one, 100 * one, 1000 * one, 1e4 * one, 1e5 * one]).sort((a, b) => a - b);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

class Charts {
  // `onStep` is called with the step that a reader clicks at; each of `alarms` has a `source` and a `step`.
  constructor(onStep, alarms) {
    this.onStep = onStep;
    this.alarms = alarms;
    this.boxes = [];
    let waiting = 0;
    addEventListener("resize", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.boxes.forEach(({ plot, box }) => plot && plot.setSize(this.size(box))), 100);
    });
  }

  // Return the figure of a chart, which `draw` fills once it has its place on the page.
  box(chart) {
    const box = h("div", { class: "plot", role: "img", "aria-label": `${chart.title}; numbers below` });
    this.boxes.push({ chart, box, plot: null });
    const head = h("tr", {}, h("th", {}, chart.x), ...chart.series.map((one) => h("th", {}, one.name)));
    const rows = chart.at.map((x, i) =>
      h("tr", {}, h("td", {}, number(x)), ...chart.series.map((one) => h("td", {}, this.cell(one, i)))),
    );
    const table = h("div", { class: "scroll" }, h("table", {}, head, ...rows));
    const hint = chart.steps ? h("span", { class: "dim" }, this.steps(chart).length ? " dashed: alarms" : "") : null;
    const caption = h("span", {}, chart.name ? `${chart.title} (${chart.name})` : chart.title);
    return h("figure", {}, h("figcaption", {}, caption, hint), box, h("details", {}, h("summary", {}, "numbers"), table));
  }

  cell(series, i) {
    const interval = series.low && series.low[i] !== null ? ` [${number(series.low[i])}, ${number(series.high[i])}]` : "";
    return number(series.values[i]) + interval;
  }

  // The steps of the alarms of a chart's own source.
  steps(chart) {
    return this.alarms.filter((alarm) => alarm.source === chart.source).map((alarm) => alarm.step);
  }

  size(box) {
    return { width: Math.max(box.clientWidth, 120), height: 180 };
  }

  draw() {
    for (const one of this.boxes) {
      if (one.plot) one.plot.destroy();
      one.plot = this.plot(one.chart, one.box);
    }
  }

  plot(chart, box) {
    const data = [chart.at];
    const series = [{ label: chart.x }];
    const bands = [];
    const hidden = [];
    chart.series.forEach((one, i) => {
      const stroke = colour(`c${i % 6}`);
      data.push(one.values);
      series.push({ label: one.name, stroke, width: 1.5, points: { show: chart.at.length < 40, size: 5 }, value: (_, v) => number(v) });
      if (one.low) {
        bands.push({ series: [data.length + 1, data.length], fill: `${stroke}28` });
        for (const edge of [one.low, one.high]) {
          hidden.push(data.length);
          data.push(edge);
          series.push({ stroke: "transparent", points: { show: false } });
        }
      }
    });
    const axis = { stroke: colour("dim"), grid: { stroke: colour("line"), width: 0.5 }, ticks: { show: false } };
    const options = {
      ...this.size(box), series, bands, axes: [{ ...axis, size: 32, incrs: WHOLE }, { ...axis, size: 48 }],
      scales: { x: { time: false } }, cursor: { drag: { x: false, y: false } },
      hooks: { draw: [(plot) => chart.steps && this.lines(plot, this.steps(chart))] },
    };
    const plot = new uPlot(options, data, box);
    const legend = plot.root.querySelectorAll(".u-series");
    hidden.forEach((i) => { legend[i].hidden = true; });
    if (chart.steps) {
      plot.over.title = "click to see the groups of a step";
      plot.over.addEventListener("click", () => {
        const at = plot.posToVal(plot.cursor.left, "x");
        this.onStep(chart.at.reduce((best, x) => (Math.abs(x - at) < Math.abs(best - at) ? x : best)));
      });
    }
    return plot;
  }

  lines(plot, steps) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colour("bad");
    ctx.setLineDash([4, 4]);
    for (const step of steps) {
      const x = plot.valToPos(step, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }
}

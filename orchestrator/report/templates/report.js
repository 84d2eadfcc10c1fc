"use strict";
// Draws each figure when it comes into view and fills each table when it is opened. Names reach the page as text only.
(() => {
  const FIRST_ROWS = 100;
  const NARROW = 560;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touched = matchMedia("(pointer: coarse)");
  const settings = unpacked(document.getElementById("settings"));

  async function unpacked(element) {
    const bytes = Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  }

  async function theme() {
    return (await settings)[dark.matches ? "dark" : "light"];
  }

  async function draw(figure) {
    if (figure.dataset.drawn) return;
    figure.dataset.drawn = "yes";
    const { data, layout } = await unpacked(figure.querySelector(":scope > script"));
    const plot = figure.querySelector(".plot");
    const entries = data.filter((trace) => trace.name && trace.showlegend !== false).length;
    const narrow = plot.clientWidth < NARROW ? { height: 340 + 20 * entries } : {}; // one below the other, they take of the figure's height
    const { config } = await settings;
    const still = touched.matches ? { dragmode: false } : {}; // a finger on a figure scrolls the page
    const quiet = touched.matches ? { displayModeBar: false } : {};
    await Plotly.newPlot(plot, data, { ...layout, ...narrow, ...still, template: await theme() }, { ...config, ...quiet });
    figure.dataset.drawn = "done";
  }

  function cell(kind, value, numeric) {
    const made = document.createElement(kind);
    made.textContent = value === null ? "-" : typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
    if (numeric) made.className = "number";
    return made;
  }

  function addRows(body, columns, from, to) {
    const rows = document.createDocumentFragment();
    for (let place = from; place < to; place++) {
      const row = document.createElement("tr");
      row.append(...columns.map((column) => cell("td", column.values[place], column.numeric)));
      rows.append(row);
    }
    body.append(rows);
  }

  function fill(holder, columns) {
    const table = document.createElement("table");
    const count = columns.length ? columns[0].values.length : 0;
    const head = table.createTHead().insertRow();
    head.append(...columns.map((column) => cell("th", column.title, column.numeric)));
    const body = table.createTBody();
    addRows(body, columns, 0, Math.min(FIRST_ROWS, count));
    const scroll = document.createElement("div");
    scroll.className = "scroll";
    scroll.append(table);
    holder.replaceChildren(scroll);
    if (count > FIRST_ROWS) holder.append(more(body, columns, count));
  }

  function more(body, columns, count) {
    const button = document.createElement("button");
    button.textContent = `Show all ${count} rows`;
    button.addEventListener("click", () => {
      addRows(body, columns, FIRST_ROWS, count);
      button.remove();
    });
    return button;
  }

  const seen = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target)),
    { rootMargin: "400px" },
  );
  document.querySelectorAll("figure").forEach((figure) => {
    seen.observe(figure);
    const details = figure.querySelector("details");
    details.addEventListener("toggle", async () => fill(details.querySelector(".table"), (await unpacked(figure.querySelector(":scope > script"))).table), {
      once: true,
    });
  });
  document.querySelectorAll("section > .table").forEach(async (holder) => fill(holder, (await unpacked(holder.querySelector("script"))).table));
  document.querySelectorAll(".choose select").forEach((select) => {
    const pictures = select.closest("section").querySelectorAll(".pictures");
    const show = () => pictures.forEach((group) => (group.hidden = group.dataset.choice !== select.value));
    select.addEventListener("change", show);
    show(); // browsers remember what was chosen before a page is loaded again
  });
  dark.addEventListener("change", async () => {
    const template = await theme();
    document.querySelectorAll('figure[data-drawn="done"] .plot').forEach((plot) => Plotly.relayout(plot, { template }));
  });
})();

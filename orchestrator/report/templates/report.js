"use strict";
// Draws each figure when it comes into view and fills each table when it is opened. Names reach the page as text only.
(() => {
  const FIRST_ROWS = 100;
  const FEW_ROWS = 10;
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

  function text(value) {
    return value === null ? "" : String(value).toLowerCase();
  }

  function addRows(body, columns, places) {
    const rows = document.createDocumentFragment();
    for (const place of places) {
      const row = document.createElement("tr");
      row.append(...columns.map((column) => cell("td", column.values[place], column.numeric)));
      rows.append(row);
    }
    body.append(rows);
  }

  // A number by which to sort, 2/255 and 83.5-90.1 by their beginning; NaN where a cell is none.
  function size(value) {
    const found = typeof value === "string" ? /^([-+]?[\d.]+(?:e[-+]?\d+)?)(?:\/([\d.]+))?/i.exec(value) : [value, value, 1];
    return value === null || !found ? NaN : Number(found[1]) / Number(found[2] ?? 1);
  }

  function compared(one, other) {
    const [first, second] = [size(one), size(other)];
    return isNaN(first) || isNaN(second) ? isNaN(first) - isNaN(second) || text(one).localeCompare(text(other)) : first - second;
  }

  // A word is in some cell; `theta=0.9` is the whole cell of a column of that name.
  function holds(columns, place, word) {
    const [name, value] = word.split("=");
    return columns.some((column) =>
      value ? column.title.toLowerCase().replaceAll(" ", "_").includes(name) && text(column.values[place]) === value : text(column.values[place]).includes(name),
    );
  }

  function fill(holder, columns) {
    const table = document.createElement("table");
    const count = columns.length ? columns[0].values.length : 0;
    const all = [...Array(count).keys()];
    const body = table.createTBody();
    const more = document.createElement("button");
    const search = document.createElement("input");
    const shown = { sorted: null, down: false, most: FIRST_ROWS };
    const show = () => {
      const words = search.value.toLowerCase().split(/\s+/);
      const found = all.filter((place) => words.every((word) => holds(columns, place, word)));
      const sign = shown.down ? -1 : 1;
      if (shown.sorted) found.sort((one, other) => sign * compared(shown.sorted.values[one], shown.sorted.values[other]) || one - other);
      body.replaceChildren();
      addRows(body, columns, found.slice(0, shown.most));
      more.textContent = `Show all ${found.length} rows`;
      more.hidden = found.length <= shown.most;
    };
    const head = columns.map((column) => {
      const made = cell("th", column.title, column.numeric);
      made.tabIndex = 0;
      made.ariaSort = "none";
      const sort = () => {
        shown.down = shown.sorted === column && !shown.down;
        shown.sorted = column;
        head.forEach((other) => (other.ariaSort = "none"));
        made.ariaSort = shown.down ? "descending" : "ascending";
        show();
      };
      made.addEventListener("click", sort);
      made.addEventListener("keydown", (event) => event.key === "Enter" && sort());
      return made;
    });
    table.createTHead().insertRow().append(...head);
    search.type = "search";
    search.placeholder = "Search, such as bim theta=0.9";
    search.ariaLabel = "Search these rows";
    search.hidden = count <= FEW_ROWS;
    search.addEventListener("input", show);
    more.addEventListener("click", () => {
      shown.most = Infinity;
      show();
    });
    const scroll = document.createElement("div");
    scroll.className = "scroll";
    scroll.append(table);
    holder.replaceChildren(search, scroll, more);
    show();
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

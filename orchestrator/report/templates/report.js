"use strict";
// Draws each figure when it comes into view and fills each table when it is opened. Names reach the page as text only.
(() => {
  const FIRST_ROWS = 100;
  const FEW_ROWS = 10;
  const NARROW = 560;
  const PAPER = { upright: 690, wide: 1010, lower: 70 }; // pixels between the margins of A4, upright and lying; two figures fit on a page
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const MORE_NAMES = 24; // height of a line of a legend
  const chosen = new Set(); // keys of models, on all figures
  const touched = matchMedia("(pointer: coarse)");
  const settings = unpacked(document.getElementById("settings"));
  const onPaper = []; // of each table, what shows all of its rows, and what shows those of before
  let printing = false;

  function unpacked(element) {
    const bytes = inflated(Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0)));
    return JSON.parse(new TextDecoder().decode(bytes));
  }

  function ground() {
    return dark.matches && !printing ? "dark" : "light";
  }

  function packed(figure) {
    return unpacked(figure.querySelector(":scope > script"));
  }

  async function draw(figure) {
    if (figure.dataset.drawn) return;
    figure.dataset.drawn = "yes";
    await plotted(figure);
    figure.dataset.drawn = "done";
  }

  function plotted(figure) {
    const { data, layout, table, faint } = packed(figure);
    const plot = figure.querySelector(".plot");
    const apart = toTheFore(data, faint, chosenNames(table));
    const entries = [...data, ...apart].filter((trace) => trace.name && trace.showlegend !== false).length;
    const more = MORE_NAMES * apart.length;
    const isNarrow = !printing && plot.clientWidth < NARROW; // a legend with one line below the other
    const room = isNarrow ? MORE_NAMES * (entries + 1) : layout.legend?.maxheight + more;
    const legend = layout.legend && { ...layout.legend, maxheight: room };
    const height = isNarrow ? 340 + 20 * entries : layout.height + more - (printing ? PAPER.lower : 0);
    const width = printing ? PAPER.upright : undefined;
    const still = touched.matches ? { dragmode: false } : {}; // a finger on a figure scrolls the page
    const quiet = touched.matches ? { displayModeBar: false } : {};
    const whole = { ...layout, legend, height, width, ...still, template: settings[ground()] };
    return Plotly.react(plot, [...data, ...apart], whole, { ...settings.config, ...quiet, responsive: !printing });
  }

  // Everything on paper: each figure that is shown, in light colours and as wide as the page, every row, no part folded.
  function toPaper(begins) {
    printing = begins;
    document.documentElement.classList.toggle("paper", begins);
    onPaper.forEach(({ all, before }) => (begins ? all : before)());
    for (const details of document.querySelectorAll("#verdicts details, #provenance details")) {
      if (begins) details.dataset.was = details.open ? "open" : "";
      details.open = begins || details.dataset.was === "open";
    }
    for (const figure of document.querySelectorAll("figure[id]")) {
      if (!figure.offsetParent) continue; // of another choice
      plotted(figure);
      figure.dataset.drawn = "done";
    }
    document.querySelectorAll("section table").forEach(fitPaper);
  }

  // A table that is wider than the page is made smaller; a very wide one is on pages that lie.
  function fitPaper(table) {
    const section = table.closest("section");
    table.style.zoom = "";
    if (!printing) return section.classList.remove("lies");
    if (table.offsetWidth > PAPER.wide) section.classList.add("lies");
    const room = section.classList.contains("lies") ? PAPER.wide : PAPER.upright;
    table.style.zoom = Math.min(1, room / table.offsetWidth);
  }

  // The names of the chosen models in a figure's table.
  function chosenNames(table) {
    const [names, keys] = ["model", "model key"].map((title) => table.find((column) => column.title === title)?.values ?? []);
    return new Set(names.filter((_, place) => chosen.has(keys[place])));
  }

  // A trace for each chosen model that is one of many in a faint one.
  function toTheFore(data, faint, names) {
    const made = [];
    for (const trace of data.filter((one) => one.meta === "faint")) {
      const places = new Map();
      trace.customdata.forEach((point, place) => point?.[0] && (places.get(point[0]) ?? places.set(point[0], []).get(point[0])).push(place));
      for (const [name, own] of places) {
        if (!faint[name] || !names.has(unescaped(name))) continue;
        const picked = Object.fromEntries(["x", "y", "text", "customdata"].map((part) => [part, trace[part] && own.map((place) => trace[part][place])]));
        made.push({ ...trace, ...picked, ...faint[name], name, meta: "chosen" });
      }
    }
    return made;
  }

  function unescaped(name) {
    return name.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  }

  // The list of a section's models, made when it is opened; what is chosen counts on all figures of the page.
  function listModels(details) {
    const figures = [...details.closest("section").querySelectorAll("figure")];
    const models = new Map();
    for (const figure of figures) {
      const { table } = packed(figure);
      const [names, keys] = ["model", "model key"].map((title) => table.find((column) => column.title === title)?.values ?? []);
      keys.forEach((key, place) => models.has(key) || models.set(key, names[place]));
    }
    const search = document.createElement("input");
    const none = document.createElement("button");
    const list = document.createElement("div");
    search.type = "search";
    search.placeholder = "Search, such as learning_rate 0.1";
    search.ariaLabel = "Search models";
    none.textContent = "Choose none";
    list.className = "list";
    for (const [key, name] of [...models].sort(([, one], [, other]) => one.localeCompare(other, undefined, { numeric: true }))) {
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.value = key;
      box.checked = chosen.has(key);
      label.append(box, ` ${name}`);
      list.append(label);
    }
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
      for (const label of list.children) {
        const name = label.textContent.toLowerCase();
        const parts = name.split(/[\s,]+/); // of which numbers are whole ones: 8 is not in 128
        label.hidden = !words.every((word) => (isNaN(word) ? name.includes(word) : parts.includes(word)));
      }
    });
    list.addEventListener("change", ({ target }) => {
      if (target.checked) chosen.add(target.value);
      else chosen.delete(target.value);
      chosenChanged();
    });
    none.addEventListener("click", () => {
      chosen.clear();
      chosenChanged();
    });
    details.append(search, none, list);
  }

  function chosenChanged() {
    const said = chosen.size ? `${chosen.size} chosen` : "none chosen, the best are named";
    document.querySelectorAll(".models summary span").forEach((span) => (span.textContent = said));
    document.querySelectorAll(".models input[type=checkbox]").forEach((box) => (box.checked = chosen.has(box.value)));
    document.querySelectorAll('section:has(.models) figure[data-drawn="done"]').forEach((figure) => {
      delete figure.dataset.drawn;
      if (figure.offsetParent) draw(figure);
      else seen.observe(figure);
    });
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
      made.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        sort();
      });
      return made;
    });
    table.createTHead().insertRow().append(...head);
    search.type = "search";
    search.placeholder = "Search, such as bim theta=0.9";
    search.ariaLabel = "Search these rows";
    search.hidden = count <= FEW_ROWS;
    search.addEventListener("input", show);
    let before = FIRST_ROWS;
    onPaper.push({
      all: () => {
        before = shown.most;
        shown.most = Infinity;
        show();
      },
      before: () => {
        shown.most = before;
        show();
      },
    });
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
  addEventListener("beforeprint", () => toPaper(true));
  addEventListener("afterprint", () => toPaper(false));
  document.querySelectorAll("figure[id]").forEach((figure) => {
    seen.observe(figure);
    const details = figure.querySelector("details");
    details.addEventListener("toggle", () => fill(details.querySelector(".table"), packed(figure).table), { once: true });
  });
  document.querySelectorAll(".models").forEach((details) => details.addEventListener("toggle", () => listModels(details), { once: true }));
  document.querySelectorAll("section > .table").forEach((holder) => fill(holder, unpacked(holder.querySelector("script")).table));
  document.querySelectorAll(".choose select").forEach((select) => {
    const pictures = select.closest("section").querySelectorAll(".pictures");
    const show = () => pictures.forEach((group) => (group.hidden = group.dataset.choice !== select.value));
    select.addEventListener("change", show);
    show(); // browsers remember what was chosen before a page is loaded again
  });
  dark.addEventListener("change", () => {
    const template = settings[ground()];
    document.querySelectorAll('figure[data-drawn="done"] .plot').forEach((plot) => Plotly.relayout(plot, { template }));
  });
})();

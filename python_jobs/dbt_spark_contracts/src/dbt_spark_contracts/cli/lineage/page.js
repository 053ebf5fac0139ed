"use strict";
// Draws the page's data. All text of the project goes into the page as text, never as HTML.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const element = (id) => document.getElementById(id);
  const READABLE = 0.8; // the least zoom at which rows are read with ease: 12 px become 9.6
  const LEGIBLE = 0.7; // a path is laid out so that it is seen whole at this zoom
  const OVERVIEW = 0.55; // below it the rows are too small, and each box shows its name instead
  const KINDS = ["copy", "computed", "aggregated", "condition", "window"];
  const FONT = 'ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
  const LETTER = 0.605; // the width of a letter of that font, of its size

  // ---- What comes from what ---------------------------------------------------------------

  const columns = []; // by number: the column, with the node it is of
  data.nodes.forEach((node, index) => {
    node.index = index;
    for (const column of node.columns) {
      columns[column.number] = Object.assign(column, { node, uses: [], rowUses: [] });
    }
  });
  const name = (column) => `${column.node.label}.${column.name}`;
  const links = []; // one for each line of the graph
  for (const column of columns) {
    const kinds = new Map(); // several parts of a struct make one line
    for (const [number, kind, field] of column.origins) {
      columns[number].uses.push([column.number, kind, field]);
      kinds.set(`${number} ${kind}`, [number, kind]);
    }
    for (const [number, kind] of kinds.values()) {
      links.push({ source: `c${number}`, target: `c${column.number}`, kind, group: "derived" });
    }
  }
  for (const node of data.nodes) {
    const seen = new Set();
    for (const [number, kind] of node.rows.origins) {
      columns[number].rowUses.push([node.index, kind]);
      if (seen.has(number)) continue; // one line, whatever the ways
      seen.add(number);
      links.push({ source: `c${number}`, target: `h${node.index}`, kind: "rows", group: "rows" });
    }
  }
  for (const node of data.nodes) {
    for (const source of node.sources) {
      links.push({ source: `h${source}`, target: `h${node.index}`, kind: "read", group: "code" });
    }
  }
  data.exposures.forEach((exposure, index) => {
    exposure.index = index;
    for (const read of exposure.reads) {
      links.push({ source: `h${read}`, target: `e${index}`, kind: "read", group: "read" });
    }
  });

  // ---- The graph --------------------------------------------------------------------------

  const elements = [];
  const add = (id, classes, box, more) =>
    elements.push({
      group: "nodes",
      classes,
      data: { id, width: box.width, height: box.height, ...more },
      position: { x: box.x + box.width / 2, y: box.y + box.height / 2 },
    });

  // Where the parts of a box stand, if it shows these columns.
  function parts(node, shown) {
    const found = new Map();
    const put = (id, x, y, width, height) => found.set(id, { x, y, width, height });
    const height = data.head + data.row * shown.length;
    put(`n${node.index}`, node.x, node.y, node.width, height);
    put(`h${node.index}`, node.x, node.y, node.width, data.head);
    put(`o${node.index}`, node.x, node.y, node.width, height);
    shown.forEach((column, place) => {
      const y = node.y + data.head + data.row * place;
      put(`c${column.number}`, node.x, y, node.width, data.row);
      let right = node.x + node.width - 8;
      if (column.type) {
        put(`t${column.number}`, right - 1, y, 1, data.row);
      }
      if (column.marks.length) {
        put(`m${column.number}`, node.x + 4, y + 5, 4, data.row - 10);
      }
    });
    return found;
  }

  // A name in two lines, cut near its middle.
  function twoLines(text) {
    const cuts = [...text.matchAll(/[_.]/g)].map((match) => match.index + 1);
    if (text.length < 10 || !cuts.length) return [text];
    const middle = text.length / 2;
    const cut = cuts.sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle))[0];
    return cut < text.length ? [text.slice(0, cut), text.slice(cut)] : [text];
  }

  const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

  data.lanes.forEach((lane, index) => add(`lane${index}`, "lane", lane, { label: lane.label, size: 18, drop: 30 }));
  for (const node of data.nodes) {
    const boxes = parts(node, node.columns);
    const box = (id) => boxes.get(id);
    const untold = node.columns.length && node.columns.every((column) => column.untraced.length);
    add(`n${node.index}`, `box ${node.kind} ${untold ? "untold" : ""}`, box(`n${node.index}`), {});
    const unsure = node.rows.untraced.length > 0;
    add(`h${node.index}`, unsure ? "head untraced" : "head", box(`h${node.index}`), {
      label: unsure ? `${node.label} ?` : node.label,
    });
    for (const column of node.columns) {
      const untraced = column.untraced.length > 0;
      add(`c${column.number}`, untraced ? "column untraced" : "column", box(`c${column.number}`), {
        label: untraced ? `${column.name} ?` : column.name,
        name: name(column),
      });
      if (column.type) {
        add(`t${column.number}`, "type", box(`t${column.number}`), { label: short(column.type, 14) });
      }
      if (column.marks.length) add(`m${column.number}`, "flag", box(`m${column.number}`), {});
    }
    const lines = twoLines(node.label);
    const longest = Math.max(...lines.map((line) => line.length));
    const most = Math.min(
      (node.width - 16) / (longest * LETTER * 1.06),
      Math.max(13, (node.height - 8) / (lines.length * 1.2)),
    );
    add(`o${node.index}`, "title", box(`o${node.index}`), { label: lines.join("\n"), most, size: 12 });
  }
  for (const exposure of data.exposures) {
    add(`e${exposure.index}`, "box exposure", exposure, {
      label: `${exposure.label}\n${exposure.kind}`,
      most: (exposure.width - 30) / (Math.max(exposure.label.length, exposure.kind.length) * LETTER * 1.06),
      size: 12,
    });
  }

  // An S that leaves its row to the right and comes to the next from the left.
  function curve(source, target) {
    const from = { x: source.x + source.width, y: source.y + source.height / 2 };
    const to = { x: target.x, y: target.y + target.height / 2 };
    const across = to.x - from.x;
    const pull = across > 40 ? across * 0.4 : 70;
    const length = Math.hypot(across, to.y - from.y) || 1;
    const [ux, uy] = [across / length, (to.y - from.y) / length];
    const weights = [];
    const distances = [];
    for (const point of [{ x: from.x + pull, y: from.y }, { x: to.x - pull, y: to.y }]) {
      const [dx, dy] = [point.x - from.x, point.y - from.y];
      weights.push((dx * ux + dy * uy) / length);
      distances.push(dy * ux - dx * uy);
    }
    return { weights, distances };
  }

  const placed = new Map();
  for (const each of elements) {
    const { width, height } = each.data;
    const { x, y } = each.position;
    placed.set(each.data.id, { x: x - width / 2, y: y - height / 2, width, height });
  }
  links.forEach((link, index) => {
    link.id = `l${index}`;
    elements.push({
      group: "edges",
      classes: `link ${link.kind}`,
      data: { ...link, ...curve(placed.get(link.source), placed.get(link.target)) },
    });
  });

  function style() {
    const computed = getComputedStyle(document.documentElement);
    const colour = (variable) => computed.getPropertyValue(`--${variable}`).trim();
    const line = (kind, dashes) => ({
      selector: `.${kind}`,
      style: {
        "line-color": colour(kind),
        "target-arrow-color": colour(kind),
        ...(dashes ? { "line-style": "dashed", "line-dash-pattern": dashes } : {}),
      },
    });
    return [
      {
        selector: "node",
        style: {
          shape: "rectangle",
          width: "data(width)",
          height: "data(height)",
          "z-index-compare": "manual",
          "font-family": FONT,
          "font-size": 12,
          color: colour("text"),
          "overlay-opacity": 0,
        },
      },
      {
        selector: ".lane",
        style: {
          shape: "round-rectangle",
          "corner-radius": 14,
          "background-color": colour("lane"),
          label: "data(label)",
          "text-valign": "top",
          "text-margin-y": "data(drop)",
          "font-size": "data(size)",
          "font-weight": "bold",
          color: colour("faint"),
          "z-index": 0,
          events: "no",
        },
      },
      {
        selector: ".box",
        style: {
          "background-color": colour("box"),
          "border-width": 1.5,
          "border-color": colour("border"),
          "z-index": 20,
        },
      },
      { selector: ".untold", style: { "border-style": "dashed", "border-color": colour("untraced") } },
      {
        selector: ".exposure",
        style: {
          shape: "round-rectangle",
          "corner-radius": 20,
          label: "data(label)",
          "text-wrap": "wrap",
          "text-valign": "center",
          "line-height": 1.2,
          "font-size": "data(size)",
          "font-weight": "bold",
        },
      },
      {
        selector: ".head",
        style: {
          "background-color": colour("head"),
          "border-width": 1.5,
          "border-color": colour("border"),
          label: "data(label)",
          "text-valign": "center",
          "font-size": 13,
          "font-weight": "bold",
          "min-zoomed-font-size": 13 * OVERVIEW,
          "z-index": 30,
        },
      },
      {
        selector: ".column",
        style: {
          "background-color": colour("box"),
          "background-opacity": 0,
          label: "data(label)",
          "text-halign": "right",
          "text-valign": "center",
          "text-margin-x": (node) => 14 - node.data("width"),
          "min-zoomed-font-size": 12 * OVERVIEW,
          "z-index": 30,
        },
      },
      {
        selector: ".type",
        style: {
          "background-opacity": 0,
          label: "data(label)",
          "text-halign": "left",
          "text-valign": "center",
          "font-size": 10.5,
          color: colour("faint"),
          "min-zoomed-font-size": 10.5 * OVERVIEW,
          "z-index": 50,
          events: "no",
        },
      },
      { selector: ".flag", style: { "background-color": colour("mark"), "z-index": 50, events: "no" } },
      {
        selector: ".untraced",
        style: {
          color: colour("untraced"),
          "background-color": colour("untraced-fill"),
          "background-opacity": 1,
          "border-width": 1,
          "border-style": "dashed",
          "border-color": colour("untraced"),
        },
      },
      {
        selector: ".title",
        style: {
          "background-color": colour("box"),
          "background-opacity": 0.7,
          label: "data(label)",
          "text-wrap": "wrap",
          "text-valign": "center",
          "font-size": "data(size)",
          "font-weight": "bold",
          "z-index": 60,
          events: "no",
        },
      },
      { selector: "core", style: { "active-bg-opacity": 0 } },
      {
        selector: ".link",
        style: {
          "curve-style": "unbundled-bezier",
          "edge-distances": "endpoints",
          "source-endpoint": "50% 0%",
          "target-endpoint": "-50% 0%",
          "control-point-weights": "data(weights)",
          "control-point-distances": "data(distances)",
          width: 1.3,
          opacity: 0.75,
          "target-arrow-shape": "triangle",
          "arrow-scale": 0.7,
          "z-index-compare": "manual",
          "z-index": 10,
          events: "no",
        },
      },
      line("copy"),
      line("computed"),
      { selector: ".aggregated", style: { width: 2.4 } },
      line("aggregated"),
      line("condition", [7, 4]),
      line("window", [2, 3]),
      line("rows", [10, 4, 2, 4]),
      line("read"),
      { selector: ".link.read", style: { opacity: 0.5 } },
      { selector: ".hidden", style: { display: "none" } },
      { selector: ".dim", style: { opacity: 0.22 } },
      // A box stays opaque, so that the lines behind it do not run through its rows.
      { selector: ".box.dim", style: { opacity: 1, "border-opacity": 0.4, "text-opacity": 0.3 } },
      { selector: ".link.dim", style: { opacity: 0.07 } },
      { selector: ".link.on", style: { width: 2.4, opacity: 1, "z-index": 15 } },
      { selector: ".column.on", style: { "background-color": colour("on"), "background-opacity": 1 } },
      {
        selector: ".chosen",
        style: {
          "background-color": colour("chosen"),
          "background-opacity": 1,
          "border-width": 2,
          "border-style": "solid",
          "border-color": colour("accent"),
          "z-index": 40,
        },
      },
      { selector: ".column.chosen", style: { "font-weight": "bold" } },
    ];
  }

  const cy = (window.lineage = cytoscape({
    container: element("graph"),
    elements,
    style: style(),
    layout: { name: "preset", fit: false },
    autoungrabify: true,
    autounselectify: true,
    boxSelectionEnabled: false,
    minZoom: 0.03,
    maxZoom: 2.5,
  }));
  const titles = cy.nodes(".title");
  const lanes = cy.nodes(".lane");
  const exposures = cy.nodes(".exposure");
  const get = (id) => cy.getElementById(id);

  // Seen from afar a box shows its name, as large as it has room for.
  function sizeTitles() {
    const zoom = cy.zoom();
    cy.batch(() => {
      titles.toggleClass("hidden", zoom >= OVERVIEW);
      titles.forEach((title) => title.data("size", Math.min(title.data("most"), 15 / zoom)));
      exposures.forEach((each) =>
        each.data("size", Math.min(each.data("most"), 19, Math.max(12, 13 / zoom))),
      );
      lanes.forEach((lane) => {
        const most = (lane.data("width") - 20) / (lane.data("label").length * LETTER * 1.06);
        const size = Math.min(44, Math.max(18, 15 / zoom), most);
        lane.data({ size, drop: size * 1.1 + 12 });
      });
    });
  }
  cy.on("zoom", sizeTitles);
  cy.on("resize", () => arranged && choose(chosen)); // a path by itself is laid out for the room

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => cy.style(style()));

  // ---- What is chosen ---------------------------------------------------------------------

  let chosen = null; // a column, a node, or nothing

  // All that a column comes from, or all that comes from it: numbers of columns.
  function reached(start, next) {
    const found = new Set(start);
    for (const number of found) for (const [other] of next(columns[number])) found.add(other);
    return found;
  }

  // The columns, nodes and lines that have to do with some columns.
  function pathOf(numbers) {
    const up = reached(numbers, (column) => column.origins);
    const down = reached(numbers, (column) => column.uses);
    const ids = new Set([...up, ...down].map((number) => `c${number}`));
    const onPath = new Set([...up, ...down].map((number) => columns[number].node.index));
    const below = new Set([...down].map((number) => columns[number].node.index));
    const known = new Set([...up].filter((number) => columns[number].known).map((number) => columns[number].node.index));
    const sources = new Set(numbers.map((number) => columns[number].node.index));
    const lines = new Set();
    const heads = new Set(); // nodes that are on the path by none of their columns
    const both = (link, some) =>
      some.has(Number(link.source.slice(1))) && some.has(Number(link.target.slice(1)));
    for (const link of links) {
      if (link.group === "derived" && (both(link, up) || both(link, down))) lines.add(link.id);
      // Who reads the table reads the column.
      if (link.group === "read" && below.has(Number(link.source.slice(1)))) {
        lines.add(link.id);
        ids.add(link.target);
      }
      // What the model's own code reads.
      if (link.group === "code" && (known.has(Number(link.target.slice(1))) || sources.has(Number(link.source.slice(1))))) {
        lines.add(link.id);
        heads.add(Number(link.source.slice(1))).add(Number(link.target.slice(1)));
      }
      // The rows of the path's models, one step: what those columns come from is another story.
      if (link.group === "rows" && element("rows").checked && onPath.has(Number(link.target.slice(1)))) {
        lines.add(link.id);
        ids.add(link.source);
      }
    }
    return { ids, lines, heads, up, down };
  }

  function highlight() {
    const all = cy.elements();
    const path = chosen && pathOf(chosen.columns ? chosen.columns.map((each) => each.number) : [chosen.number]);
    const only = element("only").checked && path !== null;
    cy.batch(() => {
      all.removeClass("dim on chosen hidden");
      arrange(only ? path : null);
      cy.edges(".rows").toggleClass("hidden", !element("rows").checked);
      if (!path) return;
      const nodes = new Set(path.heads);
      for (const id of path.ids) if (id[0] === "c") nodes.add(columns[id.slice(1)].node.index);
      if (chosen.columns) nodes.add(chosen.index);
      const away = only ? "hidden" : "dim";
      all.not(".lane").forEach((each) => {
        const id = each.id();
        const number = Number(id.slice(1));
        const isOn = each.isEdge()
          ? path.lines.has(id)
          : "nho".includes(id[0]) ? nodes.has(number) : path.ids.has(`${id[0] === "e" ? "e" : "c"}${number}`);
        if (!isOn) each.addClass(away);
        else if (each.isEdge() || each.hasClass("column")) each.addClass("on");
      });
      if (only) lanes.addClass("hidden");
      get(chosen.columns ? `h${chosen.index}` : `c${chosen.number}`).removeClass("on").addClass("chosen");
    });
    sizeTitles();
    return path;
  }

  // Puts everything where Python put it or, for a path alone, its rows close together.
  let arranged = false;
  function arrange(path) {
    if (!path && !arranged) return;
    arranged = path !== null;
    const now = new Map();
    const take = (box, shown) => parts(box, shown).forEach((value, id) => now.set(id, value));
    if (!path) {
      for (const node of data.nodes) take(node, node.columns);
      for (const exposure of data.exposures) now.set(`e${exposure.index}`, exposure);
    } else {
      const stacks = new Map(); // by where they stood, left to right
      const stack = (box, shown) => {
        const height = shown ? data.head + data.row * shown.length : box.height;
        const rows = (shown || []).map((each) => each.name.length + Math.min(14, each.type.length) + 4);
        const letters = Math.max(box.label.length * 1.15, ...rows);
        const width = Math.min(box.width, Math.max(120, letters * data.letter + 34));
        if (!stacks.has(box.x)) stacks.set(box.x, []);
        stacks.get(box.x).push({ box, shown, width, height });
      };
      for (const node of data.nodes) {
        const shown = node.columns.filter((column) => path.ids.has(`c${column.number}`));
        if (shown.length || node === chosen || path.heads.has(node.index)) stack(node, shown);
      }
      for (const each of data.exposures) if (path.ids.has(`e${each.index}`)) stack(each, null);
      // Side by side as long as they fit, and then in a new line below, so that no path is cut.
      const room = Math.max(0, (cy.width() - 60) / LEGIBLE);
      const lines = [];
      for (const at of [...stacks.keys()].sort((a, b) => a - b)) {
        const members = stacks.get(at).sort((a, b) => a.box.y - b.box.y);
        const width = Math.max(...members.map((each) => each.width));
        const height = members.reduce((sum, each) => sum + each.height + 30, -30);
        let line = lines[lines.length - 1];
        if (!line || line.right + 70 + width > room) lines.push((line = { stacks: [], right: -70, height: 0 }));
        line.stacks.push({ members, height, x: line.right + 70 });
        line.right += 70 + width;
        line.height = Math.max(line.height, height);
      }
      let top = 0;
      for (const line of lines) {
        for (const { members, height, x } of line.stacks) {
          let y = top + (line.height - height) / 2;
          for (const { box, shown, width, height: own } of members) {
            if (shown) take({ ...box, x, y, width }, shown);
            else now.set(`e${box.index}`, { ...box, x, y, width });
            y += own + 30;
          }
        }
        top += line.height + 50;
      }
    }
    now.forEach(({ x, y, width, height }, id) => {
      get(id).data({ width, height }).position({ x: x + width / 2, y: y + height / 2 });
    });
    for (const link of links) {
      const [source, target] = [now.get(link.source), now.get(link.target)];
      if (source && target) get(link.id).data(curve(source, target));
    }
  }

  function look(path) {
    cy.stop();
    const quiet = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const go = (to) => cy.animate(to, { duration: quiet ? 0 : 250 });
    const seen = path
      ? cy.nodes(arranged ? ".box, .exposure" : ".column.on, .head.chosen, .column.chosen, .exposure").not(".dim, .hidden")
      : cy.nodes();
    const box = seen.boundingBox({ includeLabels: false, includeOverlays: false });
    const zoom = Math.min((cy.width() - 60) / box.w, (cy.height() - 60) / box.h, 1.25);
    // A path by itself is seen whole, unless that makes it too small to be read.
    if (!path || zoom >= (arranged ? OVERVIEW : READABLE)) {
      const [x, y] = [box.x1 + box.w / 2, box.y1 + box.h / 2];
      return go({ zoom, pan: { x: cy.width() / 2 - zoom * x, y: cy.height() / 2 - zoom * y } });
    }
    // It does not fit: what is chosen in the middle, but for room that would stay empty.
    const at = get(chosen.columns ? `h${chosen.index}` : `c${chosen.number}`).position();
    const middle = (centre, least, most, screen) => {
      const half = (screen / 2 - 30) / READABLE;
      return most - least < 2 * half ? (least + most) / 2 : Math.min(most - half, Math.max(least + half, centre));
    };
    const x = middle(at.x, box.x1, box.x2, cy.width());
    const y = middle(at.y, box.y1, box.y2, cy.height());
    go({ zoom: READABLE, pan: { x: cy.width() / 2 - READABLE * x, y: cy.height() / 2 - READABLE * y } });
  }

  // Chooses a column, a node, or nothing; `moved` is false where the view should stay.
  function choose(what, moved = true) {
    chosen = what;
    const hash = what ? `#${encodeURIComponent(called(what))}` : "";
    if (location.hash !== hash) history.replaceState(null, "", hash || location.pathname + location.search);
    const path = highlight();
    if (!what) about();
    else if (what.columns) aboutNode(what, path);
    else aboutColumn(what, path);
    element("panel").scrollTop = 0;
    if (moved) look(path);
  }

  // What the address asks for; as it stands there, if it is no text that was encoded.
  function asked() {
    const hash = location.hash.slice(1);
    try {
      return decodeURIComponent(hash);
    } catch {
      return hash;
    }
  }

  function fromHash() {
    const wanted = asked();
    const what = columns.find((column) => name(column) === wanted) || data.nodes.find((node) => node.label === wanted);
    choose(what || null);
    if (wanted && !what) element("panel").prepend(tag("p", "warning", `There is no ${wanted}.`));
  }

  // ---- The panel --------------------------------------------------------------------------

  function tag(kind, classes, ...children) {
    const made = document.createElement(kind);
    if (classes) made.className = classes;
    made.append(...children.filter((child) => child !== null && child !== ""));
    return made;
  }
  const called = (what) => (what.columns ? what.label : name(what));
  function link(what, text = called(what)) {
    const made = tag("a", "", text);
    made.href = `#${encodeURIComponent(called(what))}`;
    made.addEventListener("click", (event) => {
      event.preventDefault();
      choose(what);
    });
    return made;
  }
  const list = (title, items) =>
    items.length ? [tag("h3", "", title), tag("ul", "", ...items.map((item) => tag("li", "", ...item)))] : [];
  const marks = (column) => column.marks.map((mark) => tag("span", "mark", mark));
  const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
  const origin = ([number, kind, field]) => [
    tag("span", "faint", `${field ? `its ${field}: ` : ""}${data.words[kind]} `),
    link(columns[number]),
  ];
  const reasons = (untraced) =>
    untraced.map((reason) => tag("p", "warning", `Cannot be traced completely: ${reason}`));
  const changed = (node) =>
    node.changed ? [tag("p", "warning", "The model's file has changed since this was recorded.")] : [];
  const fill = (...parts) => element("panel").replaceChildren(...parts);

  function about() {
    const traced = columns.filter((column) => column.untraced.length);
    const marked = columns.filter((column) => column.marks.length);
    fill(
      tag("h2", "", data.project),
      tag("p", "", `${count(columns.length, "column")} of ${count(data.nodes.length, "table")}, as recorded ${data.generated_at.slice(0, 16).replace("T", " ")} UTC.`),
      tag("p", "faint", "Choose a column, here or in the graph, to see all that it comes from and all that comes from it. Esc goes back."),
      ...list("Cannot be traced completely", traced.map((column) => [link(column)])),
      ...list("Tables", data.nodes.map((node) => [link(node), tag("span", "faint", ` ${node.kind}`)])),
      ...list("Marked", marked.map((column) => [link(column), " ", ...marks(column)])),
    );
  }

  function aboutColumn(column, path) {
    const models = new Set([...path.up].map((number) => columns[number].node)).size;
    const roots = [...path.up].filter((number) => number !== column.number && !columns[number].origins.length);
    const readers = data.exposures.filter((each) => path.ids.has(`e${each.index}`));
    const nothing = column.untraced.length || column.origins.length || column.known ? null
      : ["seed", "source", "table"].includes(column.node.kind) ? "A root: no model of dbt makes it."
      : "It comes no origin: a constant, or a value of the run.";
    fill(
      tag("h2", "", column.name),
      tag("p", "faint", "of ", link(column.node), column.type ? `, ${column.type}` : "", `, ${column.node.layer}`),
      tag("p", "", ...marks(column)),
      tag("p", "", column.description),
      ...reasons(column.untraced),
      ...changed(column.node),
      ...(nothing ? [tag("p", "faint", nothing)] : []),
      ...list("Comes from", column.origins.map(origin)),
      ...byCode(column.known ? column.node.sources : [], column.known),
      ...list("Goes to", column.uses.map(([number, kind, field]) => [
        link(columns[number]),
        tag("span", "faint", ` ${field ? `(its ${field}) ` : ""}${data.words[kind]} it`),
      ])),
      ...list("Decides the rows of", column.rowUses.map(([index, kind]) => [
        link(data.nodes[index]), tag("span", "faint", ` ${data.words[kind]} it`),
      ])),
      ...list("Read by", readers.map((each) => [`${each.label} `, tag("span", "faint", each.kind)])),
      ...list(`Roots (of ${count(path.up.size - 1, "column")} upstream, ${count(models, "table")})`, roots.map((number) => [link(columns[number])])),
      ...aboutRows(column.node),
    );
  }

  const byCode = (sources, reason) => [
    ...list("Read by the model's code from", sources.map((index) => [link(data.nodes[index])])),
    ...(reason ? [tag("p", "faint", reason)] : []),
  ];

  function aboutRows(node) {
    const items = node.rows.origins.map(origin);
    return [...list(`Rows of ${node.label}`, items), ...reasons(node.rows.untraced.map((reason) => `the rows: ${reason}`))];
  }

  function aboutNode(node) {
    fill(
      tag("h2", "", node.label),
      tag("p", "faint", `${node.kind}, ${node.layer}, ${node.relation}`),
      tag("p", "", node.description),
      ...changed(node),
      ...byCode(node.sources),
      ...aboutRows(node),
      ...list("Columns", node.columns.map((column) => [
        link(column, column.name), tag("span", "faint", ` ${column.type}${column.untraced.length ? " ?" : ""} `), ...marks(column),
      ])),
    );
  }

  // ---- The search -------------------------------------------------------------------------

  const search = element("search");
  const hits = element("hits");
  const MOST = 60;
  let found = [];
  let marked = 0;

  // The columns whose names or descriptions have all the words; best first: the name itself, its
  // beginning, a part, a description; of equals, those at the right, which readers see.
  function find(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const rank = (column) => {
      const own = column.name.toLowerCase();
      const first = words[words.length - 1];
      return own === first || name(column).toLowerCase() === first ? 0 : own.startsWith(first) ? 1 : own.includes(first) ? 2 : 3;
    };
    const has = (text, word) => text.toLowerCase().includes(word);
    const named = (column) => words.every((word) => has(name(column), word));
    return columns
      .filter((column) => words.every((word) => has(name(column), word) || has(column.description, word)))
      .map((column) => ({ column, rank: named(column) ? rank(column) : 4 }))
      .sort((a, b) => a.rank - b.rank || b.column.node.x - a.column.node.x || a.column.number - b.column.number)
      .map((each) => each.column);
  }

  function showHits() {
    found = find(search.value);
    marked = 0;
    const rows = found.slice(0, MOST).map((column, index) => {
      const hit = tag("div", "hit", tag("span", "model", `${column.node.label}.`), column.name, " ", ...marks(column));
      hit.setAttribute("role", "option");
      hit.addEventListener("mousedown", (event) => {
        event.preventDefault();
        take(index);
      });
      return hit;
    });
    const more = found.length - rows.length;
    if (!found.length) rows.push(tag("div", "faint", "No column has that in its name or description."));
    if (more > 0) rows.push(tag("div", "faint", `and ${more} more`));
    hits.replaceChildren(...rows);
    open(search.value.trim() !== "");
    mark(0);
  }
  function open(isOpen) {
    hits.hidden = !isOpen;
    search.setAttribute("aria-expanded", String(isOpen));
  }
  function mark(index) {
    const options = hits.querySelectorAll(".hit");
    if (!options.length) return;
    marked = (index + options.length) % options.length;
    options.forEach((option, place) => option.setAttribute("aria-selected", String(place === marked)));
    options[marked].scrollIntoView({ block: "nearest" });
  }
  function take(index) {
    if (!found[index]) return;
    open(false);
    search.blur();
    choose(found[index]);
  }
  search.addEventListener("input", showHits);
  search.addEventListener("focus", () => search.value.trim() && showHits());
  search.addEventListener("blur", () => open(false));
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      mark(marked + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter") take(marked);
  });

  // ---- Mouse, keys, legend ----------------------------------------------------------------

  cy.on("tap", (event) => {
    const id = event.target === cy ? "" : event.target.id();
    if (id[0] === "c") choose(columns[id.slice(1)], element("only").checked);
    else if (id[0] === "h") choose(data.nodes[id.slice(1)], element("only").checked);
    else if (id === "" || id[0] === "n") choose(null, element("only").checked && chosen !== null);
  });
  cy.on("mouseover", ".column, .head", () => (element("graph").style.cursor = "pointer"));
  cy.on("mouseout", ".column, .head", () => (element("graph").style.cursor = ""));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      search.value = "";
      search.blur();
      open(false);
      choose(null);
    } else if (event.key === "/" && document.activeElement !== search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });
  const zoomBy = (factor) =>
    cy.zoom({ level: cy.zoom() * factor, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
  element("larger").addEventListener("click", () => zoomBy(1.3));
  element("smaller").addEventListener("click", () => zoomBy(1 / 1.3));
  element("whole").addEventListener("click", () => look(null));
  element("rows").addEventListener("change", () => choose(chosen, element("only").checked));
  element("only").addEventListener("change", () => choose(chosen, chosen !== null));
  window.addEventListener("hashchange", fromHash);

  function legend() {
    const dashes = { condition: "7 4", window: "2 3", rows: "10 4 2 4" };
    const sample = (kind, text) => {
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      for (const [key, value] of Object.entries({ width: 34, height: 8 })) svg.setAttribute(key, value);
      const look = { x1: 0, y1: 4, x2: 34, y2: 4, stroke: `var(--${kind})`, "stroke-width": kind === "aggregated" ? 3.5 : 2 };
      if (dashes[kind]) look["stroke-dasharray"] = dashes[kind];
      for (const [key, value] of Object.entries(look)) line.setAttribute(key, value);
      svg.append(line);
      return tag("span", "", svg, text);
    };
    const all = [...new Set(columns.flatMap((column) => column.marks))];
    element("legend").append(
      ...KINDS.map((kind) => sample(kind, data.words[kind])),
      sample("rows", "rows chosen by"),
      tag("span", "", tag("b", "warning", "column ?"), "cannot be traced completely"),
      ...(all.length ? [tag("span", "", tag("b", "mark", "▎"), all.join(", "))] : []),
    );
  }

  legend();
  cy.zoom(1);
  fromHash();
})();

// The picture: the memory map twice, where capabilities lie (left) and what they point to (right), arrows between.
//
// Arrows that would be drawn over each other are one, thicker with their number; what counts as "over each other" is
// widened until there are no more than some thousands, whatever the number of capabilities. Positions within an area go by the pages that were touched, so a small used part of a large area
// can be seen.

const COLUMN = 236;
const STRIP = 14;
const GAP = 3;
const MOST_ARROWS = 3000;
const NEAR = 4;
const REGISTER = 11;

function makeMap(model, view) {
  const root = document.getElementById("map");
  const canvas = document.getElementById("arrows");
  const overlay = document.getElementById("overlay");
  const sides = { left: document.getElementById("left"), right: document.getElementById("right") };
  const leftY = new Float32Array(model.size);
  const rightY = new Float32Array(model.size);
  let blocks = { left: [], right: [] };
  let bins = [];
  let colours = {};
  let width = 0;

  // -- layout --

  const heightFor = (number) => (number ? 42 + Math.round(20 * Math.log10(1 + number)) : 35);

  // Consecutive areas without any capability are one thin line.
  const column = (side, numberOf, first, last) => {
    const found = [...first];
    let idle = [];
    const flush = () => {
      if (idle.length) found.push({ areas: idle, idle: true, height: 14 });
      idle = [];
    };
    for (const area of model.areas) {
      if (!area.holds && !area.aimedAt) {
        idle.push(area);
        continue;
      }
      flush();
      found.push({ areas: [area], area, number: numberOf(area), height: heightFor(numberOf(area)) });
    }
    flush();
    found.push(...last);
    let y = 0;
    for (const block of found) {
      block.y = y;
      y += block.height + GAP;
    }
    blocks[side] = found;
    return y;
  };

  const registerBlocks = () => {
    const threads = new Map();
    for (let i = 0; i < model.size; i++) {
      if (model.columns.at[i] >= 0) continue;
      const thread = model.columns.thread[i];
      if (!threads.has(thread)) threads.set(thread, []);
      threads.get(thread).push(i);
    }
    return [...threads].map(([thread, members]) => ({
      thread, members, number: members.length, height: 10 + REGISTER * Math.max(members.length, 4),
    }));
  };

  const layOut = () => {
    const registers = registerBlocks();
    const strays = [];
    for (let i = 0; i < model.size; i++) if (model.to[i] < 0) strays.push(i);
    strays.sort((a, b) => model.aims[a] - model.aims[b]);
    const nowhere = strays.length ? [{ nowhere: true, members: strays, number: strays.length, height: heightFor(strays.length) }] : [];
    const height = Math.max(column("left", (area) => area.holds, registers, []),
      column("right", (area) => area.aimedAt, [], nowhere));
    root.style.height = `${height}px`;
    const left = new Map(blocks.left.filter((b) => b.area).map((b) => [b.area.index, b]));
    const right = new Map(blocks.right.filter((b) => b.area).map((b) => [b.area.index, b]));
    for (const block of registers) {
      block.members.forEach((i, n) => { leftY[i] = block.y + 5 + REGISTER * (n + 0.5); });
    }
    for (const block of nowhere) {
      strays.forEach((i, n) => { rightY[i] = block.y + 4 + (block.height - 8) * (n / strays.length); });
    }
    for (let i = 0; i < model.size; i++) {
      if (model.from[i] >= 0) leftY[i] = within(left.get(model.from[i]), model.columns.at[i]);
      if (model.to[i] >= 0) rightY[i] = within(right.get(model.to[i]), model.aims[i]);
    }
  };

  const within = (block, address) => {
    const { pages, start, limit } = block.area;
    const offset = Math.min(Math.max(address, start), limit) - start;
    let share = offset / (limit - start);
    if (pages.length) {
      let low = 0;
      let high = pages.length;
      const page = Math.floor(offset / PAGE);
      while (low < high) {
        const middle = (low + high) >> 1;
        if (pages[middle] < page) low = middle + 1;
        else high = middle;
      }
      share = (low + (pages[low] === page ? (offset % PAGE) / PAGE : 0)) / pages.length;
    }
    return block.y + 2 + (block.height - 4) * Math.min(share, 1);
  };

  const describeArea = (area) => `${area.startText} · ${bytes(area.limit - area.start)}`;

  const button = (block, side) => {
    if (block.idle) {
      const { areas } = block;
      const text = areas.length === 1 ? `${areas[0].rights} ${areas[0].name}` : `${areas.length} areas without capabilities`;
      const made = element("div", { className: "area idle", textContent: text });
      made.title = areas.map((area) => `${area.startText}–${area.limitText} ${area.rights} ${area.name}`).slice(0, 20).join("\n");
      return made;
    }
    if (!block.area) {
      const name = block.nowhere ? "unmapped addresses" : `registers of thread ${block.thread}`;
      const reached = block.members.some((i) => !block.nowhere && model.columns.reach[i]);
      const made = element("button", { type: "button", className: reached ? "area restricted" : "area" }, element("b", { textContent: name }),
        element("small", { textContent: count(block.number) + (block.nowhere ? " point here" : " held here") }));
      if (!block.nowhere) made.append(...block.members.map((i) => registerName(i, leftY[i] - block.y)));
      made.addEventListener("click", () => view.choose(block.nowhere ? "to" : "from", "*"));
      return made;
    }
    const { area } = block;
    const verb = side === "left" ? "held here" : "point here";
    const made = element("button", { type: "button", className: area.restricted ? "area restricted" : "area" },
      element("b", { textContent: `${area.rights} ${area.name}` }), element("small", { textContent: describeArea(area) }),
      ...(block.number ? [element("small", { textContent: `${count(block.number)} ${verb}` })] : []));
    made.setAttribute("aria-label", `${area.name}, ${area.rights}, ${describeArea(area)}, ${count(block.number)} ${verb}, `
      + (area.restricted ? "within reach of Restricted code" : "Executive only"));
    made.addEventListener("click", () => view.choose(side === "left" ? "from" : "to", "a" + area.index));
    return made;
  };

  const registerName = (i, y) => {
    const made = element("i", { textContent: model.text(model.columns.register[i]) });
    made.style.top = `${y - 6}px`;
    return made;
  };

  const makeButtons = () => {
    for (const side of ["left", "right"]) {
      sides[side].replaceChildren();
      for (const block of blocks[side]) {
        block.button = button(block, side);
        block.button.style.top = `${block.y}px`;
        block.button.style.height = `${block.height}px`;
        sides[side].append(block.button);
      }
    }
  };

  // -- drawing --

  const readColours = () => {
    const style = getComputedStyle(document.documentElement);
    colours = { tags: style.getPropertyValue("--tags"), panel: style.getPropertyValue("--panel"),
      focus: style.getPropertyValue("--focus"), line: style.getPropertyValue("--line") };
    for (const kind of Object.keys(KINDS)) colours[kind] = style.getPropertyValue(`--${kind}`).trim();
  };

  const prepared = (target) => {
    const scale = window.devicePixelRatio || 1;
    const height = root.clientHeight;
    // Browsers refuse canvases of more than some 16,000 pixels.
    const factor = Math.min(scale, 16000 / Math.max(height, 1));
    target.width = Math.round(width * scale);
    target.height = Math.round(height * factor);
    const context = target.getContext("2d");
    context.setTransform(scale, 0, 0, factor, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  };

  const starts = () => COLUMN + STRIP + 3;
  const ends = () => width - COLUMN - 9;

  const curve = (context, y0, y1) => {
    const x0 = starts();
    const x1 = ends();
    const bend = (x1 - x0) * 0.45;
    context.beginPath();
    context.moveTo(x0, y0);
    context.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1, y1);
    context.stroke();
  };

  const head = (context, y, size) => {
    const x = ends();
    context.beginPath();
    context.moveTo(x + 7, y);
    context.lineTo(x - 1, y - size);
    context.lineTo(x - 1, y + size);
    context.fill();
  };

  const strips = (context) => {
    for (const block of blocks.left) {
      if (!block.area) continue;
      const { pages, tags } = block.area;
      const step = (block.height - 4) / Math.max(pages.length, 1);
      context.strokeStyle = colours.line;
      context.strokeRect(COLUMN + 0.5, block.y + 1.5, STRIP - 1, block.height - 3);
      for (let n = 0; n < pages.length; n++) {
        if (!tags[n]) continue;
        context.fillStyle = `rgba(${colours.tags}, ${0.18 + 0.82 * Math.sqrt(tags[n] / GRANULES)})`;
        context.fillRect(COLUMN + 1, block.y + 2 + n * step, STRIP - 2, Math.max(step - (step > 3 ? 0.5 : 0), 0.6));
      }
    }
  };

  const kindNumber = Object.fromEntries(Object.keys(KINDS).map((kind, number) => [kind, number]));

  // Capabilities by arrow, for squares of `size` pixels; null as soon as there are too many.
  const grouped = (size) => {
    const found = new Map();
    for (const i of view.shown) {
      const square = Math.round(leftY[i] / size) * 65536 + Math.round(rightY[i] / size);
      const key = square * 8 + kindNumber[model.shape(i).kind];
      const members = found.get(key);
      if (members) members.push(i);
      else if (found.size === MOST_ARROWS) return null;
      else found.set(key, [i]);
    }
    return [...found.values()];
  };

  const makeBins = () => {
    let size = 2;
    let groups = grouped(size);
    while (!groups) {
      size *= 2;
      groups = grouped(size);
    }
    const mean = (column, members) => members.reduce((sum, i) => sum + column[i], 0) / members.length;
    bins = groups.map((members) => ({
      members, y0: mean(leftY, members), y1: mean(rightY, members), kind: model.shape(members[0]).kind,
    }));
  };

  const draw = () => {
    width = root.clientWidth;
    readColours();
    const context = prepared(canvas);
    strips(context);
    const crowd = Math.min(1, Math.sqrt(120 / Math.max(bins.length, 1)));
    for (const bin of bins) {
      const weight = Math.log2(1 + bin.members.length);
      context.globalAlpha = Math.min(0.9, (0.12 + 0.55 * crowd) + 0.05 * weight);
      context.strokeStyle = context.fillStyle = colours[bin.kind];
      context.lineWidth = Math.min(0.8 + 0.55 * weight, 7);
      curve(context, bin.y0, bin.y1);
      head(context, bin.y1, Math.min(2.4 + 0.4 * weight, 5));
    }
    context.globalAlpha = 1;
    canvas.dataset.arrows = bins.length;
    highlight(view.selected);
  };

  // The bounds of one capability as a bracket at the target's side.
  const bracket = (context, i) => {
    const shape = model.shape(i);
    if (!shape.valid) return;
    const touching = blocks.right.filter((b) => b.area && shape.low < b.area.limit && shape.top > b.area.start);
    if (!touching.length) return;
    const top = within(touching[0], shape.low);
    const bottom = within(touching[touching.length - 1], shape.top);
    context.strokeStyle = colours.focus;
    context.lineWidth = 2.5;
    context.strokeRect(width - COLUMN + 1, top, COLUMN - 3, Math.max(bottom - top, 2));
  };

  const highlight = (found) => {
    const context = prepared(overlay);
    if (!found.length) return;
    context.fillStyle = colours.panel;
    context.globalAlpha = 0.72;
    context.fillRect(starts(), 0, ends() - starts() + 8, root.clientHeight);
    context.globalAlpha = 1;
    const seen = new Set();
    for (const i of found) {
      const key = Math.round(leftY[i]) * 65536 + Math.round(rightY[i]);
      if (seen.has(key) || seen.size > 3000) continue;
      seen.add(key);
      context.strokeStyle = context.fillStyle = colours[model.shape(i).kind];
      context.lineWidth = found.length === 1 ? 3 : 1.8;
      curve(context, leftY[i], rightY[i]);
      head(context, rightY[i], 4.5);
    }
    if (found.length === 1) bracket(context, found[0]);
  };

  // -- pointing --

  const near = (column, y) => view.shown.filter((i) => Math.abs(column[i] - y) <= NEAR);

  // All arrows bend alike, so at one x each has come the same share of its way.
  const shareAt = (x) => {
    let low = 0;
    let high = 1;
    const way = (t) => 3 * (1 - t) ** 2 * t * 0.45 + 3 * (1 - t) * t * t * 0.55 + t ** 3;
    const goal = (x - starts()) / (ends() - starts());
    for (let n = 0; n < 24; n++) {
      const middle = (low + high) / 2;
      if (way(middle) < goal) low = middle;
      else high = middle;
    }
    return 3 * (1 - low) * low * low + low ** 3;
  };

  const at = (x, y) => {
    if (x <= COLUMN + STRIP + 2) return near(leftY, y);
    if (x >= width - COLUMN - 4) return near(rightY, y);
    const share = shareAt(x);
    let best = null;
    let distance = NEAR + 2;
    for (const bin of bins) {
      const away = Math.abs(bin.y0 + (bin.y1 - bin.y0) * share - y);
      if (away < distance) {
        best = bin;
        distance = away;
      }
    }
    return best ? best.members : [];
  };

  const pageAt = (x, y) => {
    if (x < COLUMN || x > COLUMN + STRIP) return null;
    const block = blocks.left.find((b) => b.area && y >= b.y && y < b.y + b.height);
    if (!block || !block.area.pages.length) return null;
    const { area } = block;
    const n = Math.min(Math.floor(((y - block.y - 2) / (block.height - 4)) * area.pages.length), area.pages.length - 1);
    if (n < 0) return null;
    return { address: area.start + area.pages[n] * PAGE, tags: area.tags[n] };
  };

  const position = (event) => {
    const box = root.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  root.addEventListener("mousemove", (event) => {
    const [x, y] = position(event);
    const page = pageAt(x, y);
    const found = at(x, y);
    root.style.cursor = found.length ? "pointer" : "";
    highlight(found.length ? found : view.selected);
    if (page && found.length !== 1) {
      view.tooltip.note(`page 0x${page.address.toString(16)}`,
        `${page.tags} of its ${GRANULES} granules of 16 bytes hold a tagged capability`, event.clientX, event.clientY);
    } else if (found.length) view.tooltip.show(found, event.clientX, event.clientY);
    else view.tooltip.hide();
  });
  root.addEventListener("mouseleave", () => {
    view.tooltip.hide();
    highlight(view.selected);
  });
  root.addEventListener("click", (event) => {
    if (event.target.closest(".area")) return;
    view.select(at(...position(event)));
  });

  const mark = (side, choice) => {
    for (const block of blocks[side]) {
      const chosen = block.area ? choice === "a" + block.area.index || choice === "g" + block.area.name
        : !block.idle && choice === "*";
      block.button.classList.toggle("chosen", chosen);
      if (!block.idle) block.button.setAttribute("aria-pressed", String(chosen));
    }
  };

  layOut();
  makeButtons();
  return {
    highlight,
    place: (i) => ({ left: leftY[i], right: rightY[i], bend: [starts(), ends()] }),
    redraw: draw,
    show(from, to) {
      mark("left", from);
      mark("right", to);
      makeBins();
      draw();
    },
  };
}

// The panel beside the map: how to read it and where arrows go, or what was selected.

const DETAILED = 60;
const FLOWS = 12;

function makeDetails(model, view) {
  const panel = document.getElementById("details");

  const legend = () => {
    const text = (...parts) => element("li", {}, ...parts);
    return element("section", {}, element("h2", { textContent: "How to read this" }),
      element("ol", {},
        text("An arrow is one capability: a pointer that the processor checks. It starts where it is kept, a register or 16 bytes of memory with a tag, and ends where it points."),
        text("Its colour says what it allows. Hover for its bounds: nothing outside them can be touched through it."),
        ...(model.hasSides ? [text("A blue edge: memory that only Executive code gets at. A striped yellow edge: Restricted code, the compartment, can load capabilities there, following what it holds.")] : []),
        text("The strip beside the left column shows how densely each page is tagged.")),
      element("p", { textContent: "Click an area to keep its arrows only, an arrow to decode it." }));
  };

  const flows = () => {
    const numbers = new Map();
    for (const i of view.shown) {
      const key = JSON.stringify([model.groupFrom(i), model.groupTo(i)]);
      numbers.set(key, (numbers.get(key) || 0) + 1);
    }
    const rows = [...numbers].sort((a, b) => b[1] - a[1]);
    const list = element("ul", { className: "flows" });
    for (const [key, number] of rows.slice(0, FLOWS)) {
      const [from, to] = JSON.parse(key);
      const button = element("button", { type: "button" }, element("span", { textContent: `${from} → ${to}` }),
        element("b", { textContent: count(number) }));
      button.addEventListener("click", () => {
        view.choose("from", from === "registers" ? "*" : "g" + from, true);
        view.choose("to", to === "unmapped" ? "*" : "g" + to, true);
      });
      list.append(element("li", {}, button));
    }
    const more = rows.length > FLOWS ? [element("p", { textContent: `and ${count(rows.length - FLOWS)} other ways` })] : [];
    return element("section", {}, element("h2", { textContent: "Where arrows go" }), list, ...more);
  };

  // What a compartment holds that leads out of it.
  const border = () => {
    if (!model.data.restricted.length) return [];
    let entries = 0;
    let open = 0;
    for (let i = 0; i < model.size; i++) {
      const { permissions, otype } = model.shape(i);
      if (!model.columns.reach[i] || !(permissions & EXECUTIVE) || !(permissions & PERM.execute)) continue;
      if (otype) entries++;
      else open++;
    }
    const holder = `Restricted code (${model.data.restricted.join(", ")})`;
    const gates = `${count(entries)} sealed code ${entries === 1 ? "capability" : "capabilities"} with the permission Executive, entered but not read`;
    const exits = open ? ` It can also load ${count(open)} unsealed: a way out of the compartment.` : " It can load none that is unsealed.";
    return [element("section", {}, element("h2", { textContent: "The border" }),
      element("p", { className: "note", textContent: `${holder} can load ${gates}: its gates.${exits}` }))];
  };

  return {
    refresh() {
      const found = view.selected;
      if (!found.length) {
        panel.replaceChildren(legend(), ...border(), flows());
        return;
      }
      const close = element("button", { type: "button", textContent: "Close" });
      close.addEventListener("click", () => view.select([]));
      const text = found.length === 1 ? "1 capability" : `${count(found.length)} capabilities`;
      const why = found.length === 1 && found[0] === model.data.focus
        ? [element("p", { className: "note", textContent: `The fault is about this one. ${model.data.moment}` })] : [];
      panel.replaceChildren(element("section", {}, element("h2", { textContent: text }), close, ...why),
        ...found.slice(0, DETAILED).map((i) => element("section", {}, heading(model, i), ...ruler(model, i), decodedList(model, i))));
      if (found.length > DETAILED) {
        panel.append(element("p", { textContent: `${count(found.length - DETAILED)} more are not listed; the table below has all.` }));
      }
      panel.scrollTop = 0;
    },
  };
}

// The filter form: what is wanted, and which capabilities that leaves.

function makeFilters(model, changed) {
  const form = document.getElementById("filters");
  const search = document.getElementById("search");
  const selects = { from: document.getElementById("from"), to: document.getElementById("to") };
  const wanted = new Map();

  const fillSelect = (select, extra, holds) => {
    const groups = new Map();
    for (const area of model.areas) {
      if (holds(area)) groups.set(area.name, (groups.get(area.name) || 0) + holds(area));
    }
    select.append(element("option", { value: "", textContent: "anywhere" }));
    if (extra) select.append(element("option", { value: "*", textContent: extra }));
    for (const [name, number] of groups) {
      select.append(element("option", { value: "g" + name, textContent: `${name} (${count(number)})` }));
    }
    for (const area of model.areas) {
      if (area.holds || area.aimedAt) {
        const text = `${area.startText} ${area.rights} ${area.name} (${count(holds(area))})`;
        select.append(element("option", { value: "a" + area.index, textContent: text }));
      }
    }
  };
  fillSelect(selects.from, "registers", (area) => area.holds);
  fillSelect(selects.to, "unmapped addresses", (area) => area.aimedAt);

  const kinds = document.getElementById("kinds");
  const numbers = {};
  for (let i = 0; i < model.size; i++) {
    const { kind } = model.shape(i);
    numbers[kind] = (numbers[kind] || 0) + 1;
  }
  for (const [kind, [name, title]] of Object.entries(KINDS)) {
    const box = element("input", { type: "checkbox", value: kind, defaultChecked: true, name: "kind" });
    kinds.append(element("label", { title }, box, element("span", { className: `swatch kind-${kind}` }),
      `${name} ${count(numbers[kind] || 0)}`));
  }

  const permissions = document.getElementById("permissions");
  const showWanted = (button, mask) => {
    const want = wanted.get(mask) || "";
    button.dataset.want = want;
    const words = want === "with" ? "must have" : want === "without" ? "must lack" : "any";
    button.setAttribute("aria-label", `${button.dataset.name}: ${words}`);
  };
  const usualFirst = [...model.data.permissions].sort((a, b) => Boolean(b[2]) - Boolean(a[2]));
  for (const [mask, name, letter] of usualFirst) {
    const button = element("button", { type: "button", textContent: letter ? `${letter} ${name}` : name, dataset: { name } });
    button.addEventListener("click", () => {
      const next = { undefined: "with", with: "without", without: undefined }[wanted.get(mask)];
      if (next) wanted.set(mask, next);
      else wanted.delete(mask);
      showWanted(button, mask);
      changed();
    });
    showWanted(button, mask);
    permissions.append(button);
  }

  form.addEventListener("input", () => changed());
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => {
    wanted.clear();
    usualFirst.forEach(([mask], index) => showWanted(permissions.children[index], mask));
    setTimeout(changed);
  });

  const placeTest = (choice, column) => {
    if (!choice) return () => true;
    if (choice === "*") return (i) => column[i] < 0;
    if (choice[0] === "a") return (i) => column[i] === Number(choice.slice(1));
    const areas = new Set(model.areas.filter((area) => area.name === choice.slice(1)).map((area) => area.index));
    return (i) => areas.has(column[i]);
  };

  // Capabilities that pass, in order.
  const passing = () => {
    const side = form.elements.side.value;
    const { from, to } = { from: placeTest(selects.from.value, model.from), to: placeTest(selects.to.value, model.to) };
    const chosen = new Set([...kinds.querySelectorAll(":checked")].map((box) => box.value));
    let must = 0;
    let mustNot = 0;
    for (const [mask, want] of wanted) {
      if (want === "with") must |= mask;
      else mustNot |= mask;
    }
    const shapeFits = model.shapes.map((shape) => chosen.has(shape.kind)
      && (shape.permissions & must) === must && !(shape.permissions & mustNot));
    const matches = searchTest(model, search.value.trim());
    const found = [];
    for (let i = 0; i < model.size; i++) {
      if (shapeFits[model.columns.shape[i]] && from(i) && to(i) && matches(i)
          && (!side || (side === "restricted") === (model.columns.reach[i] === 1))) found.push(i);
    }
    return found;
  };

  const choose = (which, value) => {
    selects[which].value = selects[which].value === value ? "" : value;
    changed();
  };
  return { passing, choose, selects };
}

// An address finds what lies there, what points there and whose bounds contain it; words find names.
function searchTest(model, text) {
  if (!text) return () => true;
  const { columns } = model;
  if (/^0x[0-9a-f]+$/i.test(text)) {
    const exactly = BigInt(text);
    return (i) => {
      if (columns.at[i] >= 0 && exactly >= BigInt(columns.at[i]) && exactly < BigInt(columns.at[i]) + 16n) return true;
      const shape = model.shape(i);
      return big(columns.value[i]) === exactly || (exactly >= shape.base && exactly < shape.limit);
    };
  }
  const low = text.toLowerCase();
  const strings = model.data.strings.map((name) => name.toLowerCase().includes(low));
  const areas = model.areas.map((area) => area.name.toLowerCase().includes(low));
  const registers = model.data.strings.map((name) => name.toLowerCase() === low);
  return (i) => strings[columns.atName[i]] || strings[columns.toName[i]] || registers[columns.register[i]]
    || (model.from[i] >= 0 && areas[model.from[i]]) || (model.to[i] >= 0 && areas[model.to[i]]);
}

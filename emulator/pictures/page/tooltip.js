// What a pointer or the keyboard is on, decoded, beside it.

const LISTED = 6;

function heading(model, i) {
  const { kind } = model.shape(i);
  return element("h3", {}, element("span", { className: `swatch kind-${kind}` }),
    `${KINDS[kind][0]} capability`);
}

// The value within the bounds, to scale; nothing when it lies outside.
function ruler(model, i) {
  const shape = model.shape(i);
  const value = big(model.columns.value[i]);
  if (!shape.valid || shape.limit <= shape.base || value < shape.base || value > shape.limit) return [];
  const share = Number((value - shape.base) * 10000n / (shape.limit - shape.base)) / 100;
  const mark = element("i");
  mark.style.left = `${share}%`;
  const title = `the value is at ${share.toFixed(0)}% of the bounds`;
  return [element("div", { className: "ruler", title, role: "img", ariaLabel: title }, mark)];
}

function decodedList(model, i) {
  const list = element("dl");
  for (const [name, text] of decoded(model, i)) {
    list.append(element("dt", { textContent: name }), element("dd", { textContent: text }));
  }
  return list;
}

function brief(model, i) {
  const shape = model.shape(i);
  return `${model.holder(i)} → ${hex(model.columns.value[i])} ${model.letters(shape.permissions)}`;
}

function makeTooltip(model) {
  const box = document.getElementById("tooltip");
  const place = (x, y) => {
    const { width, height } = box.getBoundingClientRect();
    const left = x + 18 + width > window.innerWidth ? x - width - 14 : x + 18;
    box.style.left = `${Math.max(left, 4)}px`;
    box.style.top = `${Math.max(Math.min(y + 14, window.innerHeight - height - 6), 4)}px`;
  };
  return {
    hide() { box.hidden = true; },
    show(found, x, y) {
      box.replaceChildren();
      if (found.length === 1) {
        box.append(heading(model, found[0]), ...ruler(model, found[0]), decodedList(model, found[0]));
      } else {
        box.append(element("h3", { textContent: `${count(found.length)} capabilities` }));
        for (const i of found.slice(0, LISTED)) box.append(element("div", { className: "mono", textContent: brief(model, i) }));
        box.append(element("p", { textContent: found.length > LISTED ? "… click to list them all" : "click to decode them" }));
      }
      box.hidden = false;
      place(x, y);
    },
    note(title, text, x, y) {
      box.replaceChildren(element("h3", { textContent: title }), element("p", { textContent: text }));
      box.hidden = false;
      place(x, y);
    },
  };
}

// The filtered capabilities as rows, a hundred at a time: for keyboards, screen readers and exact numbers.

const ROWS = 100;

function makeTable(model, view, map) {
  const body = document.querySelector("#table tbody");
  const pager = document.getElementById("pager");
  let first = 0;

  const cell = (text, name) => element("td", { textContent: text }, ...(name ? [element("em", { textContent: name, title: name })] : []));

  const row = (i) => {
    const shape = model.shape(i);
    const { columns } = model;
    const bounds = shape.valid ? `${shape.baseText}–${shape.limitText}` : "invalid";
    const made = element("tr", { tabIndex: 0, dataset: { index: i } },
      cell(model.holder(i), model.text(columns.atName[i]) || model.groupFrom(i)),
      cell(hex(columns.value[i]), model.text(columns.toName[i]) || model.groupTo(i)), cell(bounds),
      cell(shape.valid ? bytes(shape.limit - shape.base) : ""),
      element("td", { textContent: model.letters(shape.permissions), title: model.names(shape.permissions).join(" ") }),
      element("td", {}, element("span", { className: `swatch kind-${shape.kind}` }), ` ${KINDS[shape.kind][0]}${shape.otype === 1 ? ", sentry" : ""}`),
      cell(columns.reach[i] ? "Restricted too" : "Executive only"));
    return made;
  };

  const render = () => {
    const part = view.shown.slice(first, first + ROWS);
    body.replaceChildren(...part.map(row));
    const step = (text, to, possible) => {
      const button = element("button", { type: "button", textContent: text, disabled: !possible });
      button.addEventListener("click", () => {
        first = to;
        render();
      });
      return button;
    };
    const label = part.length ? `${count(first + 1)}–${count(first + part.length)} of ${count(view.shown.length)}` : "none";
    pager.replaceChildren(step("‹ previous", Math.max(first - ROWS, 0), first > 0), element("span", { textContent: label }),
      step("next ›", first + ROWS, first + ROWS < view.shown.length));
  };

  const indexOf = (event) => {
    const found = event.target.closest("tr");
    return found ? Number(found.dataset.index) : null;
  };
  const point = (event) => {
    const i = indexOf(event);
    if (i !== null) map.highlight([i]);
  };
  body.addEventListener("mouseover", point);
  body.addEventListener("focusin", point);
  body.addEventListener("mouseleave", () => map.highlight(view.selected));
  body.addEventListener("click", (event) => view.select([indexOf(event)]));
  body.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      view.select([indexOf(event)]);
    }
  });

  return {
    refresh() {
      first = 0;
      render();
    },
  };
}

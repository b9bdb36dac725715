// Start: read the data, put the parts together, draw again when something changes.

const model = makeModel(JSON.parse(document.getElementById("data").textContent));

function describePage() {
  const { data } = model;
  document.title = `Capability map: ${data.program}`;
  document.getElementById("program").textContent = data.program;
  document.getElementById("moment").textContent =
    `${data.moment}, after ${count(data.instructions)} instructions · ${data.arguments}`;
  const facts = [
    [count(data.total), data.total === 1 ? "tagged capability" : "tagged capabilities"],
    [count(model.areas.length), "areas of memory"],
    [bytes(data.resident), "touched"],
    ...(data.restricted.length ? [[data.restricted.join(", "), "Restricted"]] : []),
  ];
  document.getElementById("sides").hidden = !model.hasSides;
  document.getElementById("facts").append(...facts.map(([number, text]) =>
    element("li", {}, element("b", { textContent: number }), ` ${text}`)));
}

function statusText(view) {
  const { data } = model;
  if (!data.purecap) return "This program is plain AArch64: its pointers are integers, so there are no capabilities to draw.";
  const kept = data.total > model.size ? ` (${count(model.size)} of ${count(data.total)} are in this page, evenly chosen)` : "";
  if (view.shown.length === model.size) return `All ${count(model.size)} capabilities are shown${kept}.`;
  return `${count(view.shown.length)} of ${count(model.size)} capabilities are shown${kept}.`;
}

const view = { shown: [], selected: [], tooltip: makeTooltip(model) };
let scheduled = 0;

const filters = makeFilters(model, () => {
  cancelAnimationFrame(scheduled);
  scheduled = requestAnimationFrame(refresh);
});
view.choose = (which, value, keep) => {
  if (keep) filters.selects[which].value = "";
  filters.choose(which, value);
};
const map = makeMap(model, view);
const details = makeDetails(model, view);
const table = makeTable(model, view, map);

view.select = (found) => {
  view.selected = found;
  map.highlight(found);
  details.refresh();
};

function refresh() {
  view.shown = filters.passing();
  view.selected = [];
  document.getElementById("status").textContent = statusText(view);
  map.show(filters.selects.from.value, filters.selects.to.value);
  details.refresh();
  table.refresh();
  document.body.dataset.shown = view.shown.length;
}

describePage();
refresh();
if (model.data.focus >= 0) view.select([model.data.focus]);
new ResizeObserver(() => map.redraw()).observe(document.getElementById("map"));
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => map.redraw());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") view.select([]);
});

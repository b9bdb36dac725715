// The data block as a model: numbers are decoded here, nowhere else.
//
// Columns of `capabilities`, one entry each: at (address, -1 for a register), register and atName and toName (into
// `strings`), thread, shape (into `shapes`: base, limit, permissions, object type, bounds valid, upper 64 bits), value,
// reach (1: Restricted code can load it). Numbers of 2^53 and more are hexadecimal strings.

const PAGE = 4096;
const GRANULES = 256;
const EXECUTIVE = 1 << 1;
const KINDS = {
  code: ["code", "Execute: code it can run, entry sentries included"],
  data: ["writable", "Store: memory it can change"],
  constant: ["read-only", "Load without Store"],
  sealed: ["sealed", "can't be used until it is unsealed"],
  authority: ["other", "neither Load, Store nor Execute, such as the right to seal"],
};
const PERM = { load: 1 << 17, store: 1 << 16, execute: 1 << 15 };

const plain = (value) => (typeof value === "string" ? Number.parseInt(value, 16) : value);
const big = (value) => (typeof value === "string" ? BigInt("0x" + value) : BigInt(value));
const hex = (value) => "0x" + (typeof value === "string" ? value : value.toString(16));
const count = (number) => number.toLocaleString("en-US");

function bytes(size) {
  const value = Number(size);
  if (value >= 2 ** 63) return "all of memory";
  const units = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [1024, "KiB"]];
  for (const [unit, name] of units) {
    if (value >= unit) return `${Number((value / unit).toFixed(1))} ${name}`;
  }
  return value === 1 ? "1 byte" : `${value} bytes`;
}

function kindOf(permissions, otype) {
  if (otype > 1) return "sealed";
  if (permissions & PERM.execute) return "code";
  if (permissions & PERM.store) return "data";
  return permissions & PERM.load ? "constant" : "authority";
}

function sealName(otype) {
  return otype === 0 ? "no" : otype === 1 ? "sentry (entered by a branch)" : otype === 2 ? "as LPB"
    : otype === 3 ? "as LB" : "with object type 0x" + otype.toString(16);
}

function makeModel(data) {
  const columns = data.capabilities;
  const areas = data.areas.map((area, index) => ({
    index, start: plain(area.start), limit: plain(area.limit), startText: hex(area.start), limitText: hex(area.limit),
    rights: area.rights, group: area.group, label: area.label, shared: area.shared, pages: area.pages, tags: area.tags,
    restricted: data.restricted.includes(area.group) || area.label.startsWith("Restricted"), holds: 0, aimedAt: 0,
    name: area.label || area.group || "anonymous memory",
  }));
  const shapes = data.shapes.map(([base, limit, permissions, otype, valid, high]) => ({
    base: big(base), limit: big(limit), low: plain(base), top: plain(limit), baseText: hex(base), limitText: hex(limit),
    permissions, otype, valid: valid === 1, high, kind: kindOf(permissions, otype),
  }));
  const size = columns.at.length;
  const areaAt = (address) => {
    let low = 0;
    let high = areas.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (address < areas[middle].start) high = middle - 1;
      else if (address >= areas[middle].limit) low = middle + 1;
      else return middle;
    }
    return -1;
  };
  const aims = new Float64Array(size);
  const from = new Int32Array(size);
  const to = new Int32Array(size);
  for (let i = 0; i < size; i++) {
    aims[i] = plain(columns.value[i]);
    from[i] = columns.at[i] < 0 ? -1 : areaAt(columns.at[i]);
    to[i] = areaAt(aims[i]);
    // An end pointer, or an empty range, belongs to what lies before it.
    if (to[i] < 0 && shapes[columns.shape[i]].top === aims[i]) to[i] = areaAt(aims[i] - 1);
    if (from[i] >= 0) {
      areas[from[i]].holds++;
      if (columns.reach[i]) areas[from[i]].restricted = true;
    }
    if (to[i] >= 0) areas[to[i]].aimedAt++;
  }
  const hasSides = data.restricted.length > 0 || columns.reach.includes(1);
  const model = { data, areas, shapes, columns, size, aims, from, to, hasSides };
  model.shape = (i) => shapes[columns.shape[i]];
  model.text = (number) => data.strings[number];
  model.holder = (i) => (columns.at[i] < 0
    ? `${model.text(columns.register[i])} of thread ${columns.thread[i]}` : hex(columns.at[i]));
  model.groupFrom = (i) => (from[i] < 0 ? "registers" : areas[from[i]].name);
  model.groupTo = (i) => (to[i] < 0 ? "unmapped" : areas[to[i]].name);
  model.letters = (permissions) => data.permissions.filter(([mask, , letter]) => letter && permissions & mask)
    .map(([, , letter]) => letter).join("") || "-";
  model.names = (permissions) => data.permissions.filter(([mask]) => permissions & mask).map(([, name]) => name);
  return model;
}

// Every field of a capability, decoded, as [name, text].
function decoded(model, i) {
  const shape = model.shape(i);
  const { columns } = model;
  const at = model.text(columns.atName[i]);
  const to = model.text(columns.toName[i]);
  const value = big(columns.value[i]);
  const rows = [
    ["lies at", model.holder(i) + (at ? `  ${at}` : "")],
    ["in", model.groupFrom(i) + (columns.reach[i] ? ", within reach of Restricted code" : ", Executive only")],
    ["value", hex(columns.value[i]) + (to ? `  ${to}` : "")],
    ["points into", model.groupTo(i)],
  ];
  if (shape.valid) {
    const length = shape.limit - shape.base;
    rows.push(["bounds", `[${shape.baseText}, ${shape.limitText})`],
      ["length", `0x${length.toString(16)} (${bytes(length)})`],
      ["offset", value < shape.base ? `-0x${(shape.base - value).toString(16)}` : `0x${(value - shape.base).toString(16)}`]);
  } else {
    rows.push(["bounds", "invalid"]);
  }
  rows.push(["permissions", model.names(shape.permissions).join(" ") || "none"], ["sealed", sealName(shape.otype)],
    ["tag", "1"], ["bits", `${shape.high}:${value.toString(16).padStart(16, "0")}`]);
  return rows;
}

function element(tag, options = {}, ...children) {
  const { className, dataset, ...properties } = options;
  const made = Object.assign(document.createElement(tag), properties);
  if (className) made.className = className;
  Object.assign(made.dataset, dataset);
  made.append(...children);
  return made;
}

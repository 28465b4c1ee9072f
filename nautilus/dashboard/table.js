// A table that is kept up to date row by row: only what changed is touched, and all text is text.

/**
 * `columns` are {title, value(row), kind?: "number"|"text", tone?(row), flash?: bool}. A value that is a Node is placed
 * as it is. Rows are known by `key(row)`.
 */
export class Table {
  constructor(element, columns, key, { empty = "Nothing yet.", choose = null } = {}) {
    this.columns = columns;
    this.key = key;
    this.choose = choose;
    this.usual = empty;
    this.empty = empty;
    this.rows = new Map();
    this.selected = null;
    const head = element.createTHead().insertRow();
    for (const column of columns) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = column.title;
      if (column.kind === "number") cell.className = "number";
      head.append(cell);
    }
    this.body = element.createTBody();
    this.show([]);
  }

  /** Say why there is nothing to show; "" for the usual words. */
  say(text) {
    this.empty = text || this.usual;
    if (this.rows.size === 0) this.show([]);
  }

  /** Show these rows in this order. */
  show(rows) {
    const wanted = new Set(rows.map(this.key));
    for (const [key, shown] of this.rows) {
      if (!wanted.has(key)) {
        shown.element.remove();
        this.rows.delete(key);
      }
    }
    this.body.querySelector("td.empty")?.parentElement.remove();
    if (rows.length === 0) {
      const cell = this.body.insertRow().insertCell();
      cell.className = "empty";
      cell.colSpan = this.columns.length;
      cell.textContent = this.empty;
      return;
    }
    let before = this.body.firstElementChild;
    for (const row of rows) {
      const shown = this.#row(row);
      if (shown.element === before) before = before.nextElementSibling;
      else this.body.insertBefore(shown.element, before);
    }
  }

  /** Mark the chosen row. */
  select(key) {
    this.selected = key;
    for (const [known, shown] of this.rows) shown.element.setAttribute("aria-selected", String(known === key));
  }

  #row(row) {
    const key = this.key(row);
    let shown = this.rows.get(key);
    if (!shown) {
      shown = { element: document.createElement("tr"), cells: [] };
      for (const column of this.columns) {
        const cell = shown.element.insertCell();
        cell.className = column.kind || "";
        shown.cells.push({ cell, text: null, raw: null, tone: "" });
      }
      if (this.choose) this.#choosable(shown.element, key);
      this.rows.set(key, shown);
    }
    this.columns.forEach((column, index) => update(shown.cells[index], column, row));
    return shown;
  }

  #choosable(element, key) {
    element.className = "choice";
    element.tabIndex = 0;
    element.setAttribute("aria-selected", String(key === this.selected));
    element.addEventListener("click", () => this.choose(key));
    element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        this.choose(key);
      }
    });
  }
}

function update(shown, column, row) {
  const value = column.value(row);
  if (value instanceof Node) {
    if (shown.text !== value) shown.cell.replaceChildren(value);
    shown.text = value;
    return;
  }
  const tone = column.tone ? column.tone(row) : "";
  if (tone !== shown.tone) {
    if (shown.tone) shown.cell.classList.remove(shown.tone);
    if (tone) shown.cell.classList.add(tone);
    shown.tone = tone;
  }
  const text = String(value ?? "");
  if (text === shown.text) return;
  if (column.flash && shown.text !== null) flash(shown, column.flash(row));
  if (column.flash) shown.raw = column.flash(row);
  shown.cell.textContent = text;
  shown.text = text;
}

function flash(shown, raw) {
  if (raw === null || raw === undefined || shown.raw === null || shown.raw === undefined) return;
  shown.cell.classList.remove("rose", "fell");
  void shown.cell.offsetWidth; // restarts the animation
  shown.cell.classList.add(raw > shown.raw ? "rose" : "fell");
}

"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const key = (row, column) => row.cells[column].dataset.key ?? row.cells[column].textContent;
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const rows = [...body.rows];
      const numeric = rows.every((row) => "key" in row.cells[column].dataset);
      const was = head.getAttribute("aria-sort");
      // Numbers are wanted from the top first, names from A
      const rising = was ? was === "descending" : !numeric;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      rows.sort((a, b) => {
        const [x, y] = [key(a, column), key(b, column)];
        return (numeric ? x - y : x.localeCompare(y, "en", { numeric: true })) * (rising ? 1 : -1);
      });
      body.append(...rows);
    });
  });
}

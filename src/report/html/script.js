"use strict";
// The page works without this: it only adds the filter.
(function () {
  const field = document.getElementById("filter");
  const said = document.getElementById("filtered");
  if (!field) return;
  field.parentElement.hidden = false;
  const rows = Array.from(document.querySelectorAll("#accounts tr[data-of]"));
  const folded = new Map(Array.from(document.querySelectorAll("details[data-of]"), (one) => [one.dataset.of, one]));
  const texts = rows.map((row) => row.cells[0].textContent.toLowerCase() + " " + row.cells[1].textContent.toLowerCase());
  field.addEventListener("input", function () {
    const wanted = field.value.trim().toLowerCase();
    let left = 0;
    rows.forEach(function (row, at) {
      const fits = texts[at].includes(wanted);
      row.hidden = !fits;
      left += fits ? 1 : 0;
      const more = folded.get(row.dataset.of);
      if (more) more.hidden = !fits;
    });
    said.textContent = wanted ? left + " of " + rows.length : "";
  });
})();

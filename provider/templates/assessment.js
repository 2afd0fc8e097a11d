"use strict";
const list = document.getElementById("dags");
const dags = [...list.children];
const tools = document.getElementById("tools");
const control = (name) => tools.elements.namedItem(name);
const number = (dag, name) => Number(dag.dataset[name]);
const orders = {
  file: () => 0,
  errors: (a, b) => number(b, "errors") - number(a, "errors"),
  tasks: (a, b) => number(b, "tasks") - number(a, "tasks"),
  left: (a, b) => number(a, "left") - number(b, "left"),
  dag: (a, b) => (a.dataset.dag < b.dataset.dag ? -1 : Number(a.dataset.dag > b.dataset.dag)),
};

function update() {
  const text = control("text").value.toLowerCase();
  const [verdict, code] = [control("verdict").value, control("code").value];
  let shown = 0;
  for (const dag of dags) {
    const fits =
      (!verdict || dag.dataset.verdict === verdict) &&
      (!code || dag.dataset.codes.split(" ").includes(code)) &&
      dag.dataset.text.toLowerCase().includes(text);
    dag.hidden = !fits;
    shown += Number(fits);
  }
  list.append(...[...dags].sort(orders[control("order").value]));
  document.getElementById("shown").textContent = `${shown} of ${dags.length} shown`;
}

tools.hidden = false;
tools.addEventListener("input", update);
tools.addEventListener("submit", (event) => event.preventDefault());
tools.addEventListener("click", (event) => {
  const open = event.target.dataset.open;
  if (open) dags.filter((dag) => !dag.hidden).forEach((dag) => (dag.open = open === "all"));
});
update();

for (const zoom of document.querySelectorAll(".zoom")) {
  const graph = zoom.nextElementSibling;
  const drawing = graph.firstElementChild;
  const [width, height] = ["width", "height"].map((name) => Number(drawing.getAttribute(name)));
  let scale = 1;
  zoom.hidden = false;
  zoom.addEventListener("click", (event) => {
    const by = event.target.dataset.by;
    if (!by) return;
    const fitting = Math.min(1, graph.clientWidth / width);
    scale = by === "fit" ? fitting : by === "1" ? 1 : Math.min(4, Math.max(0.05, scale * Number(by)));
    drawing.setAttribute("width", width * scale);
    drawing.setAttribute("height", height * scale);
  });
}

function reveal() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let box = target; box; box = box.parentElement) {
    if (box.tagName === "DETAILS") box.open = true;
    if (box.hidden) box.hidden = false;
  }
  if (target) target.scrollIntoView({ block: "center" });
}
addEventListener("hashchange", reveal);
reveal();

let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open]):not([hidden])")];
  closed.forEach((box) => (box.open = true));
});
addEventListener("afterprint", () => closed.forEach((box) => (box.open = false)));

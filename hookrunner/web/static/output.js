// A run's output: lines as they come, search, follow. Everything is text, never markup.
import { listen } from "./stream.js";

const root = document.documentElement.dataset.root;
const output = document.getElementById("output");
const MOST = 5000; // lines of a step in the page: a browser is slow with many more

function element(name, look, text) {
  const made = document.createElement(name);
  if (look) made.className = look;
  if (text !== undefined) made.textContent = text;
  return made;
}

const last = new Map(); // the newest line of each stream of each step, by its offset
for (const line of output?.querySelectorAll(".line[data-at]") ?? []) {
  const stream = line.classList.contains("stderr") ? "stderr" : "stdout";
  last.set(`${line.closest("[data-step]").dataset.step} ${stream}`, Number(line.dataset.at));
}

function add(told) {
  const key = `${told.step} ${told.stream}`;
  if (last.has(key) && told.at <= last.get(key)) return; // told again after a lost connection
  const place = output.querySelector(`[data-step="${told.step}"]`);
  if (!place) return;
  last.set(key, told.at);
  const number = Number(place.dataset.count) + 1;
  place.dataset.count = number;
  place.querySelector(".none")?.remove();
  const line = element("span", `line ${told.stream}${told.title ? " title" : ""}`);
  line.id = `s${place.dataset.number}-${number}`;
  line.dataset.at = told.at;
  const link = element("a", "no");
  link.href = `#${line.id}`;
  link.dataset.no = number;
  link.setAttribute("aria-label", `Line ${number}`);
  const text = element("span", "text");
  told.lines.forEach((parts, place) => {
    if (place) text.append("\n");
    for (const [look, words] of parts) text.append(look ? element("span", look, words) : words);
  });
  line.append(link, text, "\n");
  const pre = place.querySelector("pre");
  pre.append(line);
  while (pre.children.length > MOST) pre.firstElementChild.remove();
  find(line);
  scroll();
}

// Follow: stay at the end for as long as the reader is there.
const follow = document.getElementById("follow");
let waits = false;
function scroll() {
  if (!follow?.checked || waits) return;
  waits = true;
  requestAnimationFrame(() => {
    waits = false;
    window.scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
  });
}
window.addEventListener("wheel", (event) => {
  if (event.deltaY < 0 && follow) follow.checked = false;
}, { passive: true });

// Search: what is in the page at once; Enter asks the server for all lines.
const field = document.getElementById("find");
const hits = document.getElementById("hits");
function find(line) {
  const wanted = field.value.trim().toLowerCase();
  const is = wanted && line.lastElementChild.textContent.toLowerCase().includes(wanted);
  line.classList.toggle("hit", Boolean(is));
  line.classList.toggle("miss", Boolean(wanted) && !is);
  return is;
}
field?.addEventListener("input", () => {
  let count = 0;
  for (const line of output.querySelectorAll(".line")) count += find(line) ? 1 : 0;
  hits.textContent = field.value.trim() ? `${count} line${count === 1 ? "" : "s"} here; Enter searches all` : "";
});

if (output && "follow" in output.dataset) {
  const end = listen((id) => `${root}runs/${output.dataset.run}/lines?offset=${id || output.dataset.offset}`, {
    line: add,
    result() {
      end();
      output.dataset.over = "";
    },
  });
} else if (follow) {
  follow.closest("label").remove();
}
if (location.hash === "" && "follow" in (output?.dataset ?? {})) scroll();

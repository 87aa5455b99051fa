// What every page has: times that go on, parts that stay fresh, keys, copying.
import { listen } from "./stream.js";

const root = document.documentElement.dataset.root;

function relative(seconds) {
  const away = Math.abs(seconds);
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]) {
    if (away >= size) {
      if (seconds < 0) return `in ${Math.round(away / size)} ${unit}`;
      return `${Math.floor(away / size)} ${unit} ago`;
    }
  }
  return "now";
}

function length(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${seconds.toFixed(0)} s`;
  const minutes = Math.floor(seconds / 60);
  const two = (number) => String(number).padStart(2, "0");
  if (minutes < 60) return `${minutes} min ${two(Math.floor(seconds % 60))} s`;
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

function tick() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[datetime]")) {
    const told = relative((now - Date.parse(time.dateTime)) / 1000);
    if (time.textContent !== told) time.textContent = told;
  }
  for (const one of document.querySelectorAll("[data-since]")) {
    one.textContent = length(Math.max(0, (now - Date.parse(one.dataset.since)) / 1000));
  }
}
setInterval(tick, 1000);

// Parts that stay fresh: the page asks for itself again, and takes the parts that differ.
function normal(element) {
  const copy = element.cloneNode(true);
  for (const one of copy.querySelectorAll("time, [data-since]")) one.textContent = "";
  for (const one of copy.querySelectorAll("details")) one.removeAttribute("open");
  for (const one of copy.querySelectorAll(".at")) one.classList.remove("at");
  for (const one of copy.querySelectorAll("[class='']")) one.removeAttribute("class");
  return copy.outerHTML;
}

function take(fresh) {
  document.title = fresh.title;
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.querySelector(`[data-live="${old.dataset.live}"]`);
    if (!next || normal(next) === normal(old)) continue;
    const opened = [...old.querySelectorAll("details")].map((one) => one.open);
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const href = focused?.getAttribute("href");
    old.replaceWith(next);
    [...next.querySelectorAll("details")].forEach((one, place) => {
      if (place in opened) one.open = opened[place];
    });
    if (href) next.querySelector(`[href="${CSS.escape(href)}"]`)?.focus();
  }
  document.dispatchEvent(new Event("fresh"));
}

let asking = false;
let again = false;
export async function refresh() {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  try {
    const signal = AbortSignal.timeout(20000);
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store", signal });
    if (answer.redirected && new URL(answer.url).pathname.endsWith("/sign-in")) {
      location.href = answer.url;
    } else if (answer.ok) {
      take(new DOMParser().parseFromString(await answer.text(), "text/html"));
      tick();
    }
  } catch {
    again = true; // the connection is gone, and comes back
  } finally {
    await new Promise((done) => setTimeout(done, 700));
    asking = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

const { watch, at } = document.body.dataset;
if (watch) {
  listen((id) => `${root}live?last=${encodeURIComponent(id || at)}`, {
    change({ kind, id }) {
      if (watch === "*" || watch === id || kind === "gap") refresh();
    },
  });
}

// Keys: / finds, j and k go along a list, Enter opens.
function rows() {
  return [...document.querySelectorAll("[data-list] tbody tr")];
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea")) return;
  if (event.key === "/") {
    const field = document.querySelector("[data-find]");
    if (field) {
      event.preventDefault();
      field.focus();
      field.select();
    }
  } else if (event.key === "j" || event.key === "k") {
    const all = rows();
    const at = all.findIndex((row) => row.classList.contains("at"));
    const next = all[at + (event.key === "j" ? 1 : -1)] ?? (at < 0 ? all[0] : null);
    if (next) {
      all[at]?.classList.remove("at");
      next.classList.add("at");
      next.querySelector("a")?.focus();
      next.scrollIntoView({ block: "nearest" });
    }
  }
});

for (const one of document.querySelectorAll(".js[hidden]")) one.hidden = false;
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const lines = button.closest(".output").querySelectorAll(".line:not(.miss) .text");
  const text = [...lines].map((line) => line.textContent).join("\n");
  await navigator.clipboard.writeText(text);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
});

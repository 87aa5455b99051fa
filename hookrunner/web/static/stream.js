// Streams that come back where they were, also from a connection that died without a word:
// a browser waits on that one for ever. While the page is hidden it holds none: a browser has
// six connections to one server, for all of its pages.
const AGAIN = 1000; // ms until the next try
const BEATS = 2.5; // of silence are too many

const light = document.getElementById("live");
const said = document.getElementById("cut");
const streams = new Set();
let since = null; // when the connection was lost

function show() {
  const lost = [...streams].some((one) => one.lost);
  since = lost ? (since ?? Date.now()) : null;
  if (light && streams.size) {
    light.hidden = false;
    light.classList.toggle("lost", lost);
    light.textContent = lost ? "cut off" : "live";
  }
  if (!said) return;
  const seconds = lost ? Math.floor((Date.now() - since) / 1000) : 0;
  said.hidden = seconds < 2;
  if (lost) said.textContent = `Cut off from hookrunner for ${seconds} s: what you see is from before. It goes on by itself.`;
}

// Follow `address(id)`, with the id of the last event that came; `on` has a function for each
// kind of event, of what it says. Gives a function that ends it.
export function listen(address, on) {
  const stream = { lost: false, heard: 0, beat: 3000 };
  let source = null;
  let id = "";
  let timer = null;

  function shut() {
    clearTimeout(timer);
    timer = null;
    source?.close();
    source = null;
  }
  function lose() {
    shut();
    stream.lost = true;
    timer = setTimeout(open, AGAIN);
    show();
  }
  function hear(event) {
    stream.heard = Date.now();
    if (event.lastEventId) id = event.lastEventId;
    if (stream.lost || light?.hidden) {
      stream.lost = false;
      show();
    }
  }
  function open() {
    shut();
    if (document.hidden) return;
    stream.heard = Date.now();
    source = new EventSource(address(id));
    source.addEventListener("error", lose);
    source.addEventListener("beat", (event) => {
      stream.beat = Number(event.data) * 1000;
      hear(event);
    });
    for (const [kind, act] of Object.entries(on)) {
      source.addEventListener(kind, (event) => {
        hear(event);
        act(JSON.parse(event.data));
      });
    }
  }
  stream.look = () => {
    if (source && Date.now() - stream.heard > BEATS * stream.beat) lose();
  };
  stream.open = open;
  stream.shut = shut;
  stream.lose = lose;
  streams.add(stream);
  open();
  return () => {
    shut();
    streams.delete(stream);
    show();
  };
}

setInterval(() => {
  for (const one of streams) one.look();
  if (since !== null) show();
}, 500);
document.addEventListener("visibilitychange", () => {
  for (const one of streams) document.hidden ? one.shut() : one.open();
});
addEventListener("online", () => streams.forEach((one) => one.open()));
addEventListener("offline", () => streams.forEach((one) => one.lose()));
addEventListener("pagehide", () => streams.forEach((one) => one.shut()));
addEventListener("pageshow", (event) => event.persisted && streams.forEach((one) => one.open()));

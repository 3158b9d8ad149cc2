// What the page can do besides: hear of new records, read itself anew, and show values at the pointer. Without it
// everything is there all the same, as of the moment when the page was made.
"use strict";
(() => {
  const REFRESH = 15000, POLL = 5000; // milliseconds: while records are heard of, and while they are not
  const OWN = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z: (uptime [\d.]+ hours, free disk in root: [\d.]+ MBytes)$/;
  const live = document.getElementById("live"), box = document.getElementById("rows"), heard = document.getElementById("heard");
  const table = box.querySelector("table"), body = table.tBodies[0], empty = box.querySelector(".empty");
  const most = Number(box.dataset.most), nameless = box.dataset.nameless;
  // Nothing new can come: what is shown has an end, or nothing can be shown.
  const asked = new URLSearchParams(location.search);
  const ends = asked.get("until") || asked.get("cursor") || document.querySelector(".problem");
  let source = null, refreshing = null, last = Date.now(), notBefore = 0;

  // The table. Its rows stay where they are and are written anew, so that nothing on the page moves.
  const time = (row) => row.querySelector("time").dateTime;
  const write = (row, record) => {
    row.dataset.id = record.id;
    row.className = record.early ? "early" : "";
    const at = row.querySelector("time");
    at.dateTime = record.timestamp;
    at.children[0].textContent = record.timestamp.slice(0, 10);
    at.children[1].textContent = record.timestamp.slice(11, 19);
    row.cells[1].textContent = record.service;
    row.cells[2].title = row.cells[2].firstChild.textContent = record.text;
  };
  const read = (row) => ({
    id: row.dataset.id, timestamp: time(row), service: row.cells[1].textContent,
    text: row.cells[2].textContent, early: row.className === "early",
  });
  const blank = () => {
    const row = document.createElement("tr");
    for (const name of ["time", "", "code"]) {
      const cell = row.insertCell();
      if (name) cell.append(document.createElement(name));
    }
    const parts = [0, 1].map(() => document.createElement("span"));
    row.querySelector("time").append(parts[0], " ", parts[1]);
    return row;
  };
  const show = (records) => {
    const had = new Set([...body.rows].map((row) => row.dataset.id));
    const all = [...records, ...[...body.rows].map(read)];
    const once = [...new Map(all.map((record) => [record.id, record])).values()];
    // The log's order, newest first; of one time the later arrival first, as it stands in `all`.
    once.sort((a, b) => (a.timestamp < b.timestamp ? 1 : a.timestamp > b.timestamp ? -1 : 0));
    once.length = Math.min(once.length, most);
    once.forEach((record, number) => {
      write(body.rows[number] || body.appendChild(blank()), record);
      if (!had.has(record.id)) body.rows[number].classList.add("new");
    });
    table.hidden = !once.length;
    empty.hidden = !!once.length;
    return once.filter((record) => !had.has(record.id));
  };

  // New records: server-sent events, or every few seconds what a new page would show.
  let waiting = [], soon = null;
  const arrive = (event) => {
    const record = JSON.parse(event.data);
    const own = OWN.exec(record.line);
    record.service ||= nameless;
    record.text = own ? own[1] : record.line;
    record.early = Date.parse(record.timestamp) > Date.now() + 2000;
    waiting.unshift(record);
    soon ??= setTimeout(() => { // those that come together are shown and read out together
      const fresh = show(waiting);
      waiting = [];
      soon = null;
      if (fresh.length) {
        heard.textContent = `${fresh.length} new: ${fresh[0].service}, ${fresh[0].text}`;
        refresh(2000);
      }
    }, 50);
  };
  const say = (text, on) => {
    live.hidden = false;
    live.textContent = text;
    live.classList.toggle("on", on);
  };
  const follow = () => {
    if (ends || document.hidden || source) return;
    if (!live.dataset.follow) return say("Looks every 5 s", false); // storage is away
    if (Date.now() < notBefore) return; // it was refused: there are too many followers
    source = new EventSource(live.dataset.follow);
    source.onopen = () => say("Live", true);
    source.onmessage = arrive;
    source.onerror = () => {
      if (source?.readyState === EventSource.CLOSED) {
        source = null;
        notBefore = Date.now() + REFRESH;
      }
      say(source ? "Reconnecting …" : "Looks every 5 s", false);
      refresh(source ? 0 : 500); // what has happened?
    };
  };
  const pause = () => {
    source?.close();
    source = null;
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return pause();
    follow();
    refresh(0);
  });

  // The rest of the page: from a page that is made now, part by part, where something has changed.
  const refresh = (delay) => {
    refreshing ??= setTimeout(async () => {
      try {
        if (document.hidden) return;
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        const made = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (!made.getElementById("overall")) return;
        for (const old of document.querySelectorAll("[data-live]")) {
          const part = made.getElementById(old.id);
          const inUse = old.contains(document.activeElement) || old.querySelector(".tip");
          if (!inUse && old.innerHTML !== part.innerHTML) old.replaceChildren(...part.childNodes);
        }
        document.title = made.title;
        const rows = [...made.querySelectorAll("#rows tbody tr")].map(read);
        if (source?.readyState !== EventSource.OPEN) show(rows);
        live.dataset.follow = made.getElementById("live").dataset.follow;
        follow();
      } catch {
        say("service1 does not answer", false);
      } finally {
        refreshing = null;
        last = Date.now();
      }
    }, delay);
  };
  setInterval(() => Date.now() - last < (source || ends ? REFRESH : POLL) || refresh(0), 1000);

  // The button.
  const kept = (delivery) => {
    const queued = /storage=queued/.test(delivery), failed = /vstorage=failed/.test(delivery);
    if (queued) return `A record was taken. It waits in the outbox until storage is back${failed ? ", and vstorage gets it then" : ""}.`;
    return failed ? "A record was taken. It is in the log; vstorage gets it as soon as it can be written." : "A record was taken and is in both stores.";
  };
  document.getElementById("take").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.target.querySelector("button"), taken = document.getElementById("taken");
    button.disabled = true;
    taken.textContent = "";
    try {
      const answer = await fetch("status", { headers: { Accept: "application/json" } });
      const said = await answer.json();
      const missing = (said.errors || []).map((error) => `But not of ${error.service}: ${error.reason}.`);
      taken.textContent = said.detail || [kept(answer.headers.get("Record-Delivery")), ...missing].join(" ");
    } catch {
      taken.textContent = "service1 does not answer.";
    }
    button.disabled = false;
    refresh(300);
  });

  // Values at the pointer, or at the arrow keys. The charts are replaced now and then, so the document listens.
  const leave = (plot) => {
    plot.querySelector(".tip")?.remove();
    plot.querySelector(".here")?.classList.remove("here");
  };
  const point = (plot, shape) => {
    leave(plot);
    const title = shape.querySelector("title");
    if (title) { // or the browser would show it as well
      shape.dataset.text = title.textContent;
      title.remove();
    }
    shape.classList.add("here");
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.setAttribute("role", "status");
    tip.textContent = shape.dataset.text;
    plot.append(tip);
    const place = plot.getBoundingClientRect(), at = shape.getBoundingClientRect();
    const x = Math.max(at.left, place.left) - place.left, width = tip.offsetWidth;
    tip.style.left = `${Math.max(0, x + 14 + width < place.width ? x + 14 : Math.min(x - width - 8, place.width - width))}px`;
    if (shape.classList.contains("up")) tip.style.top = "1.5rem";
  };
  document.addEventListener("pointerover", (event) => {
    const shape = event.target.closest?.(".at, .up");
    if (shape) point(shape.closest(".plot"), shape);
  });
  document.addEventListener("pointerout", (event) => {
    const plot = event.target.closest?.(".plot");
    if (plot && !plot.contains(event.relatedTarget)) leave(plot);
  });
  document.addEventListener("focusout", (event) => event.target.matches?.(".plot") && leave(event.target));
  document.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !event.target.matches?.(".plot")) return;
    event.preventDefault();
    const shapes = [...event.target.querySelectorAll(".at, .up")], here = shapes.findIndex((one) => one.matches(".here"));
    const next = shapes[here < 0 ? shapes.length - 1 : here + step];
    if (next) point(event.target, next);
  });

  follow();
})();

(function () {
  "use strict";
  var doc = document, root = doc.documentElement;
  function all(query, from) { return Array.prototype.slice.call((from || doc).querySelectorAll(query)); }
  root.classList.add("js");

  var theme = doc.getElementById("theme");
  theme.hidden = false;
  theme.onclick = function () {
    var dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme:dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  };
  if (/[#&]theme=dark/.test(location.hash)) root.dataset.theme = "dark";

  /* Buttons of which one is pressed. */
  function toggles(place, items, chosen) {
    place.hidden = false;
    items.forEach(function (item, index) {
      var button = doc.createElement("button");
      button.type = "button";
      button.textContent = item[1];
      button.setAttribute("aria-pressed", index === 0);
      button.onclick = function () {
        all("button", place).forEach(function (other) { other.setAttribute("aria-pressed", other === button); });
        chosen(item[0]);
      };
      place.appendChild(button);
    });
  }
  var shown = "", algorithms = doc.getElementById("algs");
  if (algorithms && algorithms.dataset.items) {
    toggles(algorithms, JSON.parse(algorithms.dataset.items), function (name) {
      shown = name;
      all(".hero .pan").forEach(function (panel) {
        panel.classList.toggle("dim", name !== "");
        all(".run", panel).forEach(function (run) { run.classList.toggle("on", run.dataset.a === name); });
        all(".mean", panel).forEach(function (mean) {
          if (mean.dataset.a === name) mean.removeAttribute("hidden"); else mean.setAttribute("hidden", "");
        });
      });
    });
  }
  var tasks = doc.getElementById("tasks"), known = {};
  all(".fr[data-task]").forEach(function (row) { known[row.dataset.task] = row.querySelector(".tk").dataset.name; });
  if (tasks && Object.keys(known).length > 1) {
    var items = Object.keys(known).map(function (task) { return [task, known[task]]; });
    toggles(tasks, [["", "All tasks"]].concat(items), function (task) {
      all(".fr[data-task]").forEach(function (row) { row.hidden = !!task && row.dataset.task !== task; });
      all(".forest .rows").forEach(function (rows) {
        var heading = rows.previousElementSibling;
        if (heading.tagName === "SUMMARY") heading = heading.querySelector(".gh");
        var count = all(".fr:not([hidden])", rows).length, number = heading.querySelector("b");
        number.dataset.n = number.dataset.n || number.textContent;
        number.textContent = task ? count + " of " + number.dataset.n : number.dataset.n;
        heading.classList.toggle("none", !count);
      });
    });
  }

  /* Values under the pointer, or by the arrow keys. */
  var tip = doc.getElementById("tip");
  function text(value) { return String(value).replace("-", "\u2212"); }
  all("svg.pan[data-j]").forEach(function (panel) {
    var data = JSON.parse(panel.dataset.j), cross = panel.querySelector(".cross"), hero = panel.closest(".hero");
    function nearest(line, x) {
      var best = 0;
      line.p.forEach(function (p, i) { if (Math.abs(p - x) < Math.abs(line.p[best] - x)) best = i; });
      return best;
    }
    function show(x, clientX, clientY) {
      var lines = data.s.filter(function (line) { return line.a === (hero ? shown : ""); });
      if (!lines.length) return;
      var at = nearest(lines[0], x), where = lines[0].p[at];
      cross.setAttribute("d", "M" + where + "," + panel.dataset.t + "V" + panel.dataset.h);
      tip.textContent = "";
      var head = doc.createElement("div");
      head.textContent = data.x + " " + text(lines[0].x[at]);
      tip.appendChild(head);
      lines.map(function (line) { return [line, nearest(line, where)]; })
        .sort(function (a, b) { return b[0].m[b[1]] - a[0].m[a[1]]; })
        .forEach(function (one) {
          var line = one[0], k = one[1], row = doc.createElement("div"), key = doc.createElement("span");
          key.className = "key " + line.c + (line.c === "s0" ? " ring" : "");
          row.appendChild(key);
          row.appendChild(doc.createTextNode(line.n + " "));
          var bold = doc.createElement("b");
          bold.textContent = text(line.m[k]);
          row.appendChild(bold);
          row.appendChild(doc.createTextNode(" (" + text(line.l[k]) + " to " + text(line.h[k]) + ")"));
          tip.appendChild(row);
        });
      tip.hidden = false;
      tip.style.left = Math.max(4, Math.min(innerWidth - tip.offsetWidth - 8, clientX + 14)) + "px";
      tip.style.top = Math.max(4, clientY - tip.offsetHeight - 10) + "px";
    }
    function hide() { tip.hidden = true; cross.setAttribute("d", ""); }
    function scale() { return panel.viewBox.baseVal.width / panel.getBoundingClientRect().width; }
    function move(event) {
      show((event.clientX - panel.getBoundingClientRect().left) * scale(), event.clientX, event.clientY);
    }
    var place = -1;
    panel.tabIndex = 0;
    panel.addEventListener("keydown", function (event) {
      var step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (!step) return;
      event.preventDefault();
      var line = data.s.filter(function (one) { return one.a === (hero ? shown : ""); })[0];
      if (!line) return;
      place = Math.max(0, Math.min(line.p.length - 1, place + step));
      var box = panel.getBoundingClientRect();
      show(line.p[place], box.left + line.p[place] / scale(), box.top + 50);
    });
    panel.addEventListener("blur", hide);
    panel.addEventListener("pointermove", move);
    panel.addEventListener("pointerdown", move);
    panel.addEventListener("pointerleave", hide);
  });

  /* A link into a closed group opens it; so does printing. */
  function open() {
    var target = location.hash.length > 1 && doc.getElementById(decodeURIComponent(location.hash.slice(1)));
    var group = target && target.closest("details");
    if (group) { group.open = true; target.scrollIntoView(); }
  }
  addEventListener("hashchange", open);
  open();
  addEventListener("beforeprint", function () { all("details").forEach(function (one) { one.open = true; }); });

  all("table.sortable").forEach(function (table) {
    all("thead th", table).forEach(function (head, index) {
      if (head.classList.contains("pl")) return;
      head.tabIndex = 0;
      function sort() {
        var up = head.getAttribute("aria-sort") !== "ascending", body = table.tBodies[0];
        all("th", table.tHead).forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        function value(row) { var cell = row.cells[index]; return cell.dataset.v || cell.textContent.trim(); }
        Array.prototype.slice.call(body.rows).sort(function (a, b) {
          var x = value(a), y = value(b), difference = parseFloat(x) - parseFloat(y);
          if (x === y) return 0;
          return (isNaN(difference) ? x.localeCompare(y) : difference) * (up ? 1 : -1);
        }).forEach(function (row) { body.appendChild(row); });
      }
      head.onclick = sort;
      head.onkeydown = function (event) {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); }
      };
    });
  });
})();

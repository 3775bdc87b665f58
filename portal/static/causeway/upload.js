// A form with a file says how far it is: share, size and time left, and can be stopped. Without the
// script the form is sent as it is.
"use strict";

(() => {
  const SMALL = 4e6; // bytes; whatever is smaller is there before anybody has read the words
  const TOO_EARLY = 1.5; // seconds, for a guess at the time that is left
  const lang = document.documentElement.lang || "en";

  const inUnit = (value, unit, digits = 0) =>
    new Intl.NumberFormat(lang, {
      style: "unit",
      unit,
      unitDisplay: "short",
      maximumFractionDigits: digits,
    }).format(value);
  const size = (bytes) =>
    bytes < 1e9 ? inUnit(bytes / 1e6, "megabyte") : inUnit(bytes / 1e9, "gigabyte", 2);
  const time = (seconds) =>
    seconds < 90 ? inUnit(Math.ceil(seconds), "second") : inUnit(Math.ceil(seconds / 60), "minute");
  const filled = (words, values) => words.replace(/\{(\w+)\}/g, (_all, name) => values[name]);
  const stay = (event) => event.preventDefault();

  class Upload {
    constructor(form) {
      this.form = form;
      this.part = form.querySelector("[data-upload]");
      this.bar = this.part.querySelector("progress");
      this.line = this.part.querySelector("[data-upload-words]");
      this.notice = form.querySelector("[data-upload-notice]");
      this.aloud = form.querySelector("[data-upload-aloud]");
      this.stop = this.part.querySelector("[data-upload-stop]");
      this.words = this.part.dataset;
    }

    start() {
      const request = new XMLHttpRequest();
      this.began = performance.now();
      this.quarter = -1;
      request.upload.addEventListener("progress", (event) => this.progress(event));
      request.upload.addEventListener("load", () => this.sent());
      request.addEventListener("load", () => this.answered(request));
      const lost = () => this.over(this.isSent ? this.words.unanswered : this.words.lost);
      request.addEventListener("error", lost);
      request.addEventListener("abort", () => this.over(this.words.stopped));
      this.stop.onclick = () => request.abort();
      window.addEventListener("beforeunload", stay);
      this.isSent = false;
      this.stop.hidden = false;
      this.bar.value = 0;
      this.line.textContent = "";
      this.show(true, "");
      this.stop.focus();
      request.open("POST", this.form.action);
      request.setRequestHeader("X-Upload", "script");
      request.send(new FormData(this.form));
    }

    show(running, words) {
      this.part.hidden = !running;
      this.notice.textContent = words;
      this.notice.hidden = !words;
      for (const button of this.form.querySelectorAll("[data-upload-start]")) {
        button.disabled = running;
      }
    }

    progress(event) {
      if (!event.lengthComputable) return;
      const seconds = (performance.now() - this.began) / 1000;
      const percent = Math.floor((100 * event.loaded) / event.total);
      this.bar.value = percent;
      this.line.textContent = filled(seconds < TOO_EARLY ? this.words.begun : this.words.going, {
        percent,
        sent: size(event.loaded),
        size: size(event.total),
        left: time(((event.total - event.loaded) * seconds) / event.loaded),
      });
      // A screen reader hears every quarter, not every percent.
      if (Math.floor(percent / 25) > this.quarter) {
        this.quarter = Math.floor(percent / 25);
        this.aloud.textContent = `${percent} %`;
      }
    }

    sent() {
      // From here on the portal has the file, whatever becomes of the connection.
      this.isSent = this.stop.hidden = true;
      this.bar.removeAttribute("value");
      this.line.textContent = this.aloud.textContent = this.words.reading;
    }

    answered(request) {
      window.removeEventListener("beforeunload", stay);
      const next = request.getResponseHeader("Location");
      if (request.status === 204 && next) {
        window.location.assign(next);
      } else if (request.status < 400) {
        window.location.assign(request.responseURL);
      } else {
        // A refusal is a whole page, with the reason.
        document.open();
        document.write(request.responseText);
        document.close();
      }
    }

    over(words) {
      window.removeEventListener("beforeunload", stay);
      this.form.removeAttribute("data-sent");
      this.show(false, words);
      this.aloud.textContent = words;
    }
  }

  // Before causeway.js marks the form as sent; on the document, for forms that come with a swap.
  const begin = (event) => {
    const form = event.target;
    if (!form.querySelector("[data-upload]") || form.hasAttribute("data-sent")) return;
    const file = form.querySelector("input[type=file]").files[0];
    if (!file || file.size < SMALL) return;
    event.preventDefault();
    new Upload(form).start();
  };
  document.addEventListener("submit", begin, true);
})();

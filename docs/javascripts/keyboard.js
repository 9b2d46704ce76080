// Tables and code that are wider than the page are scrolled by the keyboard too, and each is named.
const WIDE = ".md-typeset__scrollwrap, .md-typeset pre > code";
const named = (element, words, place) => element.setAttribute("aria-label", `${words} ${place + 1}`);

function name() {
  document.querySelectorAll(".md-code__nav").forEach((nav, place) => {
    named(nav, "Tools of code", place);
    nav.querySelectorAll("button").forEach((button) => named(button, "Copy code", place));
  });
  document.querySelectorAll(WIDE).forEach((box, place) => {
    if (box.scrollWidth <= box.clientWidth) return;
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    named(box, box.matches("code") ? "Wide code" : "Wide table", place);
  });
}

addEventListener("load", () => {
  name();
  new MutationObserver(name).observe(document.querySelector("main"), { childList: true, subtree: true });
});

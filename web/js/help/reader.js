// A window over the graph in which the tutorial and the help pages are read, with links between them.
// The front end's own help panel shows the pages of nodes, but cannot follow a link to another one.
import { make, makeButton } from "../base/elements.js";
import { isChinese, makeWords } from "../base/words.js";
import { makeAnchor, renderMarkdown } from "./markdown.js";

const DOCS = new URL("../../docs/", import.meta.url);
const LINK = /(?:^|\/)(ACTalker_\w+)(?:\/zh)?\.md(?:#(.*))?$/;
const OWN_LINK = /^#(.*)$/;
const MARGIN_PX = 16;
export const TUTORIAL = "ACTalker_Tutorial";
const word = makeWords("help");

// What a link of a help page leads to: {page, anchor}, or null if that is no help page.
export function readLink(href) {
  const match = LINK.exec(href ?? "");
  return match && { page: match[1], anchor: decodeURIComponent(match[2] ?? "") };
}

async function fetchPage(page) {
  const paths = isChinese() ? [`${page}/zh.md`, `${page}.md`] : [`${page}.md`];
  for (const path of paths) {
    const answer = await fetch(new URL(path, DOCS));
    if (answer.ok) return answer.text();
  }
  return word("missing");
}

class Reader {
  constructor() {
    this.back = makeButton("←", word("back"), () => this.goBack());
    this.title = make("strong");
    const tutorial = makeButton(word("shortTutorial"), word("tutorial"), () => this.open(TUTORIAL));
    const close = makeButton("×", word("close"), () => this.close());
    const onpointerdown = (event) => this.move(event);
    this.header = make("header", { onpointerdown }, this.back, this.title, tutorial, close);
    this.article = make("article", { tabIndex: -1, onclick: (event) => this.follow(event) });
    this.element = make("section", { className: "actalker-reader", role: "dialog" }, this.header, this.article);
    // Copying from the page copies its text, not the nodes that are chosen; Ctrl+A, Delete and so on too.
    for (const type of ["copy", "keydown", "wheel", "contextmenu"]) {
      this.element.addEventListener(type, (event) => event.stopPropagation());
    }
    this.element.addEventListener("keydown", ({ key }) => key === "Escape" && this.close());
    this.visited = []; // pages before this one, each with how far it was scrolled
    this.page = null;
  }

  close() {
    this.element.remove();
  }

  async open(page, anchor = "") {
    if (!this.element.isConnected) this.visited = [];
    else if (page !== this.page) this.visited.push([this.page, this.article.scrollTop]);
    await this.show(page);
    if (anchor) this.scrollTo(anchor);
  }

  async goBack() {
    const [page, top] = this.visited.pop();
    await this.show(page);
    this.article.scrollTop = top;
  }

  async show(page) {
    this.page = page;
    const text = await fetchPage(page);
    if (this.page !== page) return; // another one was chosen meanwhile
    if (!this.element.isConnected) this.place();
    this.article.replaceChildren(renderMarkdown(text, DOCS));
    this.article.scrollTop = 0;
    this.title.textContent = this.article.querySelector("h1")?.textContent ?? page;
    this.back.disabled = !this.visited.length;
    this.article.focus();
  }

  // Beside the panels at the right of the graph, not under them.
  place() {
    document.body.append(this.element);
    const graph = document.querySelector(".graph-canvas-panel")?.getBoundingClientRect();
    const right = graph?.width ? Math.max(innerWidth - graph.right, 0) : 0;
    Object.assign(this.element.style, { left: "auto", top: "", right: `${right + MARGIN_PX}px` });
  }

  scrollTo(anchor) {
    const id = `actalker-${makeAnchor(anchor)}`;
    [...this.article.children].find((element) => element.id === id)?.scrollIntoView();
  }

  follow(event) {
    const href = event.target.closest("a")?.getAttribute("href");
    const link = readLink(href), own = OWN_LINK.exec(href ?? "");
    if (!link && !own) return;
    event.preventDefault();
    if (link) this.open(link.page, link.anchor);
    else this.scrollTo(decodeURIComponent(own[1]));
  }

  // Drags the window by its header, which stays on the screen.
  move(event) {
    if (event.target.closest("button")) return;
    const box = this.element.getBoundingClientRect();
    const [dx, dy] = [event.clientX - box.left, event.clientY - box.top];
    const place = ({ clientX, clientY }) => {
      const left = Math.min(Math.max(clientX - dx, 60 - box.width), innerWidth - 60);
      const top = Math.min(Math.max(clientY - dy, 0), innerHeight - 40);
      Object.assign(this.element.style, { left: `${left}px`, top: `${top}px`, right: "auto" });
    };
    this.header.setPointerCapture(event.pointerId);
    this.header.onpointermove = place;
    this.header.onpointerup = () => (this.header.onpointermove = null);
  }
}

let reader = null;

// Shows a page of web/docs, where it has a heading with this anchor from there on.
export function openPage(page, anchor) {
  reader ??= new Reader();
  return reader.open(page, anchor);
}

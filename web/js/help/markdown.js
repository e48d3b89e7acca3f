// Help pages as elements: the part of Markdown that they are written in, which is headings,
// paragraphs, lists, fences, pictures, links, strong, emphasis and code. Text stays text.
import { make } from "../base/elements.js";

const INLINE =
  /`(?<code>[^`]+)`|!\[(?<alt>[^\]]*)\]\((?<source>[^)]+)\)|\[(?<label>[^\]]+)\]\((?<target>[^)]+)\)|\*\*(?<strong>.+?)\*\*|\*(?<em>[^*]+)\*/u;
const FENCE = /^```/, HEADING = /^(#{1,3}) (.+)$/, ITEM = /^(-|\d+\.) (.*)$/;

// As GitHub makes the anchors of headings.
export function makeAnchor(heading) {
  return heading.toLowerCase().replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, "").trim().replaceAll(" ", "-");
}

const makeElement = (tag, text, base) => make(tag, {}, ...renderInline(text, base));

function renderInline(text, base) {
  const match = INLINE.exec(text);
  if (!match) return text ? [text] : [];
  const { code, alt, source, label, target, strong, em } = match.groups;
  const element = code ? make("code", {}, code)
    : source ? make("img", { alt, src: new URL(source, base).href })
    : target ? makeElement("a", label, base)
    : makeElement(strong ? "strong" : "em", strong ?? em, base);
  if (target) element.setAttribute("href", target); // as it is written
  const rest = text.slice(match.index + match[0].length);
  return [text.slice(0, match.index), element, ...renderInline(rest, base)];
}

// `base` is the address that pictures are relative to.
export function renderMarkdown(text, base) {
  const page = document.createDocumentFragment();
  const lines = text.split(/\r?\n/u);
  let list = null; // that the next item goes into
  for (let i = 0; i < lines.length; ) {
    const line = lines[i++];
    const heading = HEADING.exec(line), item = ITEM.exec(line);
    if (!line.trim()) {
      list = null;
    } else if (FENCE.test(line)) {
      const end = lines.findIndex((other, j) => j >= i && FENCE.test(other));
      page.append(make("pre", {}, lines.slice(i, end).join("\n")));
      i = end + 1;
    } else if (heading) {
      const element = makeElement(`h${heading[1].length}`, heading[2], base);
      element.id = `actalker-${makeAnchor(element.textContent)}`;
      page.append(element);
    } else {
      const words = [item ? item[2] : line];
      const goesOn = (next) => next?.trim() && !HEADING.test(next) && !ITEM.test(next) && !FENCE.test(next);
      while (goesOn(lines[i])) words.push(lines[i++].trim());
      if (item && !list) {
        list = make(item[1] === "-" ? "ul" : "ol");
        page.append(list);
      }
      (item ? list : page).append(makeElement(item ? "li" : "p", words.join(" "), base));
    }
  }
  return page;
}

// The tutorial in the menu of each of the pack's nodes and in the Help menu, and links of help pages that
// lead on, wherever the front end shows them.
import { app } from "../../../../scripts/app.js";
import { makeWords } from "../base/words.js";
import { TUTORIAL, openPage, readLink } from "./reader.js";

const OURS = /^ACTalker_/;
const word = makeWords("help");

function listItems(type) {
  return [
    { content: word("page"), callback: () => openPage(type) },
    { content: word("tutorial"), callback: () => openPage(TUTORIAL) },
  ];
}

// The panel of the front end opens a link to another page as one of ComfyUI's own addresses.
document.addEventListener(
  "click",
  (event) => {
    const anchor = event.target.closest?.(".node-help-content a[href]");
    const link = readLink(anchor?.getAttribute("href"));
    if (!link) return;
    event.preventDefault();
    event.stopPropagation();
    openPage(link.page, link.anchor);
  },
  true,
);

app.registerExtension({
  name: "ACTalker.Help",
  commands: [
    { id: "ACTalker.Tutorial", icon: "pi pi-book", label: () => word("tutorial"), function: () => openPage(TUTORIAL) },
  ],
  menuCommands: [{ path: ["Help"], commands: ["ACTalker.Tutorial"] }],
  getNodeMenuItems: (node) => (OURS.test(node.type) ? listItems(node.type) : []),
  // Front ends that do not ask for items of menus ask the node.
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (app.collectNodeMenuItems || !OURS.test(nodeData.name)) return;
    const before = nodeType.prototype.getExtraMenuOptions;
    nodeType.prototype.getExtraMenuOptions = function (canvas, options) {
      const items = before?.apply(this, arguments) ?? [];
      options.push(...listItems(nodeData.name));
      return items;
    };
  },
});

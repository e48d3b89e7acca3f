// Shows a node's text again when its result comes from the cache: ComfyUI then repeats the ui
// output, but not the text that was sent to the node while it ran. On the canvas it also makes the
// node tall enough to read all of it; Nodes 2.0 does that by itself.
import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";

const SHOWING = [
    "ACTalker_ConvertCheckpoint", "ACTalker_Preflight", "ACTalker_SaveSignals", "ACTalker_SaveMotion",
    "ACTalker_Talk", "ACTalker_PreparePortrait", "ACTalker_Conditioning", // these only warnings
    "ACTalker_Windows", "ACTalker_Guider", "ACTalker_Sampler",
];
const TEXT_WIDGET = "$$node-text-preview"; // the front end's own
const LETTER_PX = 6, LINE_PX = 16, MARGIN_PX = 40;

function show(node, text) {
    // The front end looks a node up in the graph that is open.
    if (node.graph?.id !== app.canvas.graph?.id) return;
    const detail = { nodeId: String(node.id), text };
    api.dispatchEvent(new CustomEvent("progress_text", { detail }));
    const widget = node.widgets?.find(({ name }) => name === TEXT_WIDGET);
    if (widget?.options && !globalThis.LiteGraph?.vueNodesMode) makeRoom(node, widget, text);
}

function makeRoom(node, widget, text) {
    const [width, height] = node.size;
    const letters = Math.max((width - MARGIN_PX) / LETTER_PX, 1);
    const rows = text
        .split("\n")
        .reduce((sum, line) => sum + Math.max(Math.ceil(line.trim().length / letters), 1), 0);
    widget.options.getMinHeight = () => rows * LINE_PX + MARGIN_PX / 2;
    node.setSize([width, Math.max(height, node.computeSize()[1])]);
    node.setDirtyCanvas?.(true, true);
}

function clear(node) {
    const widget = node?.widgets?.find(({ name }) => name === TEXT_WIDGET);
    if (widget && SHOWING.includes(node.type)) widget.value = "";
}

// A node inside subgraphs runs under the ids on the way to it: "14:9".
function findNode(path) {
    let node, graph = app.graph;
    for (const id of String(path).split(":")) {
        node = graph?.getNodeById(id);
        graph = node?.subgraph;
    }
    return node;
}

// A warning is true of the values that it was given for: what runs anew may have none to give.
api.addEventListener("executing", ({ detail }) => clear(findNode(detail)));

app.registerExtension({
    name: "ACTalker.ShownText",
    beforeRegisterNodeDef(nodeType, nodeData) {
        if (!SHOWING.includes(nodeData.name)) return;
        const before = nodeType.prototype.onExecuted;
        nodeType.prototype.onExecuted = function (output) {
            before?.apply(this, arguments);
            const text = output?.text?.[0];
            if (text) show(this, text);
        };
    },
});

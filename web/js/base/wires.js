// What comes in over wires: past reroutes, bypassed nodes and the borders of subgraphs.
import { app } from "../../../../scripts/app.js";

const MUTED = 2, BYPASSED = 4;
const INPUTS_ID = "-10"; // of what stands for a subgraph's inputs within it; a number in older ComfyUI
const MOST_STEPS = 200;

// The graph that is saved, and every subgraph of it.
export function listGraphs() {
  const root = app.rootGraph ?? app.graph;
  return [root, ...(root.subgraphs?.values() ?? [])];
}

const findLink = (graph, id) => (id == null ? null : (graph.links?.get?.(id) ?? graph.links?.[id] ?? null));
const isBorder = (link) => String(link.origin_id) === INPUTS_ID;
const indexOf = (slots, name) => slots?.findIndex((slot) => slot.name === name) ?? -1;

const listNodes = () => listGraphs().flatMap((graph) => graph.nodes ?? []);

// The node that shows a subgraph to the graph around it, the first where there are several.
const findHolder = (subgraph) => listNodes().find((node) => node.subgraph === subgraph) ?? null;

// The input that a bypassed node hands on as an output: of the same place, else of the same type.
function findPassing(node, output) {
  const type = node.outputs?.[output]?.type;
  if (node.inputs?.[output]?.type === type) return output;
  return node.inputs?.findIndex((input) => input.type === type) ?? -1;
}

// The node at the other end of an input's wire, or null.
export function findSource(node, inputName) {
  let at = node;
  let slot = indexOf(node.inputs, inputName);
  for (let step = 0; step < MOST_STEPS && slot >= 0; step++) {
    let graph = at.graph;
    let link = findLink(graph, at.inputs?.[slot]?.link);
    let before = null;
    while (link && !isBorder(link)) {
      before = graph.getNodeById(link.origin_id);
      if (!before?.subgraph || before.mode === BYPASSED || before.mode === MUTED) break;
      graph = before.subgraph;
      link = findLink(graph, graph.outputs[link.origin_slot]?.linkIds?.[0]);
    }
    if (!link) return null;
    if (isBorder(link)) {
      at = findHolder(graph);
      slot = at ? indexOf(at.inputs, graph.inputs[link.origin_slot]?.name) : -1;
      continue;
    }
    if (!before || before.mode === MUTED) return null;
    if (before.type !== "Reroute" && before.mode !== BYPASSED) return before;
    [at, slot] = [before, before.type === "Reroute" ? 0 : findPassing(before, link.origin_slot)];
  }
  return null;
}

const listSources = (node) => (node.inputs ?? []).map(({ name }) => findSource(node, name)).filter(Boolean);

// All that is reached from some nodes by steps, near ones first, they themselves at the beginning.
function walk(nodes, step) {
  const reached = new Set(nodes);
  for (const each of reached) for (const next of step(each)) reached.add(next);
  return [...reached];
}

// All nodes that some nodes get anything from, near ones first, they themselves at the beginning.
export const listUpstream = (...nodes) => walk(nodes, listSources);

// All nodes that get anything from a node, in any graph, near ones first. Each wire is followed once:
// editors ask several times a second.
export function listDependents(node) {
  const users = new Map();
  for (const each of listNodes()) {
    for (const source of listSources(each)) users.set(source, [...(users.get(source) ?? []), each]);
  }
  return walk([node], (each) => users.get(each) ?? []).slice(1);
}

// Where a node runs: one inside subgraphs under the ids on the way to it, "14:9".
import { app } from "../../../../scripts/app.js";

export function findNode(path) {
  let node, graph = app.rootGraph ?? app.graph;
  for (const id of String(path).split(":")) {
    node = graph?.getNodeById(id);
    graph = node?.subgraph;
  }
  return node;
}

// Says why a node refused an input when a graph was queued. ComfyUI 0.33.0 names the input alone and
// keeps the reason behind a sign in its panel; where the reason is on the page already, as in
// 0.3.64, nothing is added.
import { app } from "../../../scripts/app.js";

const POLL_MS = 300, SHOWN_MS = 30_000;
const PACK = "ACTalker_", REFUSED = "custom_validation_failed";

function show(errors) {
  for (const [id, { class_type: type, errors: faults }] of Object.entries(errors ?? {})) {
    if (!type?.startsWith(PACK)) continue;
    const title = app.graph.getNodeById(Number(id))?.title ?? type.replace(PACK, "");
    for (const { details, extra_info: info } of faults.filter((fault) => fault.type === REFUSED)) {
      const input = info?.input_name ?? "";
      const detail = (details ?? "").replace(`${input} - `, ""); // ComfyUI writes the name before the reason
      if (!detail || document.body.innerText.includes(detail)) continue;
      const summary = `${title} · ${input.replaceAll("_", " ")}`;
      app.extensionManager.toast.add({ severity: "error", summary, detail, life: SHOWN_MS });
    }
  }
}

app.registerExtension({
  name: "ACTalker.Refusals",
  setup() {
    let last = app.lastNodeErrors;
    setInterval(() => {
      if (app.lastNodeErrors === last) return;
      last = app.lastNodeErrors;
      setTimeout(show, POLL_MS, last); // once the front end has said what it says
    }, POLL_MS);
  },
});

// The pack's templates in the order of their numbers: the server lists them as its disk does, and the front
// end shows them so.
import { api } from "../../../scripts/api.js";

const PACK = new URL("..", import.meta.url).pathname.split("/").at(-2);
const fetchTemplates = api.getWorkflowTemplates;

api.getWorkflowTemplates = async function (...values) {
  const templates = await fetchTemplates.apply(this, values);
  templates?.[PACK]?.sort();
  return templates;
};

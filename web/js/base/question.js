// What one of the pack's routes answers about a picture and the widgets around it, before a graph runs.
import { api } from "../../../../scripts/api.js";
import { onRemoved } from "./editor.js";

// {picture (a Blob) or null, facts}. A refusal throws its words, as does a fault: what a person has to change.
export async function askRoute(name, values) {
  const response = await api.fetchApi(`/actalker/${name}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(values),
  });
  const isPicture = response.headers.get("Content-Type")?.startsWith("image/");
  if (response.ok && isPicture) {
    const facts = JSON.parse(response.headers.get("X-ACTalker-Facts"));
    return { picture: await response.blob(), facts };
  }
  const facts = await response.json().catch(() => ({ error: `${response.status}` }));
  if (!response.ok || facts.fault) throw new Error(facts.error ?? facts.fault);
  return { picture: null, facts };
}

// One that a node goes on asking as its values change.
export class Question {
  constructor(node, route, onAnswer) {
    this.route = route;
    this.onAnswer = onAnswer;
    this.asked = null; // the values, as one text
    this.answer = null; // {image or null, facts}, the newest of this picture
    this.fault = null; // why there is no newer one
    this.isAsking = false;
    const retry = () => {
      if (this.fault) this.asked = null; // a run may have fetched what was missing
    };
    api.addEventListener("execution_success", retry);
    onRemoved(node, () => {
      api.removeEventListener("execution_success", retry);
      this.take(null);
    });
  }

  // Asks with values, null where the server knows nothing of the picture; of those that come while it asks
  // only the last are next.
  async ask(values) {
    this.newest = values;
    if (values?.picture !== this.picture) {
      this.picture = values?.picture;
      this.fault = null;
      this.take(null);
    }
    const text = values && JSON.stringify(values);
    if (this.isAsking || text === this.asked) return;
    this.asked = text;
    if (!values) return this.onAnswer();
    this.isAsking = true;
    let answer = this.answer, fault = null;
    try {
      const { picture, facts } = await askRoute(this.route, values);
      answer = { image: picture && (await createImageBitmap(picture)), facts };
    } catch (error) {
      fault = error.message;
    }
    this.isAsking = false;
    if (values.picture === this.picture) {
      this.fault = fault;
      this.take(answer);
    }
    this.onAnswer();
    this.ask(this.newest);
  }

  take(answer) {
    if (answer !== this.answer) this.answer?.image?.close(); // what a picture takes is not freed by itself for long
    this.answer = answer;
  }
}

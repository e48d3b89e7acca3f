// Faces by name: the expressions that the pack knows, and a person's own, which ComfyUI keeps as a
// file of that person on the server: copied to another machine, they are there too.
import { api } from "../../../../scripts/api.js";
import { EXPRESSIONS } from "../base/expressions.js";

export const FILE = "actalker_faces.json";
export const MOST_LETTERS = 40;

// A name as it is kept, or null where it cannot be one.
export function checkName(text) {
  const name = text.trim();
  const isPlain = name.length > 0 && name.length <= MOST_LETTERS && !/\p{C}/u.test(name);
  return isPlain && !EXPRESSIONS.includes(name.toLowerCase()) && name !== "__proto__" ? name : null;
}

const isFace = (face) =>
  face && typeof face === "object" && Object.values(face).every((value) => Number.isFinite(value));

async function readAnswer(response) {
  if (!response.ok) throw new Error(`${response.status}`);
  return response.json();
}

// What the file holds; what cannot be read throws, so that no other is written over it.
async function readFile() {
  // Asking for a file that is not there would be a line in the console.
  const files = await readAnswer(await api.fetchApi("/userdata?dir=."));
  return files.includes(FILE) ? readAnswer(await api.getUserData(FILE)) : {};
}

const pickFaces = (presets) =>
  Object.fromEntries(Object.entries(presets).filter(([name, face]) => checkName(name) && isFace(face)));

// {name: {number: value}}; all nodes share them.
export async function loadPresets() {
  return pickFaces(await readFile());
}

export async function changePresets(change) {
  const presets = await readFile();
  change(presets);
  await api.storeUserData(FILE, presets, { overwrite: true, stringify: true, throwOnError: true });
  return pickFaces(presets);
}

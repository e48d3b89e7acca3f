// The expressions that the pack knows by name.
import { makeWords } from "./words.js";

export const EXPRESSIONS = [
  "neutral", "joy", "laughter", "sadness", "anger", "surprise", "fear", "disgust", "contempt", "tired", "kiss",
];
export const nameExpression = makeWords("expressions");
